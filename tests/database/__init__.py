"""Tests of the schema, the repositories, the unit of work and the signals on a real PostgreSQL."""
