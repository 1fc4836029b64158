"""Payments, an adapter and a sandbox together, with a clock that tests move."""
