"""Alembic migrations: run `python -m db migrate`."""
