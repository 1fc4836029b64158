"""The real payments code under faults, in one process, on a clock and a chance of its own."""
