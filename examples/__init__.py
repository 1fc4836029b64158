"""How other services call the payments service."""
