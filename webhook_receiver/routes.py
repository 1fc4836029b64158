"""POST /webhooks/{gateway}: from the bytes of a delivery to an answer the gateway can rely on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway_adapters.callbacks import (
    Callback,
    CallbackRefusedError,
    CallbackUnreadableError,
    CallbackVerifier,
    body_digest,
)
from kit.clock import Clock
from kit.http_middleware import note
from kit.http_problems import problem_response
from webhook_receiver.body import BodyLimits, BodyTooLargeError, BodyTooSlowError, read_body
from webhook_receiver.recorder import Delivery, Recorder, RecorderUnavailableError

UNREADABLE = "unreadable"

_STORED_HEADERS = ("content-length", "content-type", "user-agent", "x-request-id")
_LONGEST_HEADER = 200


class GatewayNotEnabledError(Exception):
    """No such gateway, or one whose callbacks are switched off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """How a delivery that was not stored is answered; never why a signature was wrong."""

    status: int
    outcome: str
    detail: str
    headers: Mapping[str, str] = field(default_factory=dict)


_REFUSALS: Mapping[type[Exception], Refusal] = {
    GatewayNotEnabledError: Refusal(
        status=404, outcome="unknown_gateway", detail="no callbacks are taken here"
    ),
    BodyTooLargeError: Refusal(status=413, outcome="too_large", detail="the body is too large"),
    BodyTooSlowError: Refusal(status=408, outcome="too_slow", detail="the body came too slowly"),
    ClientDisconnect: Refusal(status=400, outcome="disconnected", detail="the body is incomplete"),
    CallbackRefusedError: Refusal(
        status=401, outcome="refused", detail="the callback is not authentic"
    ),
    RecorderUnavailableError: Refusal(
        status=503,
        outcome="unavailable",
        detail="the callback could not be stored; send it again",
        headers={"retry-after": "10"},
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """Takes deliveries.

    `verifiers`: by gateway name; a gateway without one does not exist. `recorder`: where verified
    deliveries go. Answers 200, the only code that Flutterwave counts as success (contract A14),
    after the recorder has the delivery and at no other time.
    """

    verifiers: Mapping[str, CallbackVerifier]
    recorder: Recorder
    limits: BodyLimits
    clock: Clock

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/webhooks/{gateway}", self.deliver, methods=["POST"])]

    async def deliver(self, request: Request) -> Response:
        """Verify a delivery, have it stored, answer."""
        try:
            delivery = await self._verified(request)
            recording = await self.recorder.record(delivery)
        except tuple(_REFUSALS) as error:
            return _refused(request, error)
        note(request, outcome=recording.value)
        return JSONResponse({"status": recording.value})

    async def _verified(self, request: Request) -> Delivery:
        gateway = request.path_params["gateway"]
        verifier = self.verifiers.get(gateway)
        if verifier is None:
            raise GatewayNotEnabledError
        note(request, gateway=gateway)
        body = await read_body(request, self.limits)
        note(request, bytes=len(body))
        headers = request.headers.raw
        verifier.verify(body, headers)
        try:
            callback = verifier.parse(body, headers)
        except CallbackUnreadableError:
            callback = _unreadable(body)
        note(request, event_type=callback.event_type, reference=callback.reference)
        return Delivery(
            gateway=gateway,
            event_key=callback.event_key,
            event_type=callback.event_type,
            reference=callback.reference,
            gateway_transaction_id=callback.gateway_transaction_id,
            raw_body=body,
            headers=_stored_headers(request),
            received_time=self.clock.now(),
        )


def _refused(request: Request, error: Exception) -> Response:
    refusal = next(each for kind, each in _REFUSALS.items() if isinstance(error, kind))
    note(request, outcome=refusal.outcome)
    if isinstance(error, RecorderUnavailableError):
        note(request, reason=error.reason)
    return problem_response(refusal.status, refusal.detail, headers=refusal.headers)


def _unreadable(body: bytes) -> Callback:
    """Keep what a gateway signed and we cannot read: somebody must look at it."""
    return Callback(
        event_key=body_digest(body),
        event_type=UNREADABLE,
        reference="",
        gateway_transaction_id="",
        status_hint="",
    )


def _stored_headers(request: Request) -> dict[str, str]:
    return {
        name: request.headers[name][:_LONGEST_HEADER]
        for name in _STORED_HEADERS
        if name in request.headers
    }
