"""The client package for other services."""
