"""Fixtures of the adapters' tests: one running sandbox a gateway, one fresh adapter a test."""

import contextlib
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping

import httpx
import pytest

from kit.request_scope import RequestScope, enter_scope, new_request_id
from tests.adapters.cases import CASES, sandbox_of
from tests.adapters.rig import Rig, Sandbox, served

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
async def sandboxes() -> AsyncIterator[Mapping[str, Sandbox]]:
    """Run every gateway's sandbox for the session."""
    async with contextlib.AsyncExitStack() as stack:
        running: dict[str, Sandbox] = {}
        for name in CASES:
            sandbox = await stack.enter_async_context(sandbox_of(name))
            control = httpx.AsyncClient(base_url=sandbox.control_url, trust_env=False)
            await stack.enter_async_context(control)
            running[name] = Sandbox(gateway_url=sandbox.gateway_url, control=control)
        yield running


@contextlib.asynccontextmanager
async def _rig(sandbox: Sandbox, name: str) -> AsyncIterator[Rig]:
    await sandbox.tell("reset")
    async with served(CASES[name], sandbox, {}) as adapter:
        yield Rig(case=CASES[name], sandbox=sandbox, adapter=adapter)
    await sandbox.tell("reset")


@pytest.fixture(params=sorted(CASES))
async def rig(
    request: pytest.FixtureRequest, sandboxes: Mapping[str, Sandbox]
) -> AsyncIterator[Rig]:
    """Serve each gateway's adapter in turn, on a sandbox without a past."""
    async with _rig(sandboxes[request.param], request.param) as rig:
        yield rig


@pytest.fixture
async def flutterwave(sandboxes: Mapping[str, Sandbox]) -> AsyncIterator[Rig]:
    """Serve Flutterwave's adapter."""
    async with _rig(sandboxes["flutterwave"], "flutterwave") as rig:
        yield rig


@pytest.fixture
async def eversend(sandboxes: Mapping[str, Sandbox]) -> AsyncIterator[Rig]:
    """Serve Eversend's adapter."""
    async with _rig(sandboxes["eversend"], "eversend") as rig:
        yield rig


@pytest.fixture
def reference() -> str:
    """Return a reference that was never used before."""
    return f"cptest{next(_numbers):08d}"


@pytest.fixture(autouse=True)
def no_deadline() -> Iterator[None]:
    """Begin every test outside of any request."""
    enter_scope(RequestScope(request_id=new_request_id()))
    yield
    enter_scope(RequestScope(request_id=new_request_id()))
