"""Flutterwave's record: three lists in one walk, and nothing left out in silence."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway_adapters.charges import Outcome
from gateway_adapters.errors import NotCreatedError, OutcomeUnknownError
from gateway_adapters.records import Period, Record, RecordKind, RecordPage
from kit.money import Money
from tests.adapters.flutterwave_replies import REFERENCE, many, one, transaction
from tests.adapters.paid import paid_charge
from tests.adapters.rig import Rig
from tests.adapters.scripted import scripted

START = datetime(2026, 9, 14, 12, tzinfo=UTC)
PERIOD = Period(start=START, end=START + timedelta(days=1))
INSIDE = "2026-09-14T23:30:00.000Z"
VERIFY = {"/transactions/8830142/verify": one()}


def charge(**changes: Any) -> dict[str, Any]:
    return transaction(**{"created_at": INSIDE, **changes})


def refund(**changes: Any) -> dict[str, Any]:
    facts = {
        "id": 77201,
        "TransactionId": 8830142,
        "AmountRefunded": 250.5,
        "status": "completed-mpgs",
        "comments": "cprefund01",
        "createdAt": INSIDE,
    }
    return {**facts, **changes}


def chargeback(**changes: Any) -> dict[str, Any]:
    facts = {
        "id": 190442,
        "amount": 499,
        "status": "initiated",
        "transaction_id": 8830142,
        "tx_ref": REFERENCE,
        "created_at": INSIDE,
    }
    return {**facts, **changes}


async def listed(replies: dict[str, Any], token: str = "") -> RecordPage:
    async with scripted("flutterwave", {**VERIFY, **replies}) as (gateway, _):
        period = Period(start=PERIOD.start, end=PERIOD.end, page_token=token)
        return await gateway.list_transactions(period)


async def the_refund(**changes: Any) -> Record:
    [record] = (await listed({"/refunds": many(refund(**changes))}, "refunds:1")).records
    return record


async def the_chargeback(**changes: Any) -> Record:
    page = await listed({"/chargebacks": many(chargeback(**changes))}, "chargebacks:1")
    [record] = page.records
    return record


async def test_one_walk_goes_through_transactions_refunds_and_chargebacks() -> None:
    replies = {
        "/transactions": [many(charge(id="2"), pages=2), many(charge(id="1"), pages=2)],
        "/refunds": many(refund()),
        "/chargebacks": many(chargeback()),
    }
    seen: list[tuple[str, str]] = []
    async with scripted("flutterwave", {**VERIFY, **replies}) as (gateway, _):
        token = ""
        for _ in range(4):
            period = Period(start=PERIOD.start, end=PERIOD.end, page_token=token)
            page = await gateway.list_transactions(period)
            seen += [(each.kind, each.charge.gateway_transaction_id) for each in page.records]
            token = page.next_page_token
    assert token == ""
    assert seen == [
        (RecordKind.CHARGE, "2"),
        (RecordKind.CHARGE, "1"),
        (RecordKind.REFUND, "77201"),
        (RecordKind.CHARGEBACK, "190442"),
    ]


async def test_days_are_asked_for_with_a_margin_and_the_time_decides() -> None:
    times = {
        "1": "2026-09-14T11:59:59.999Z",
        "2": "2026-09-14T12:00:00.000Z",
        "3": "2026-09-15T13:59:59.999+02:00",
        "4": "2026-09-15T12:00:00.000Z",
    }
    rows = [transaction(id=identifier, created_at=at) for identifier, at in times.items()]
    async with scripted("flutterwave", {"/transactions": many(*rows)}) as (gateway, script):
        page = await gateway.list_transactions(PERIOD)
    assert [each.charge.gateway_transaction_id for each in page.records] == ["2", "3"]
    query = script.requests[0].query
    assert (query["from"], query["to"]) == ("2026-09-13", "2026-09-16")


async def test_a_refunds_row_is_told_in_our_words() -> None:
    record = await the_refund()
    assert (record.kind, record.outcome) == (RecordKind.REFUND, Outcome.SUCCEEDED)
    assert record.charge.reference == "cprefund01"
    assert record.charge.gateway_transaction_id == "77201"
    assert record.charge.amount == Money("KES", 25_050)
    assert record.charge_transaction_id == "8830142"
    assert record.create_time == datetime.fromisoformat(INSIDE)


@pytest.mark.parametrize("words", [None, "", "1 of 3 items", "duplicate", "cp", "x" * 41])
async def test_a_refund_without_our_mark_stands_under_the_charges_reference(words: Any) -> None:
    assert (await the_refund(comments=words)).charge.reference == REFERENCE


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("initiated", Outcome.PENDING),
        ("pending", Outcome.PENDING),
        ("declined", Outcome.PENDING),
        ("accepted", Outcome.SUCCEEDED),
        ("lost", Outcome.SUCCEEDED),
        ("won", Outcome.FAILED),
        ("reversed", Outcome.FAILED),
        ("invalid", Outcome.FAILED),
        ("news", Outcome.PENDING),
    ],
)
async def test_each_status_of_a_chargeback_says_where_the_money_is(
    status: str, outcome: Outcome
) -> None:
    record = await the_chargeback(status=status)
    assert (record.kind, record.outcome) == (RecordKind.CHARGEBACK, outcome)
    assert record.charge.amount == Money("KES", 49_900)
    assert record.charge.reference == REFERENCE
    assert record.charge_transaction_id == "8830142"


async def test_the_transaction_of_several_refunds_is_asked_about_once() -> None:
    replies = {**VERIFY, "/refunds": many(refund(id=1), refund(id=2))}
    async with scripted("flutterwave", replies) as (gateway, script):
        period = Period(start=PERIOD.start, end=PERIOD.end, page_token="refunds:1")
        assert len((await gateway.list_transactions(period)).records) == 2
    assert script.count("/transactions/8830142/verify") == 1


@pytest.mark.parametrize(
    ("token", "path", "rows"),
    [
        ("", "/transactions", [charge(created_at="yesterday")]),
        ("", "/transactions", [charge(created_at="2026-09-14T23:30:00")]),
        ("", "/transactions", [charge(id=None)]),
        ("", "/transactions", [charge(amount="1,000")]),
        ("", "/transactions", [charge(currency="SLL")]),
        ("", "/transactions", [charge(), 7]),
        ("refunds:1", "/refunds", [refund(createdAt=None)]),
        ("refunds:1", "/refunds", [refund(AmountRefunded=None)]),
        ("refunds:1", "/refunds", [refund(AmountRefunded=0.001)]),
        ("refunds:1", "/refunds", [refund(id="")]),
        ("refunds:1", "/refunds", [refund(TransactionId=None)]),
        ("refunds:1", "/refunds", [refund(TransactionId=5)]),
        ("chargebacks:1", "/chargebacks", [chargeback(amount="much")]),
        ("chargebacks:1", "/chargebacks", [chargeback(transaction_id=None)]),
    ],
)
async def test_one_row_that_cannot_be_read_makes_the_whole_page_unknown(
    token: str, path: str, rows: list[Any]
) -> None:
    with pytest.raises(OutcomeUnknownError):
        await listed({path: many(*rows)}, token)


@pytest.mark.parametrize(
    "reply",
    [
        '{"status":"success","message":"","data":[]}',
        json.dumps({"status": "success", "data": [], "meta": {"page_info": {"total_pages": None}}}),
        '{"status":"error","message":"No transactions","data":null}',
        many().replace("[]", "null"),
        (500, "{}"),
        (404, "<html>Cannot GET</html>"),
    ],
)
async def test_a_list_that_does_not_say_how_long_it_is_is_unknown(reply: Any) -> None:
    with pytest.raises(OutcomeUnknownError):
        await listed({"/transactions": reply})


@pytest.mark.parametrize("token", ["2", "charges:1", "refunds:0", "refunds:99999", "refunds:1\n"])
async def test_a_token_of_somebody_else_is_refused_unsent(token: str) -> None:
    with pytest.raises(NotCreatedError) as caught:
        await listed({}, token)
    assert caught.value.code == "page_token_invalid"


async def test_a_list_longer_than_any_period_is_not_cut_off_in_silence() -> None:
    with pytest.raises(OutcomeUnknownError):
        await listed({"/transactions": many(pages=10_000)}, "transactions:9999")


async def test_the_sandboxs_chargebacks_are_in_the_record(flutterwave: Rig, reference: str) -> None:
    paid = await paid_charge(flutterwave, reference)
    await flutterwave.sandbox.tell(f"transactions/{reference}/chargeback")

    async def outcome() -> tuple[Outcome, str]:
        now = datetime.now(UTC)
        period = Period(
            start=now - timedelta(days=1),
            end=now + timedelta(days=1),
            page_token="chargebacks:1",
        )
        [record] = (await flutterwave.adapter.gateway.list_transactions(period)).records
        assert record.charge_transaction_id == paid.gateway_transaction_id
        assert record.charge.amount == Money("KES", 49_900)
        return record.outcome, record.charge.gateway_status

    assert await outcome() == (Outcome.PENDING, "initiated")
    await flutterwave.sandbox.tell(f"transactions/{reference}/chargeback/lost")
    assert await outcome() == (Outcome.SUCCEEDED, "lost")
