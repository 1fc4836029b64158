"""One served echo service for the whole suite."""

from collections.abc import AsyncIterator

import pytest

from tests.kit.echo import EchoStub, RunningEcho, echo_serving


@pytest.fixture(scope="session")
async def served_echo() -> AsyncIterator[RunningEcho]:
    async with echo_serving() as running:
        yield running


@pytest.fixture
def echo_service(served_echo: RunningEcho) -> RunningEcho:
    """Return the served service with nothing scripted."""
    served_echo.echo.error = None
    return served_echo


@pytest.fixture
async def worker(echo_service: RunningEcho) -> AsyncIterator[EchoStub]:
    """Connect as a service that acts for itself."""
    async with echo_service.called_by("worker") as stub:
        yield stub


@pytest.fixture
async def bff(echo_service: RunningEcho) -> AsyncIterator[EchoStub]:
    """Connect as the service that always acts for a member."""
    async with echo_service.called_by("bff") as stub:
        yield stub
