"""An embedded PostgreSQL cluster for development and tests: how to run it and reach it."""

import signal
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from dev.accounts import Account
from dev.ports import HOST
from dev.postgres_install import Installation
from dev.processes import Command

OWNER = "payments_owner"
APPLICATION = "payments_service"
_CONNECT_SECONDS = 5.0
# PostgreSQL must not inherit the developer's PG* variables or locale.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}
_NOT_YET = (
    OSError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    TimeoutError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A set-up cluster that is not necessarily running.

    `home`: its folder. `port`: where it listens. `durable`: whether a commit survives a crash of
    the machine (it always survives a crash of the process). `password`, `app_password`: of the
    owner's and the application's role.
    """

    installation: Installation
    account: Account | None
    home: Path
    port: int
    durable: bool
    password: str = field(repr=False)
    app_password: str = field(repr=False)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "data"

    def owner_url(self, database: str) -> str:
        """Return the URL of a database for the role that owns the schema."""
        return f"postgresql://{OWNER}:{self.password}@{HOST}:{self.port}/{database}"

    def app_url(self, database: str) -> str:
        """Return the URL of a database for the application's role."""
        return f"postgresql://{APPLICATION}:{self.app_password}@{HOST}:{self.port}/{database}"

    def command(self) -> Command:
        """Return how to run the server; SIGINT is its fast shutdown (SIGTERM waits for clients)."""
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            # All goes through TCP with a password: there is no socket file to leave behind.
            "unix_socket_directories": "",
            "max_connections": "200",
            "log_line_prefix": "%m [%p] ",
            "log_timezone": "UTC",
        }
        if not self.durable:
            settings |= {
                "fsync": "off",
                "synchronous_commit": "off",
                "full_page_writes": "off",
                "wal_level": "minimal",
                "max_wal_senders": "0",
                "autovacuum": "off",
                "log_checkpoints": "off",
            }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return Command(
            name="postgres",
            argv=(str(self.installation.programs / "postgres"), "-D", str(self.data), *flags),
            environment=ENVIRONMENT,
            folder=Path("/"),
            account=self.account,
            stop_signal=signal.SIGINT,
        )

    async def is_ready(self) -> bool:
        """Tell whether the server answers queries."""
        try:
            connection = await connect(self.owner_url("postgres"))
        except _NOT_YET:
            return False
        await connection.close()
        return True


async def connect(url: str) -> asyncpg.Connection:
    """Open a connection for administration; `url` as "postgresql://user:password@host:port/name"."""
    parts = urlsplit(url)
    return await asyncpg.connect(
        host=parts.hostname,
        port=parts.port,
        user=parts.username,
        password=parts.password,
        database=parts.path.lstrip("/"),
        ssl=False,
        timeout=_CONNECT_SECONDS,
    )
