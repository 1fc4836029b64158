"""PostgreSQL behind the payments service's ports: tables, migrations, repositories, signals."""
