"""PostgreSQL stopped and started again and again while payments are made."""
