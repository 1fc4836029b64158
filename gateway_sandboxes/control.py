"""The control API, the same in every sandbox: what tests and people steer a gateway with."""

from collections.abc import Sequence
from typing import Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway_sandboxes import faults
from gateway_sandboxes.amounts import parse_amount
from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.faults import FaultError, parse_rule
from gateway_sandboxes.json_http import InvalidJsonError, json_reply, read_object
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.settings import SettingError


class UnknownReferenceError(Exception):
    """The gateway has nothing under this reference."""


class NotPossibleError(Exception):
    """What was asked cannot happen to this payment any more; the message says why."""


class Book(Protocol):
    """What a gateway's stand-in shows to the control API, by the merchant's own reference.

    `complete`, `fail` and `expire` raise `UnknownReferenceError` or `NotPossibleError`.
    """

    def references(self) -> list[str]:
        """Return every reference, oldest first."""
        ...

    def summary(self, reference: str) -> dict[str, object]:
        """Return what the gateway believes about the reference."""
        ...

    def complete(self, reference: str, wishes: dict[str, Any]) -> None:
        """Let the payer pay."""
        ...

    def fail(self, reference: str, reason: str | None) -> None:
        """Let the payer be declined and leave."""
        ...

    def expire(self, reference: str) -> None:
        """Let the payment lapse."""
        ...

    def clear(self) -> None:
        """Drop whatever is derived from the store, which is being emptied."""
        ...


def control_app(
    name: str, machinery: Machinery, book: Book, own_routes: Sequence[Route] = ()
) -> Starlette:
    """Build the control API of the sandbox called `name`.

    `own_routes` are what only this gateway has; their paths begin with "/_sandbox" too.
    """
    control = _Control(name, machinery, book)
    return Starlette(
        routes=[
            Route("/_sandbox/health", control.health),
            Route("/_sandbox/transactions", control.transactions),
            Route("/_sandbox/transactions/{reference}", control.transaction),
            Route(
                "/_sandbox/transactions/{reference}/complete", control.complete, methods=["POST"]
            ),
            Route("/_sandbox/transactions/{reference}/fail", control.fail, methods=["POST"]),
            Route("/_sandbox/transactions/{reference}/expire", control.expire, methods=["POST"]),
            Route("/_sandbox/webhooks", control.webhooks),
            Route("/_sandbox/webhooks/{id}/replay", control.replay, methods=["POST"]),
            Route("/_sandbox/faults", control.list_faults),
            Route("/_sandbox/faults", control.set_fault, methods=["POST"]),
            Route("/_sandbox/faults", control.clear_faults, methods=["DELETE"]),
            Route("/_sandbox/clock", control.read_clock),
            Route("/_sandbox/clock", control.advance_clock, methods=["POST"]),
            Route("/_sandbox/config", control.read_config),
            Route("/_sandbox/config", control.change_config, methods=["POST"]),
            Route("/_sandbox/reset", control.reset, methods=["POST"]),
            *own_routes,
        ],
        exception_handlers={
            UnknownReferenceError: _answer(404),
            NotPossibleError: _answer(409),
            SettingError: _answer(400),
            InvalidJsonError: _answer(400),
            FaultError: _answer(400, known_faults=faults.KNOWN),
            HTTPException: _answer_http,
        },
    )


class _Control:
    """The endpoints, over the machinery and the gateway's book."""

    def __init__(self, name: str, machinery: Machinery, book: Book) -> None:
        self._name = name
        self._machinery = machinery
        self._book = book

    async def health(self, _: Request) -> Response:
        now = isoformat(self._machinery.clock.now())
        return json_reply({"status": "ok", "sandbox": self._name, "time": now})

    async def transactions(self, _: Request) -> Response:
        summaries = [self._book.summary(reference) for reference in self._book.references()]
        return json_reply({"transactions": summaries})

    async def transaction(self, request: Request) -> Response:
        return json_reply(self._book.summary(request.path_params["reference"]))

    async def complete(self, request: Request) -> Response:
        self._book.complete(request.path_params["reference"], await read_object(request))
        return await self.transaction(request)

    async def fail(self, request: Request) -> Response:
        reason = (await read_object(request)).get("reason")
        self._book.fail(request.path_params["reference"], None if reason is None else str(reason))
        return await self.transaction(request)

    async def expire(self, request: Request) -> Response:
        self._book.expire(request.path_params["reference"])
        return await self.transaction(request)

    async def webhooks(self, request: Request) -> Response:
        wanted = request.query_params.get("reference")
        deliveries = self._machinery.outbox.deliveries()
        chosen = [d.as_json() for d in deliveries if wanted in (None, d.reference)]
        return json_reply({"webhooks": chosen})

    async def replay(self, request: Request) -> Response:
        replayed = await self._machinery.outbox.replay(request.path_params["id"])
        if replayed is None:
            raise UnknownReferenceError(f"there is no webhook {request.path_params['id']!r}")
        return json_reply(replayed.as_json())

    async def list_faults(self, _: Request) -> Response:
        return json_reply({"faults": self._machinery.faults.listing(), "known": faults.KNOWN})

    async def set_fault(self, request: Request) -> Response:
        rule = parse_rule(await read_object(request))
        if rule.fault != faults.UNREACHABLE:
            return json_reply(self._machinery.faults.add(rule), 201)
        await self._machinery.outage.begin(rule.seconds)
        return json_reply(self._machinery.faults.add(rule, fired=1), 201)

    async def clear_faults(self, _: Request) -> Response:
        self._machinery.faults.clear()
        await self._machinery.outage.end()
        return json_reply({"faults": []})

    async def read_clock(self, _: Request) -> Response:
        clock = self._machinery.clock
        return json_reply({"time": isoformat(clock.now()), "offset_seconds": clock.offset_seconds})

    async def advance_clock(self, request: Request) -> Response:
        seconds = parse_amount((await read_object(request)).get("advance_seconds"))
        if seconds is None:
            raise InvalidJsonError("advance_seconds must be a number")
        try:
            self._machinery.advance_clock(float(seconds))
        except ValueError as error:
            raise InvalidJsonError(str(error)) from error
        return await self.read_clock(request)

    async def read_config(self, _: Request) -> Response:
        return json_reply(self._machinery.behaviour.as_mapping())

    async def change_config(self, request: Request) -> Response:
        self._machinery.behaviour.switch(await read_object(request))
        return await self.read_config(request)

    async def reset(self, _: Request) -> Response:
        machinery = self._machinery
        machinery.faults.clear()
        machinery.behaviour.restore()
        machinery.clock.clear()
        await machinery.outbox.clear()
        self._book.clear()
        machinery.store.clear()
        await machinery.outage.end()
        return json_reply({"status": "ok"})


def _answer(status: int, **details: object) -> Any:
    async def answer(_: Request, error: Exception) -> Response:
        return json_reply({"error": str(error), **details}, status)

    return answer


async def _answer_http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return json_reply({"error": str(error)}, status)
