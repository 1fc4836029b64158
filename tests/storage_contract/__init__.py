"""What every store promises the operations: one suite for PostgreSQL and for its twin."""
