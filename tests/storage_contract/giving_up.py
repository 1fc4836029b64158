"""A unit of work that does something and then fails."""

from collections.abc import Awaitable, Callable

import pytest

from services.payments.ports import Storage, Work


class GivenUpError(Exception):
    """Raised at the end of a unit of work, so that nothing of it is stored."""


async def given_up(storage: Storage, *steps: Callable[[Work], Awaitable[object]]) -> None:
    """Take steps in one unit of work, and give it up."""

    async def run() -> None:
        async with storage.work() as work:
            for step in steps:
                await step(work)
            raise GivenUpError

    with pytest.raises(GivenUpError):
        await run()
