"""The documents against the code: every table, command, name and link in them is checked."""
