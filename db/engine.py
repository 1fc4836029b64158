"""Opens the connection pool, with limits on everything that could wait for ever."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseOptions:
    """How to reach the database.

    `url`: "postgresql://user:password@host:port/name". `pool_size`: connections held at most.
    `statement_cache`: off behind a transaction-mode pooler, which hands every transaction another
    connection.
    """

    url: str
    pool_size: int = 10
    statement_cache: bool = True


_CONNECT_SECONDS = 5
_COMMAND_SECONDS = 15
_POOL_WAIT_SECONDS = 5
_DIRECT = {
    "server_settings": {
        "application_name": "payments",
        "statement_timeout": "10000",
        "lock_timeout": "5000",
        "idle_in_transaction_session_timeout": "15000",
    }
}
# A transaction-mode pooler hands every transaction another server connection: statements must not
# outlive it (without a cache they get no name), and it refuses session settings at the start.
_POOLED = {
    "server_settings": {"application_name": "payments"},
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
}


def open_engine(options: DatabaseOptions) -> AsyncEngine:
    """Return an engine; it connects when it is first used."""
    arguments: dict[str, Any] = {
        "timeout": _CONNECT_SECONDS,
        "command_timeout": _COMMAND_SECONDS,
        **(_DIRECT if options.statement_cache else _POOLED),
    }
    return create_async_engine(
        _driver_url(options.url),
        pool_size=options.pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        # Errors are logged; the values of statements are people's data.
        hide_parameters=True,
        connect_args=arguments,
    )


def _driver_url(text: str) -> URL:
    """Return the URL for the driver, which calls "ssl" what libpq calls "sslmode"."""
    url = make_url(text).set(drivername="postgresql+asyncpg")
    if "sslmode" not in url.query:
        return url
    ssl = url.query["sslmode"]
    return url.difference_update_query(["sslmode"]).update_query_dict({"ssl": ssl})
