"""How callers ask the product: again and again while it fails for a passing reason."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol, TypeVar

from kit.errors import ErrorCode, ServiceError
from proofs.simulation.nature import Nature
from proofs.simulation.process import CallerGoneError, Process, ProcessGoneError
from services.payments.operations.dependencies import Dependencies

ResultT = TypeVar("ResultT")
Request = Callable[[Dependencies], Coroutine[Any, Any, ResultT]]

_PATIENCE = (1.0, 3.0, 8.0, 20.0, 60.0)
_TRY_AGAIN = frozenset({ErrorCode.UNAVAILABLE, ErrorCode.ABORTED})


class Servers(Protocol):
    """Where requests go."""

    def server(self) -> tuple[Process, Dependencies]:
        """Return the server that answers now."""
        ...

    def report(self, what: str) -> None:
        """Say what must never happen."""
        ...


class Asking:
    """Asks for everybody. `new_key`: idempotency keys, each used by one who asks."""

    def __init__(self, nature: Nature, servers: Servers) -> None:
        self.nature = nature
        self._servers = servers
        self._keys = 0

    def new_key(self) -> str:
        """Return a new idempotency key."""
        self._keys += 1
        return f"key-{self._keys}"

    def report(self, what: str) -> None:
        """Say what must never happen."""
        self._servers.report(what)

    async def ask(
        self, who: str, what: str, request: Request[ResultT], user_id: str | None = None
    ) -> ResultT | None:
        """Make a request; returns None when it was refused, or never answered.

        `user_id`: the member on whose behalf it is made; None for staff.
        """
        for wait in (*_PATIENCE, None):
            server, deps = self._servers.server()
            self.nature.story.tell(who, what)
            try:
                return await server.request(partial(request, deps), server.scope(who, user_id))
            except (CallerGoneError, ProcessGoneError) as error:
                self.nature.story.tell(who, f"no answer: {type(error).__name__}")
            except ServiceError as error:
                self.nature.story.tell(who, f"refused: {error.reason}")
                if error.code not in _TRY_AGAIN:
                    return None
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a defect
                self.report(f"{what} failed unexpectedly: {error!r}")
                return None
            if wait is not None:
                await self.nature.loop.passed(wait)
        return None
