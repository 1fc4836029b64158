"""Flutterwave's settlements: what was paid out, whole and exact."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway_adapters.errors import NotCreatedError, OutcomeUnknownError
from gateway_adapters.records import Period, SettlementPage
from kit.money import Money
from tests.adapters.flutterwave_replies import many
from tests.adapters.paid import let_time_pass, paid_charge, part_of
from tests.adapters.rig import Rig
from tests.adapters.scripted import scripted

START = datetime(2026, 9, 14, tzinfo=UTC)
PERIOD = Period(start=START, end=START + timedelta(days=2))


def line(**changes: Any) -> dict[str, Any]:
    facts = {
        "id": 8830142,
        "tx_ref": "cpscript01",
        "charged_amount": 12500.5,
        "app_fee": 175.01,
        "stampduty_charge": 50,
        "currency": "NGN",
    }
    return {**facts, **changes}


def settlement(**changes: Any) -> dict[str, Any]:
    facts = {
        "id": 142228,
        "status": "completed",
        "currency": "NGN",
        "gross_amount": 12500.5,
        "app_fee": 175.01,
        "refund": 2500.25,
        "chargeback": 0,
        "stampduty_charge": 50,
        "net_amount": 9775.24,
        "transaction_count": 1,
        "processed_date": None,
        "created_at": "2026-09-15T01:30:00.000Z",
        "transactions": [line()],
    }
    return {**facts, **changes}


def detailed(**changes: Any) -> str:
    return json.dumps({"status": "success", "message": "", "data": settlement(**changes)})


async def listed(replies: dict[str, Any], token: str = "") -> SettlementPage:
    async with scripted("flutterwave", replies) as (gateway, _):
        period = Period(start=PERIOD.start, end=PERIOD.end, page_token=token)
        return await gateway.list_settlements(period)


async def test_a_settlement_is_told_with_its_lines_in_exact_money() -> None:
    replies = {"/settlements": many(settlement()), "/settlements/142228": detailed()}
    page = await listed(replies)
    [found] = page.settlements
    assert page.next_page_token == ""
    assert found.settlement_id == "142228"
    assert found.net == Money("NGN", 977_524)
    assert found.gross == Money("NGN", 1_250_050)
    assert found.fees == Money("NGN", 22_501)
    assert (found.refunds, found.chargebacks) == (Money("NGN", 250_025), Money("NGN", 0))
    assert found.net == found.gross - found.fees - found.refunds - found.chargebacks
    assert found.settle_time == datetime(2026, 9, 15, 1, 30, tzinfo=UTC)
    [only] = found.lines
    assert (only.gateway_transaction_id, only.reference) == ("8830142", "cpscript01")
    assert (only.gross, only.fee) == (Money("NGN", 1_250_050), Money("NGN", 22_501))


async def test_a_lines_fee_finer_than_the_currency_is_left_out() -> None:
    replies = {
        "/settlements": many(settlement()),
        "/settlements/142228": detailed(transactions=[line(app_fee=26.875)]),
    }
    [found] = (await listed(replies)).settlements
    assert found.lines[0].fee is None


async def test_only_what_was_paid_out_in_the_period_counts_oldest_first() -> None:
    rows = [
        settlement(id=4, processed_date="2026-09-15T23:59:59.999Z"),
        settlement(id=3, processed_date="2026-09-16T00:00:00.000Z"),
        settlement(id=2, processed_date="2026-09-14T00:00:00.000Z"),
        settlement(id=1, processed_date="2026-09-13T23:59:59.999Z"),
        settlement(id=5, status="pending"),
    ]
    replies: dict[str, Any] = {
        "/settlements": [many(*rows[:2], pages=2), many(*rows[2:], pages=2)],
        "/settlements/2": detailed(id=2),
        "/settlements/4": detailed(id=4),
    }
    found = await listed(replies)
    assert [each.settlement_id for each in found.settlements] == ["2", "4"]


async def test_many_settlements_come_in_pages() -> None:
    rows = [settlement(id=number) for number in range(100, 123)]
    replies = {
        "/settlements": many(*rows),
        **{f"/settlements/{number}": detailed(id=number) for number in range(100, 123)},
    }
    seen: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        page = await listed(replies, token)
        seen += [each.settlement_id for each in page.settlements]
        token, pages = page.next_page_token, pages + 1
    assert pages == 3
    assert seen == [str(number) for number in range(100, 123)]


@pytest.mark.parametrize(
    "detail",
    [
        detailed(id=142229),
        detailed(status="pending"),
        detailed(transactions=None),
        detailed(transactions=[]),
        detailed(transactions=[7]),
        detailed(transaction_count=2),
        detailed(transaction_count=None),
        detailed(net_amount=None),
        detailed(net_amount=1.005),
        detailed(gross_amount="1e99999999"),
        detailed(refund="some"),
        detailed(currency="SLL"),
        detailed(transactions=[line(id=None)]),
        detailed(transactions=[line(charged_amount=None)]),
        (404, "<html>Cannot GET</html>"),
        (400, '{"status":"error","message":"gone","data":null}'),
    ],
)
async def test_a_settlement_that_cannot_be_read_whole_is_unknown(detail: Any) -> None:
    with pytest.raises(OutcomeUnknownError):
        await listed({"/settlements": many(settlement()), "/settlements/142228": detail})


async def test_a_settlement_without_a_time_is_unknown_before_it_is_left_out() -> None:
    with pytest.raises(OutcomeUnknownError):
        await listed({"/settlements": many(settlement(created_at=None))})


@pytest.mark.parametrize("token", ["0", "-1", "ten", "refunds:1"])
async def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(NotCreatedError) as caught:
        await listed({}, token)
    assert caught.value.code == "page_token_invalid"


@pytest.mark.parametrize(("short_by", "missing"), [("0", 0), ("1.00", 100)])
async def test_the_sandbox_settles_what_was_paid_and_can_be_made_to_pay_too_little(
    flutterwave: Rig, reference: str, short_by: str, missing: int
) -> None:
    paid = [await paid_charge(flutterwave, f"{reference}n{number}") for number in range(3)]
    await flutterwave.adapter.refund(part_of(flutterwave, paid[0]))
    await let_time_pass(flutterwave)
    await flutterwave.sandbox.tell("settlements", short_by=short_by)
    now = datetime.now(UTC)
    period = Period(start=now - timedelta(days=1), end=now + timedelta(days=1))
    [found] = (await flutterwave.adapter.gateway.list_settlements(period)).settlements
    assert {each.gateway_transaction_id for each in found.lines} == {
        each.gateway_transaction_id for each in paid
    }
    assert {each.reference for each in found.lines} == {each.reference for each in paid}
    assert found.gross == Money("KES", 3 * 49_900)
    assert found.fees == Money("KES", sum(each.fee.amount_minor for each in paid))
    assert found.refunds == Money("KES", 19_960)
    due = found.gross - found.fees - found.refunds - found.chargebacks
    assert due - found.net == Money("KES", missing)
