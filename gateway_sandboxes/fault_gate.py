"""The place where faults meet requests: a wrapper around an endpoint of a gateway."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from gateway_sandboxes.clock import Clock
from gateway_sandboxes.faults import Faults, LookupStage, Rule, Subject

Endpoint = Callable[[Request], Awaitable[Response]]
Describe = Callable[[Request], Awaitable[Subject]]

DEFAULT_DELAY_SECONDS = 5.0
_CLIENT_ERROR = 400

_BAD_GATEWAY_PAGE = """<!DOCTYPE html>
<html lang="en"><head><title>502 Bad Gateway</title></head>
<body><center><h1>502 Bad Gateway</h1></center></body></html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultReplies:
    """How one gateway words its failures.

    `server_error` answers with a 500, `timed_out` is what its edge says after a long silence.
    """

    rate_limited: Callable[[], Response]
    server_error: Callable[[], Response]
    timed_out: Callable[[], Response]


class CutConnection(Response):
    """The reply that never comes: the connection is aborted without a byte."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Abort the transport and wait until the server has noticed."""
        scope["app"].state.cut_connection(scope["client"])
        with contextlib.suppress(ClientDisconnect):
            while (await receive())["type"] != "http.disconnect":
                pass


class FaultGate:
    """Wraps endpoints so that the faults which are set happen to their requests."""

    def __init__(self, faults: Faults, clock: Clock, replies: FaultReplies) -> None:
        self._faults = faults
        self._clock = clock
        self._replies = replies

    def guard(self, describe: Describe, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint with faults around it; `describe` says what a request is about.

        The endpoint of a look-up finds in `request.state.lookup_stage` how much it may tell.
        """

        async def guarded(request: Request) -> Response:
            subject = await describe(request)
            if delay := self._faults.take(("delay",), subject):
                await self._clock.sleep(_seconds(delay, DEFAULT_DELAY_SECONDS))
            if (early := await self._before_effect(subject)) is not None:
                return early
            request.state.lookup_stage = self._stage(subject)
            reply = await endpoint(request)
            return await self._after_effect(subject, reply)

        return guarded

    def _stage(self, subject: Subject) -> LookupStage:
        if subject.operation != "lookup":
            return LookupStage.TRUTH
        return self._faults.lookup_stage(subject, self._clock.now())

    async def _before_effect(self, subject: Subject) -> Response | None:
        names = ("rate_limited", "error_before_effect", "html_error")
        rule = self._faults.take(names, subject)
        if rule is None:
            return None
        if rule.fault == "rate_limited":
            return self._replies.rate_limited()
        if rule.fault == "html_error":
            return HTMLResponse(_BAD_GATEWAY_PAGE, 502)
        return await self._error(rule)

    async def _after_effect(self, subject: Subject, reply: Response) -> Response:
        if reply.status_code >= _CLIENT_ERROR:
            return reply
        rule = self._faults.take(("error_after_effect", "lost_reply", "bad_json"), subject)
        if rule is None:
            return reply
        if rule.fault == "lost_reply":
            await self._clock.sleep(_seconds(rule, 0.0))
            return CutConnection()
        if rule.fault == "bad_json":
            return _truncated(reply)
        return await self._error(rule)

    async def _error(self, rule: Rule) -> Response:
        if rule.seconds is None:
            return self._replies.server_error()
        await self._clock.sleep(rule.seconds)
        return self._replies.timed_out()


def _seconds(rule: Rule, default: float) -> float:
    return default if rule.seconds is None else rule.seconds


def _truncated(reply: Response) -> Response:
    body = bytes(reply.body)
    return Response(body[: len(body) // 2], reply.status_code, media_type="application/json")
