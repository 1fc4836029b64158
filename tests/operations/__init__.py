"""The payments operations and their worker on PostgreSQL, with scripted gateways and a clock."""
