"""Rows to frozen dataclasses and back, one table (or two that belong together) a module."""
