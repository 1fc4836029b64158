"""Two real payments servers, in processes of their own, on one database and the same gateways."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import grpc

from dev.ports import first_free_port
from dev.postgres import connect
from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.settings import NamedSecret
from proofs.crash.gateways.books import GatewayBooks
from proofs.crash.gateways.records import Habits
from proofs.crash.gateways.remote import NAMES
from proofs.crash.idempotency.adapter import BooksGateway, adapter
from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub

if TYPE_CHECKING:
    from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceAsyncStub

_ROOT = Path(__file__).resolve().parents[3]
_SERVICE = "payments.v1.PaymentsService"
_START_SECONDS = 60.0
_LOOK_SECONDS = 0.05
# Below the ports that the system gives to outgoing connections.
_LOWEST_PORT, _PORT_RANGE = 16_000, 12_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Twins:
    """Two servers that know nothing of each other but the database.

    `token`: of the calling service. `owner`: of the database, to count what is in it.
    """

    channels: Sequence[grpc.aio.Channel]
    token: str
    books: GatewayBooks
    owner: asyncpg.Connection

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries."""
        return (("authorization", f"Bearer {self.token}"),)

    def stub(self, number: int) -> "PaymentsServiceAsyncStub":
        """Return a client of one of the servers."""
        return PaymentsServiceStub(self.channels[number % len(self.channels)])


@asynccontextmanager
async def twin_servers(
    owner_url: str, app_url: str, *, asks_otp: bool = False
) -> AsyncIterator[Twins]:
    """Run two servers on a migrated database while the context lasts.

    `asks_otp`: whether prompts need a one-time password first.
    """
    clock = SystemClock()
    books = GatewayBooks(clock.now(), {"eversend": Habits(asks_otp=asks_otp)})
    token, gateway_token = secrets.token_hex(20), secrets.token_hex(20)
    async with AsyncExitStack() as stack:
        caller = NamedSecret(name="payments", secret=gateway_token)
        addresses = {
            name: await stack.enter_async_context(
                adapter(BooksGateway(name, books, clock), clock, caller)
            )
            for name in NAMES
        }
        settings = {
            "DATABASE_URL": app_url,
            "DATABASE_POOL_SIZE": "20",
            "GATEWAYS": ",".join(f"{name}={at}" for name, at in addresses.items()),
            "GATEWAY_TOKEN": gateway_token,
            "SERVICE_TOKENS": f"operator={token}",
            "JWT_SECRET": secrets.token_hex(32),
            "DEFAULT_RETURN_URL": "http://127.0.0.1:8080/return",
        }
        owner = await connect(owner_url)
        stack.push_async_callback(owner.close)
        channels: list[grpc.aio.Channel] = []
        for _ in range(2):
            start = _LOWEST_PORT + secrets.randbelow(_PORT_RANGE)
            address = f"127.0.0.1:{first_free_port(start)}"
            await stack.enter_async_context(_server(settings, address))
            channels.append(await stack.enter_async_context(_channel(address, token)))
        yield Twins(channels=channels, token=token, books=books, owner=owner)


@asynccontextmanager
async def _server(settings: dict[str, str], address: str) -> AsyncIterator[None]:
    """Run one server as an operator runs it."""
    surroundings = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.payments",
        "server",
        cwd=_ROOT,
        env={
            **surroundings,
            **settings,
            "ENVIRONMENT": "development",
            "LOG_LEVEL": "ERROR",
            "PAYMENTS_LISTEN": address,
        },
    )
    try:
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@asynccontextmanager
async def _channel(address: str, token: str) -> AsyncIterator[grpc.aio.Channel]:
    """Connect to a server once it serves. Raises `TimeoutError` when it never does."""
    service = ServiceChannel(address, token)
    try:
        async with asyncio.timeout(_START_SECONDS):
            while not await service.serves(_SERVICE):  # noqa: ASYNC110 - another process serves
                await asyncio.sleep(_LOOK_SECONDS)
        yield service.channel
    finally:
        await service.close()
