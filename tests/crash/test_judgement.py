"""The judge of a crash sees each thing that may not be, and nothing where all is well."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from kit.money import Money
from proofs.crash.gateways.books import GatewayBooks
from proofs.crash.gateways.records import Charge, SentRefund, Stage, Transaction
from proofs.crash.judgement import broken_invariants, lost_schedules
from proofs.crash.records import Records
from services.payments.domain.attempts import Flow

_NOW = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)
_PRICE = Money("UGX", 35_000)
_IN_UGX = {"currency": "UGX", "amount": Decimal(35_000)}


def _books() -> GatewayBooks:
    """Return the books of a gateway at which one charge was paid."""
    books = GatewayBooks(_NOW, {})
    books.charges["eversend", "cp1"] = Charge(
        gateway="eversend",
        reference="cp1",
        payer="amina@example.com",
        amount=_PRICE,
        flow=Flow.PROMPT,
        stage=Stage.PAID,
        expires_at=_NOW,
        transactions=[Transaction(id="tx1", amount=_PRICE)],
    )
    return books


def _records() -> Records:
    """Return our records of that charge: it completed a payment."""
    payment = {"id": "p1", "user_id": "amina", "new_tier": "pro", "billing_cycle": "monthly"}
    open_since = {"from_status": "pending", "to_status": "processing"}
    return Records(
        payments=[payment | _IN_UGX | {"status": "completed", "review_reason": None}],
        attempts=[_row(payment_id="p1", reference="cp1", outcome="succeeded", next_check_at=None)],
        captures=[
            _IN_UGX
            | _row(id="c1", payment_id="p1", gateway="eversend", use="kept")
            | {"gateway_transaction_id": "tx1", "excess_amount": Decimal(0)}
        ],
        refunds=[],
        refund_attempts=[],
        history=[
            _row(payment_id="p1", kind="move", action="payment_processing", **open_since),
            _row(
                payment_id="p1",
                kind="move",
                action="payment_completed",
                from_status="processing",
                to_status="completed",
            ),
            _row(payment_id="p1", kind="effect", action="tier_granted"),
        ],
        memberships=[_row(user_id="amina", tier="pro", payment_id="p1")],
        lines=[
            _IN_UGX | _row(entry_id="e1", account="clearing:eversend"),
            _row(entry_id="e1", account="revenue", currency="UGX", amount=Decimal(-35_000)),
        ],
        facts=[_row(payment_id="p1", topic="payment.completed")],
        events=[],
        keys=[],
    )


def _row(**values: Any) -> dict[str, Any]:
    return values


def _changed(table: str, number: int = 0, **values: Any) -> Callable[[Records], Records]:
    """Return a change of one row."""

    def change(records: Records) -> Records:
        rows = [dict(row) for row in getattr(records, table)]
        rows[number] |= values
        return replace(records, **{table: rows})

    return change


def _with(table: str, row: Mapping[str, Any]) -> Callable[[Records], Records]:
    """Return the addition of one row."""
    return lambda records: replace(records, **{table: [*getattr(records, table), dict(row)]})


def _without(table: str) -> Callable[[Records], Records]:
    """Return the loss of all rows of a table."""
    return lambda records: replace(records, **{table: []})


_REFUND = _IN_UGX | _row(id="r1", payment_id="p1", capture_id="c1", status="processing")
_REFUND_ATTEMPT = _row(refund_id="r1", gateway="eversend", reference="cpr1", next_check_at=None)
_SECOND_CAPTURE = _IN_UGX | _row(
    id="c2",
    payment_id="p1",
    gateway="eversend",
    use="kept",
    gateway_transaction_id="tx2",
    excess_amount=Decimal(0),
)


def test_nothing_is_wrong_where_all_is_well() -> None:
    assert broken_invariants(_records(), _books()) == []
    assert lost_schedules(_records()) == []


@pytest.mark.parametrize(
    ("damage", "seen"),
    [
        (_without("captures"), "MONEY WITHOUT EFFECT"),
        (_changed("captures", amount=Decimal(1)), "the gateway took"),
        (_changed("captures", use="held"), "nobody is asked"),
        (_changed("captures", excess_amount=Decimal(5)), "does not go back"),
        (_with("captures", _SECOND_CAPTURE), "CHARGES KEPT"),
        (_changed("payments", status="failed"), "CHARGES KEPT"),
        (_changed("payments", status="processing"), "STUCK: payment"),
        (_changed("attempts", outcome="unknown"), "STUCK: attempt"),
        (_with("events", _row(id="w1", status="received")), "STUCK: callback"),
        (_with("refund_attempts", _REFUND_ATTEMPT | {"outcome": "unknown"}), "STUCK: refund"),
        (_with("refunds", _REFUND | {"status": "succeeded"}), "and 0 arrived"),
        (_with("history", _row(payment_id="p1", kind="effect", action="tier_granted")), "2 times"),
        (_with("facts", _row(payment_id="p1", topic="payment.completed")), "told 2 times"),
        (_changed("history", from_status="failed"), "HISTORY"),
        (_changed("history", 1, to_status="failed"), "HISTORY"),
        (_without("memberships"), "PAID AND NOT GRANTED"),
        (_changed("memberships", payment_id=None), "that nobody paid for"),
        (_changed("lines", amount=Decimal(34_999)), "does not balance"),
        (_without("lines"), "owes us 35000 UGX, our books say 0"),
    ],
)
def test_damage_to_our_records_is_seen(damage: Callable[[Records], Records], seen: str) -> None:
    found = broken_invariants(damage(_records()), _books())
    assert any(seen in each for each in found), found


def test_a_purchase_that_two_payments_kept_is_seen() -> None:
    records = _with("captures", _SECOND_CAPTURE | {"payment_id": "p2"})(_records())
    records = _with("payments", dict(records.payments[0]) | {"id": "p2"})(records)
    assert any("DOUBLE CHARGE KEPT" in each for each in broken_invariants(records, _books()))


def test_money_that_went_back_twice_or_without_a_record_is_seen() -> None:
    books = _books()
    for reference in ("cpr1", "cpr1", "cpr2"):
        refund = SentRefund(
            gateway="eversend", reference=reference, amount=_PRICE, done_at=_NOW, fails=False
        )
        books.refunds.append(refund)
    records = _with("refund_attempts", _REFUND_ATTEMPT | {"outcome": "succeeded"})(_records())
    found = broken_invariants(_with("refunds", _REFUND)(records), books)
    assert any("REFUND SENT TWICE" in each and "cpr1" in each for each in found), found
    assert any("REFUND WITHOUT RECORD" in each and "cpr2" in each for each in found), found


@pytest.mark.parametrize(
    "damage",
    [
        _changed("payments", status="processing"),
        _with("refund_attempts", _REFUND_ATTEMPT | {"outcome": "sending"}),
    ],
)
def test_what_nobody_would_look_at_again_is_seen(damage: Callable[[Records], Records]) -> None:
    found = lost_schedules(damage(_records()))
    assert len(found) == 1
    assert found[0].startswith("NO SCHEDULE")
