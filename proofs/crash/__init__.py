"""The real operations on a real PostgreSQL, killed at every point, restarted, and audited."""
