"""The shapes of Flutterwave's callbacks, and what each says where (contract A14, B7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from gateway_adapters.json_body import JsonObject, JsonValue, identifier_at, moment_at, object_at

# Their own flat shapes have no event name; these are ours.
_LEGACY_CHARGE = "legacy.charge"
_REFUND = "refund"
_VIRTUAL_CARD = "virtual_card"
_V3_EVENTS = frozenset(
    {"bvn.completed", "charge.completed", "refund.completed", "singlebillpayment.status",
     "subscription.cancelled", "test_assess", "transfer.completed"}
)  # fmt: skip
_V4_EVENTS = frozenset(
    {"charge.completed", "order.authorization", "refund.completed", "transfer.disburse",
     "transfer.reversal"}
)  # fmt: skip
_LEGACY_EVENTS = frozenset({"BVN", "SingleBillPayment", "Transfer"})
# Where a body has the transaction; a refund's own "id" is another thing (contract A4, A14, B3).
_CHARGE_ID = ("id",)
_REFUNDED_CHARGE_ID = ("TransactionId", "transaction_id", "tx_id", "charge_id")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_SECOND = 253_402_300_799  # the end of the year 9999
_MILLISECONDS = Decimal(1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a callback says. Every text may be empty.

    `event_id`: of the callback in v4, of what it is about before. `sent_time`: v4 only.
    `recognised`: whether the contract names an event of this kind.
    """

    event_type: str
    event_id: str = ""
    gateway_transaction_id: str = ""
    reference: str = ""
    status: str = ""
    sent_time: datetime | None = None
    recognised: bool = True


def read_event(document: JsonObject) -> Event:
    """Tell the shapes apart, in the contract's order, and read what is there."""
    event = identifier_at(document, "event")
    if event:
        node = object_at(document, "data") or {}
        keys = _CHARGE_ID if event.startswith("charge.") else _REFUNDED_CHARGE_ID
        return _v3(event, node, keys, recognised=event in _V3_EVENTS)
    if "txRef" in document and "flwRef" in document:
        return _v3(_LEGACY_CHARGE, document, _CHARGE_ID)
    if "AmountRefunded" in document:
        return _v3(_REFUND, document, _REFUNDED_CHARGE_ID)
    if "CardId" in document and "MaskedPan" in document:
        return Event(event_type=_VIRTUAL_CARD)
    data = object_at(document, "data")
    if data is not None and identifier_at(document, "type"):
        return _v4(document, data)
    legacy = identifier_at(document, "event.type")
    return Event(event_type=legacy, recognised=legacy in _LEGACY_EVENTS)


def _v3(
    event_type: str, node: JsonObject, transaction_keys: Sequence[str], *, recognised: bool = True
) -> Event:
    return Event(
        event_type=event_type,
        event_id=identifier_at(node, "id"),
        gateway_transaction_id=identifier_at(node, *transaction_keys),
        reference=identifier_at(node, "tx_ref", "txRef"),
        status=identifier_at(node, "status"),
        recognised=recognised,
    )


def _v4(document: JsonObject, data: JsonObject) -> Event:
    event_type = identifier_at(document, "type")
    keys = _REFUNDED_CHARGE_ID if event_type.startswith("refund.") else _CHARGE_ID
    return Event(
        event_type=event_type,
        event_id=identifier_at(document, "webhook_id", "id"),
        gateway_transaction_id=identifier_at(data, *keys),
        reference=identifier_at(data, "reference"),
        status=identifier_at(data, "status"),
        sent_time=_sent_time(document),
        recognised=event_type in _V4_EVENTS,
    )


def _sent_time(document: JsonObject) -> datetime | None:
    """Read `timestamp` (milliseconds) or `created_datetime` (ISO 8601, or seconds with fraction).

    Both are documented, on different pages (contract B7).
    """
    milliseconds = _number(document.get("timestamp"))
    if milliseconds is not None:
        return _after_epoch(milliseconds / _MILLISECONDS)
    seconds = _number(document.get("created_datetime"))
    if seconds is not None:
        return _after_epoch(seconds)
    return moment_at(document, "created_datetime", "timestamp")


def _number(value: JsonValue) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    return Decimal(value)


def _after_epoch(seconds: Decimal) -> datetime | None:
    if not 0 <= seconds <= _LATEST_SECOND:
        return None
    whole = int(seconds)
    return _EPOCH + timedelta(seconds=whole, microseconds=int((seconds - whole) * 1_000_000))
