"""Examples in Python."""
