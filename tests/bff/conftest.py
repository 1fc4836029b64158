"""The BFF's real application on a real port, in front of a scripted payments service."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
import pytest

from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.http_server import HttpOptions
from kit.tokens_issue import issue_token
from kit.user_tokens import SharedSecret, TokenRules, UserTokens
from services.bff.app import BffOptions, Surroundings, build_app
from services.bff.payments_client import PaymentsClient
from tests.bff.scripted import TOKEN, ScriptedService, scripted_serving
from tests.kit.serving import http_serving

SECRET = "members-token-secret-for-tests-01"
TOKENS = UserTokens(TokenRules(algorithms={"HS256": SharedSecret(SECRET)}), SystemClock())
OPTIONS = BffOptions(
    origins=frozenset({"https://app.example"}),
    return_origins=frozenset({"https://app.example", "http://localhost:3000"}),
    reads_per_minute=100_000,
)


def logged_in(user_id: str = "alice", **more: str) -> dict[str, str]:
    """Return the headers of a member; `more` are written with underscores."""
    token = issue_token(SECRET, user_id, SystemClock())
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return {"authorization": f"Bearer {token}", **named}


@contextlib.asynccontextmanager
async def bff_in_front_of(
    payments_port: int,
    token: str = TOKEN,
    options: BffOptions = OPTIONS,
    stopping: asyncio.Event | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    channel = ServiceChannel(f"127.0.0.1:{payments_port}", token)
    surroundings = Surroundings(
        payments=PaymentsClient(channel, timeout=5, gateway_timeout=10),
        tokens=TOKENS,
        clock=SystemClock(),
        stopping=stopping or asyncio.Event(),
    )
    app = build_app(surroundings, options)
    server = HttpOptions(max_connections=5000)
    limits = httpx.Limits(max_connections=None)
    async with (
        http_serving(app, server) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10, limits=limits) as client,
    ):
        yield client
    await channel.close()


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[tuple[httpx.AsyncClient, ScriptedService]]:
    scripted = ScriptedService()
    async with (
        scripted_serving(scripted) as server,
        bff_in_front_of(server.port) as client,
    ):
        yield client, scripted


@pytest.fixture
def bff(running: tuple[httpx.AsyncClient, ScriptedService]) -> httpx.AsyncClient:
    return running[0]


@pytest.fixture
def service(running: tuple[httpx.AsyncClient, ScriptedService]) -> ScriptedService:
    """Return the service behind `bff`, with nothing asked and the usual answers."""
    running[1].forget()
    return running[1]
