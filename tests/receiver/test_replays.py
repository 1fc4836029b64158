"""Repeated, old and forged deliveries: stored once, never a fact, never in another one's place."""

from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from gateway_adapters.callbacks import CallbackVerifier
from tests.receiver.conftest import Receiver
from tests.receiver.deliveries import BODIES, V4_BODY, signed, v4_signature
from tests.receiver.scripted_payments import ScriptedPayments
from webhook_receiver.freshness import Freshness, freshness_of

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("age", "freshness"),
    [
        (timedelta(0), Freshness.FRESH),
        (timedelta(minutes=90), Freshness.FRESH),
        (timedelta(hours=2) - MOMENT, Freshness.FRESH),
        (timedelta(hours=2), Freshness.FRESH),
        (timedelta(hours=2) + MOMENT, Freshness.STALE),
        (timedelta(days=1), Freshness.STALE),
        (timedelta(days=365), Freshness.STALE),
        (NOW - datetime.min.replace(tzinfo=UTC), Freshness.STALE),
        (-MOMENT, Freshness.FRESH),
        (timedelta(minutes=-5) + MOMENT, Freshness.FRESH),
        (timedelta(minutes=-5), Freshness.FRESH),
        (timedelta(minutes=-5) - MOMENT, Freshness.AHEAD),
        (timedelta(days=-365), Freshness.AHEAD),
        (NOW - datetime.max.replace(tzinfo=UTC), Freshness.AHEAD),
    ],
)
def test_a_delivery_is_fresh_from_five_minutes_ahead_to_two_hours_ago(
    age: timedelta, freshness: Freshness
) -> None:
    assert freshness_of(NOW - age, NOW) is freshness


def test_a_delivery_that_names_no_time_has_no_age() -> None:
    assert freshness_of(None, NOW) is Freshness.UNDATED


@pytest.mark.parametrize(
    ("sent", "freshness"),
    [
        (timedelta(0), "fresh"),
        (timedelta(days=-1), "stale"),
        (timedelta(days=-365), "stale"),
        (timedelta(days=1), "ahead"),
        (None, "undated"),
    ],
)
async def test_a_delivery_of_any_age_is_stored_and_its_age_is_in_the_log(
    receiver: Receiver, payments: ScriptedPayments, sent: timedelta | None, freshness: str
) -> None:
    at = int((datetime.now(UTC) + sent).timestamp() * 1000) if sent is not None else None
    body = V4_BODY.replace(b"1795431600250", b"null" if at is None else str(at).encode())
    with capture_logs() as logs:
        response = await receiver.deliver(
            "flutterwave", [(b"flutterwave-signature", v4_signature(body))], body
        )

    assert response.status_code == 200
    assert payments.received[0].raw_body == body
    (line,) = [line for line in logs if line["event"] == "http"]
    assert line["freshness"] == freshness


@pytest.mark.parametrize("gateway", BODIES)
async def test_a_repeated_delivery_has_the_same_key_and_a_changed_one_has_another(
    receiver: Receiver, payments: ScriptedPayments, gateway: str
) -> None:
    body = BODIES[gateway]
    changed = body.replace(b"25000", b"25001")
    for each in (body, body, changed):
        await receiver.deliver(gateway, signed(gateway, each), each)

    first, second, third = (event.event_key for event in payments.received)
    assert first == second
    assert third != first


def test_a_forged_body_never_takes_the_key_of_a_real_one(
    verifiers: dict[str, CallbackVerifier],
) -> None:
    """Whoever has seen v3's header can sign anything; only the digest keeps the bodies apart."""
    real = verifiers["flutterwave"].parse(BODIES["flutterwave"], signed("flutterwave"))
    for part in (b"5000", b"UGX", b"FLW-SANDBOX-0001", b"member@example.com"):
        forged = BODIES["flutterwave"].replace(part, part[::-1] + b"1")
        key = verifiers["flutterwave"].parse(forged, signed("flutterwave")).event_key
        assert key.rpartition(":")[0] == real.event_key.rpartition(":")[0]
        assert key != real.event_key
