"""GET /api/payments/{id}/events: the payment whenever it changes, as server-sent events."""

from collections.abc import Sequence

from starlette.responses import Response

from protos.payments.v1.payment_pb2 import (
    PAYMENT_STATUS_DISPUTED,
    PAYMENT_STATUS_PENDING,
    PAYMENT_STATUS_PROCESSING,
)
from services.bff.endpoints import Asked, Endpoint, Parameter
from services.bff.payments_client import PaymentsClient
from services.bff.problems import invalid
from services.bff.streams import MEDIA_TYPE, EventStream, Streams

_NO_CONTENT = 204
_LARGEST_VERSION = 2**63 - 1
_LONGEST_VERSION = 19
# What can still change by itself; a stream of anything else has an end.
LIVE_STATUSES = frozenset(
    {PAYMENT_STATUS_PENDING, PAYMENT_STATUS_PROCESSING, PAYMENT_STATUS_DISPUTED}
)


def event_endpoints(payments: PaymentsClient, streams: Streams) -> Sequence[Endpoint]:
    """Return the endpoint of live updates."""

    async def follow(asked: Asked) -> Response:
        member, payment_id = asked.member, str(asked.request.path_params["id"])
        seen = _last_event_id(asked)
        payment = await payments.get(member, payment_id)
        if payment.status not in LIVE_STATUSES and payment.version <= seen:
            # Tells an EventSource not to come again.
            return Response(status_code=_NO_CONTENT)
        changes = payments.watch(member, payment_id, seen)
        return EventStream(streams, member.user_id, streams.events(changes, asked.language))

    last_seen = Parameter(
        name="Last-Event-ID",
        where="header",
        description="The newest version that the page has seen; the stream goes on after it.",
        schema={"type": "string", "pattern": "^[0-9]{1,19}$"},
    )
    return [
        Endpoint(
            method="GET",
            path="/api/payments/{id}/events",
            summary=(
                "The payment whenever it changes, as events named `payment`, until nothing more"
                " happens to it by itself; 204 when that is so already"
            ),
            handle=follow,
            media_type=MEDIA_TYPE,
            may_be_empty=True,
            parameters=[last_seen],
            problems=[400, 404],
        )
    ]


def _last_event_id(asked: Asked) -> int:
    text = asked.request.headers.get("last-event-id", "").strip() or "0"
    plain = text.isascii() and text.isdecimal() and len(text) <= _LONGEST_VERSION
    if not plain or int(text) > _LARGEST_VERSION:
        raise invalid("Last-Event-ID", "must be the id of an event of this stream")
    return int(text)
