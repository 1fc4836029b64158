"""Eversend's record of transactions: both kinds, exact times, pages, and nothing left out."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from gateway_adapters.charges import Outcome
from gateway_adapters.errors import NotCreatedError, OutcomeUnknownError
from gateway_adapters.records import Period, RecordKind
from kit.errors import ErrorCode
from kit.money import Money
from protos.common.v1.money_pb2 import Money as WireMoney
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import OUTCOME_FAILED, OUTCOME_PENDING, OUTCOME_SUCCEEDED
from tests.adapters.cases import momo_order
from tests.adapters.eversend_replies import error, payout, success, transaction
from tests.adapters.proofs import assert_proves
from tests.adapters.rig import Rig
from tests.adapters.scripted import scripted

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PERIOD = Period(start=NOON, end=NOON + timedelta(hours=1))


def row(**changes: Any) -> dict[str, Any]:
    facts = {"type": "collection", "status": "successful", "createdAt": "2026-11-20T12:30:00.000Z"}
    return transaction(**{**facts, **changes})


def page_of(*rows: Any, **changes: Any) -> str:
    facts = {"total": len(rows), "limit": 100, "page": 1}
    return success({"transactions": list(rows), **facts, **changes})


def stamp(moment: datetime) -> Timestamp:
    written = Timestamp()
    written.FromDatetime(moment)
    return written


def asking(start: datetime, end: datetime, page_token: str = "") -> pb.ListTransactionsRequest:
    bounds: dict[str, Any] = {"from": stamp(start), "to": stamp(end)}
    return pb.ListTransactionsRequest(page_token=page_token, **bounds)


async def created(rig: Rig, reference: str) -> datetime:
    """Create a collection of UGX 25,000 and return when the gateway recorded it."""
    await rig.adapter.create(momo_order(reference))
    [charge] = (await rig.sandbox.ask(f"transactions/{reference}"))["charges"]
    return datetime.fromisoformat(charge["created_at"])


async def test_collections_are_charges_and_payouts_are_refunds(
    eversend: Rig, reference: str
) -> None:
    failed, paid = f"{reference}a", f"{reference}b"
    begin = await created(eversend, failed)
    await created(eversend, paid)
    await eversend.sandbox.tell(f"transactions/{failed}/fail", reason="Insufficient funds")
    await eversend.sandbox.tell(f"transactions/{paid}/complete")
    refund = pb.CreateRefundRequest(
        refund_reference=f"rf{reference}",
        charge_reference=paid,
        amount=WireMoney(currency_code="UGX", amount_minor=10_000),
        customer=momo_order(paid).customer,
    )
    refunded = await eversend.adapter.call("CreateRefund", refund)

    reply = await eversend.adapter.call(
        "ListTransactions", asking(begin, begin + timedelta(hours=1))
    )

    assert reply.outcome == OUTCOME_SUCCEEDED
    assert reply.next_page_token == ""
    listed = {each.charge.reference: each for each in reply.transactions}
    assert listed.keys() == {failed, paid, f"rf{reference}"}
    assert {each.kind for each in (listed[failed], listed[paid])} == {pb.TRANSACTION_KIND_CHARGE}
    assert (listed[failed].outcome, listed[paid].outcome) == (OUTCOME_FAILED, OUTCOME_SUCCEEDED)
    assert listed[failed].charge.failure.code == "insufficient_funds"
    assert listed[paid].charge.amount == momo_order(paid).amount
    assert listed[paid].charge.fee == WireMoney(currency_code="UGX", amount_minor=375)
    back = listed[f"rf{reference}"]
    assert (back.kind, back.outcome) == (pb.TRANSACTION_KIND_REFUND, OUTCOME_PENDING)
    assert back.charge.gateway_transaction_id == refunded.gateway_refund_id
    assert back.charge.amount == refund.amount
    assert back.charge.fee == WireMoney(currency_code="UGX", amount_minor=500)
    assert back.charge_transaction_id == ""
    assert listed[failed].create_time.ToDatetime(UTC) == begin


async def test_every_try_under_a_reference_is_listed(eversend: Rig, reference: str) -> None:
    await eversend.sandbox.fault("second_success", match={"reference": reference}, seconds=5)
    begin = await created(eversend, reference)
    await eversend.sandbox.tell(f"transactions/{reference}/complete")
    await eversend.sandbox.tell("clock", advance_seconds=5)

    reply = await eversend.adapter.call("ListTransactions", asking(begin, begin + timedelta(1)))

    assert [each.charge.reference for each in reply.transactions] == [reference] * 2
    assert len({each.charge.gateway_transaction_id for each in reply.transactions}) == 2


async def test_the_times_are_exact_the_end_excluded(eversend: Rig, reference: str) -> None:
    at = await created(eversend, reference)
    moment = timedelta(milliseconds=1)

    async def count(start: datetime, end: datetime) -> int:
        reply = await eversend.adapter.call("ListTransactions", asking(start, end))
        return len(reply.transactions)

    assert await count(at, at + moment) == 1
    assert await count(at - moment, at) == 0
    assert await count(at + moment, at + timedelta(days=2)) == 0
    assert await count(at - timedelta(days=400), at + timedelta(days=400)) == 1


async def test_pages_follow_each_other_to_the_last(eversend: Rig, reference: str) -> None:
    begin = await created(eversend, f"{reference}x0")
    for number in range(1, 103):
        await eversend.adapter.create(momo_order(f"{reference}x{number}"))

    seen: list[str] = []
    token, pages = "", 0
    while pages == 0 or token:
        request = asking(begin, begin + timedelta(days=1), token)
        reply = await eversend.adapter.call("ListTransactions", request)
        seen += [each.charge.reference for each in reply.transactions]
        token, pages = reply.next_page_token, pages + 1

    assert pages == 2
    assert sorted(seen) == sorted(f"{reference}x{number}" for number in range(103))


@pytest.mark.parametrize("fault", ["error_before_effect", "rate_limited", "html_error", "bad_json"])
async def test_a_list_without_an_answer_is_unknown_and_not_empty(
    eversend: Rig, reference: str, fault: str
) -> None:
    at = await created(eversend, reference)
    await eversend.sandbox.fault(fault, "lookup")
    request = asking(at, at + timedelta(days=1))
    assert_proves(await eversend.adapter.failure("ListTransactions", request), "UNKNOWN")


@pytest.mark.parametrize("token", ["0", "-1", "1.5", "next", "01", "1234567", "\u0661"])
async def test_a_page_token_that_is_none_of_ours_is_refused_unasked(token: str) -> None:
    async with scripted("eversend", {}) as (gateway, script):
        with pytest.raises(NotCreatedError):
            await gateway.list_transactions(
                Period(start=NOON, end=NOON + timedelta(1), page_token=token)
            )
    assert script.requests == []


async def test_a_day_more_on_each_side_is_asked_for() -> None:
    async with scripted("eversend", {"/transactions": page_of()}) as (gateway, script):
        await gateway.list_transactions(PERIOD)
    assert script.requests[-1].query == {
        "from": "2026-11-19",
        "to": "2026-11-21",
        "page": "1",
        "limit": "100",
    }


@pytest.mark.parametrize(
    "period",
    [
        Period(start=datetime(1, 1, 1, tzinfo=UTC), end=PERIOD.end),
        Period(start=PERIOD.start, end=datetime(9999, 12, 31, 23, 59, tzinfo=UTC)),
    ],
)
async def test_the_ends_of_time_can_be_asked_for(period: Period) -> None:
    async with scripted("eversend", {"/transactions": page_of(row())}) as (gateway, _):
        assert len((await gateway.list_transactions(period)).records) == 1


async def test_a_gateway_with_smaller_pages_is_read_to_its_own_last_page() -> None:
    replies = {"/transactions": page_of(row(), total=21, limit=10, page=2)}
    async with scripted("eversend", replies) as (gateway, script):
        page = await gateway.list_transactions(
            Period(start=PERIOD.start, end=PERIOD.end, page_token="2")
        )
    assert page.next_page_token == "3"
    assert script.requests[-1].query["page"] == "2"


async def test_an_exchange_between_wallets_concerns_no_payer() -> None:
    rows = [row(), row(type="exchange", transactionId="BE3", amount=None)]
    async with scripted("eversend", {"/transactions": page_of(*rows)}) as (gateway, _):
        page = await gateway.list_transactions(PERIOD)
    assert [record.kind for record in page.records] == [RecordKind.CHARGE]


async def test_a_payout_that_came_back_is_a_failed_refund() -> None:
    back = payout(status="failed", isRefunded=True, createdAt="2026-11-20T12:00:00.000Z")
    async with scripted("eversend", {"/transactions": page_of(back)}) as (gateway, _):
        [record] = (await gateway.list_transactions(PERIOD)).records
    assert (record.kind, record.outcome) == (RecordKind.REFUND, Outcome.FAILED)
    assert record.charge.reference == "rfscript01"
    assert record.charge.amount == Money("UGX", 10_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"type": None},
        {"type": "airdrop"},
        {"createdAt": None},
        {"createdAt": "yesterday"},
        {"createdAt": "2026-11-20T12:30:00"},
        {"transactionId": None},
        {"amount": None},
        {"amount": "25000.5"},
        {"amount": "1e9", "status": "pending"},
        {"currency": "USDT"},
        {"type": "payout", "amount": None},
        {"type": "payout", "destinationCurrency": "???"},
    ],
)
async def test_a_row_that_cannot_be_read_fails_the_whole_page(changes: dict[str, Any]) -> None:
    replies = {"/transactions": page_of(row(), row(**changes))}
    async with scripted("eversend", replies) as (gateway, _):
        with pytest.raises(OutcomeUnknownError):
            await gateway.list_transactions(PERIOD)


@pytest.mark.parametrize(
    "reply",
    [
        page_of(row(), total=None),
        page_of(row(), limit="many"),
        page_of(row(), page=2),
        page_of(row(), "a row"),
        success({"total": 0, "limit": 100, "page": 1}),
        json.dumps({"data": {"transactions": [], "total": 0, "limit": 100, "page": 1}}),
        error(403, "Forbidden"),
        (200, "<html>"),
    ],
)
async def test_a_page_that_cannot_be_counted_is_not_the_last_one(reply: Any) -> None:
    async with scripted("eversend", {"/transactions": reply}) as (gateway, _):
        with pytest.raises(OutcomeUnknownError):
            await gateway.list_transactions(PERIOD)


async def test_there_are_no_settlements(eversend: Rig) -> None:
    bounds: dict[str, Any] = {"from": stamp(NOON), "to": stamp(NOON + timedelta(1))}
    request = pb.ListSettlementsRequest(**bounds)
    failure = await eversend.adapter.failure("ListSettlements", request)
    assert (failure.code, failure.reason) == (ErrorCode.UNIMPLEMENTED, "NOT_CREATED")
    assert failure.metadata["code"] == "settlements_not_supported"
