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
from kit.logs import get_logger
from kit.request_scope import current_scope
from webhook_receiver.admission import (
    Admission,
    BodyEncodedError,
    SourceNotAllowedError,
    TooManyRequestsError,
)
from webhook_receiver.body import BodyLimits, BodyTooLargeError, BodyTooSlowError, read_body
from webhook_receiver.figures import DeliveryFigures, Kind
from webhook_receiver.freshness import freshness_of
from webhook_receiver.recorder import Delivery, Recorder, RecorderUnavailableError

UNREADABLE = "unreadable"

_STORED_HEADERS = ("content-length", "content-type", "user-agent", "x-request-id")
_LONGEST_HEADER = 200

_log = get_logger(__name__)


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
    SourceNotAllowedError: Refusal(
        status=403, outcome="source_not_allowed", detail="no callbacks are taken from there"
    ),
    TooManyRequestsError: Refusal(
        status=429,
        outcome="too_many",
        detail="too many requests; send it again later",
        headers={"retry-after": "10"},
    ),
    BodyEncodedError: Refusal(
        status=415,
        outcome="encoded",
        detail="the body must not be compressed",
        headers={"accept-encoding": "identity"},
    ),
    GatewayNotEnabledError: Refusal(
        status=404, outcome="unknown_gateway", detail="no callbacks are taken here"
    ),
    BodyTooLargeError: Refusal(status=413, outcome="too_large", detail="the body is too large"),
    BodyTooSlowError: Refusal(status=408, outcome="too_slow", detail="the request came too slowly"),
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

    `verifiers`: by gateway name; a gateway without one does not exist. `admission`: who may speak
    at all. `recorder`: where verified deliveries go. Answers 200, the only code that Flutterwave
    counts as success (contract A14), after the recorder has the delivery and at no other time.
    """

    verifiers: Mapping[str, CallbackVerifier]
    admission: Admission
    recorder: Recorder
    limits: BodyLimits
    clock: Clock
    figures: DeliveryFigures

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [Route("/webhooks/{gateway}", self.deliver, methods=["POST"])]

    async def deliver(self, request: Request) -> Response:
        """Verify a delivery, have it stored, answer."""
        began = self.clock.monotonic()
        delivery: Delivery | None = None
        try:
            self.admission.check(request)
            delivery = await self._verified(request)
            recording = await self.recorder.record(delivery)
        except tuple(_REFUSALS) as error:
            response, outcome = _refused(error)
            if isinstance(error, RecorderUnavailableError):
                note(request, reason=error.reason)
        else:
            response, outcome = JSONResponse({"status": recording.value}), recording.value
        note(request, outcome=outcome)
        kind = Kind(
            gateway=_enabled(request.path_params["gateway"], self.verifiers),
            event_type=delivery.event_type if delivery else "",
            result=outcome,
        )
        self.figures.count(kind, self.clock.monotonic() - began)
        return response

    async def _verified(self, request: Request) -> Delivery:
        gateway = _enabled(request.path_params["gateway"], self.verifiers)
        if not gateway:
            raise GatewayNotEnabledError
        note(request, gateway=gateway)
        body = await read_body(request, self.limits)
        note(request, bytes=len(body))
        callback = _read(gateway, self.verifiers[gateway], body, request)
        received = self.clock.now()
        note(
            request,
            event_type=callback.event_type,
            reference=callback.reference,
            freshness=freshness_of(callback.sent_time, received).value,
        )
        return Delivery(
            gateway=gateway,
            event_key=callback.event_key,
            event_type=callback.event_type,
            reference=callback.reference,
            gateway_transaction_id=callback.gateway_transaction_id,
            raw_body=body,
            headers=_stored_headers(request),
            received_time=received,
            request_id=current_scope().request_id,
        )


def _enabled(gateway: str, verifiers: Mapping[str, CallbackVerifier]) -> str:
    """Return the gateway's name when it is one of ours: a path is the sender's word."""
    return gateway if gateway in verifiers else ""


def _read(gateway: str, verifier: CallbackVerifier, body: bytes, request: Request) -> Callback:
    """Read what a gateway signed; what cannot be read or is new to us is kept, and somebody told.

    Raises `CallbackRefusedError` when the gateway did not sign it.
    """
    headers = request.headers.raw
    verifier.verify(body, headers)
    try:
        callback = verifier.parse(body, headers)
    except CallbackUnreadableError as error:
        _log.error(
            "delivery_unreadable", alert=True, gateway=gateway, bytes=len(body), why=str(error)
        )
        return _unreadable(body)
    if not callback.recognised:
        _log.warning("delivery_not_recognised", gateway=gateway, event_type=callback.event_type)
    return callback


def _refused(error: Exception) -> tuple[Response, str]:
    refusal = next(each for kind, each in _REFUSALS.items() if isinstance(error, kind))
    response = problem_response(refusal.status, refusal.detail, headers=refusal.headers)
    return response, refusal.outcome


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
