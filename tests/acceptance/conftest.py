"""One running stack for all acceptance tests of a session."""

from collections.abc import AsyncIterator

import pytest

from tests.acceptance.stack import Stack, running_stack


@pytest.fixture(scope="session")
async def whole_stack() -> AsyncIterator[Stack]:
    """Run the stack; all tests that use it share one pytest process."""
    async with running_stack() as stack:
        yield stack


@pytest.fixture
async def stack(whole_stack: Stack) -> AsyncIterator[Stack]:
    """Give the test the stack without faults, and leave it without faults."""
    yield whole_stack
    for gateway in ("flutterwave", "eversend"):
        await whole_stack.control(gateway, "DELETE", "/faults")
