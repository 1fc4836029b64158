"""What every adapter must do with a gateway's own record. Part of the shared suite."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kit.errors import ErrorCode
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import OUTCOME_FAILED, OUTCOME_PENDING, OUTCOME_SUCCEEDED
from tests.adapters.paid import let_time_pass, paid_charge, part_of
from tests.adapters.proofs import assert_proves
from tests.adapters.rig import Rig

HOUR = timedelta(hours=1)


async def _now(rig: Rig) -> datetime:
    """Return the gateway's time."""
    return datetime.fromisoformat((await rig.sandbox.ask("clock"))["time"])


def _stamp(at: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _between(start: datetime, end: datetime, token: str = "") -> pb.ListTransactionsRequest:
    return pb.ListTransactionsRequest(**{"from": _stamp(start)}, to=_stamp(end), page_token=token)


async def _record(rig: Rig, start: datetime, end: datetime) -> list[pb.Transaction]:
    """Walk all pages of the record."""
    found: list[pb.Transaction] = []
    token, pages = "", 0
    while pages == 0 or token:
        page = await rig.adapter.call("ListTransactions", _between(start, end, token))
        assert page.outcome == OUTCOME_SUCCEEDED
        found += page.transactions
        token, pages = page.next_page_token, pages + 1
        assert pages < 50, "the pages have no end"
    return found


async def test_the_record_has_every_charge_with_its_outcome_amount_and_time(
    rig: Rig, reference: str
) -> None:
    before = await _now(rig)
    paid = await paid_charge(rig, reference)
    await rig.adapter.create(rig.case.order(f"{reference}x"))
    await rig.sandbox.tell(f"transactions/{reference}x/fail")
    after = await _now(rig)
    found = {
        each.charge.reference: each for each in await _record(rig, before - HOUR, after + HOUR)
    }
    assert set(found) == {reference, f"{reference}x"}
    assert found[reference].outcome == OUTCOME_SUCCEEDED
    assert found[reference].charge.amount == paid.amount
    assert found[reference].charge.fee == paid.fee
    assert found[reference].charge.gateway_transaction_id == paid.gateway_transaction_id
    assert found[f"{reference}x"].outcome == OUTCOME_FAILED
    for each in found.values():
        assert each.kind == pb.TRANSACTION_KIND_CHARGE
        assert not each.charge_transaction_id
        assert before - timedelta(seconds=1) <= each.create_time.ToDatetime(before.tzinfo) <= after


async def test_the_record_has_refunds_under_our_reference_of_them(rig: Rig, reference: str) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    made = await rig.adapter.refund(order)
    at = await _now(rig)

    async def refund() -> pb.Transaction:
        kind = pb.TRANSACTION_KIND_REFUND
        [found] = [each for each in await _record(rig, at - HOUR, at + HOUR) if each.kind == kind]
        return found

    accepted = await refund()
    assert accepted.outcome == OUTCOME_PENDING
    assert accepted.charge.reference == order.refund_reference
    assert accepted.charge.gateway_transaction_id == made.gateway_refund_id
    assert accepted.charge.amount == order.amount
    assert accepted.charge_transaction_id in ("", order.gateway_transaction_id)
    await let_time_pass(rig)
    assert (await refund()).outcome == OUTCOME_SUCCEEDED


async def test_the_record_is_complete_over_many_pages(rig: Rig, reference: str) -> None:
    references = [f"{reference}n{number}" for number in range(23)]
    for each in references:
        await rig.adapter.create(rig.case.order(each))
        await rig.sandbox.tell(f"transactions/{each}/complete")
    at = await _now(rig)
    found = [each.charge.reference for each in await _record(rig, at - HOUR, at + HOUR)]
    assert sorted(found) == sorted(references)


async def test_the_record_begins_and_ends_exactly_when_asked(rig: Rig, reference: str) -> None:
    await paid_charge(rig, reference)
    at = await _now(rig)
    [found] = await _record(rig, at - HOUR, at + HOUR)
    recorded = found.create_time.ToDatetime(at.tzinfo)
    moment = timedelta(milliseconds=1)
    assert len(await _record(rig, recorded, recorded + moment)) == 1
    assert await _record(rig, recorded - HOUR, recorded) == []
    assert await _record(rig, recorded + moment, recorded + HOUR) == []


@pytest.mark.parametrize(
    "fault", ["error_before_effect", "rate_limited", "html_error", "bad_json", "lost_reply"]
)
async def test_a_record_that_cannot_be_read_is_unknown_and_never_empty(
    rig: Rig, reference: str, fault: str
) -> None:
    await paid_charge(rig, reference)
    at = await _now(rig)
    await rig.sandbox.fault(fault, "lookup")
    error = await rig.adapter.failure("ListTransactions", _between(at - HOUR, at + HOUR))
    assert_proves(error, "UNKNOWN")


@pytest.mark.parametrize("method", ["ListTransactions", "ListSettlements"])
async def test_a_period_must_begin_before_it_ends(rig: Rig, method: str) -> None:
    at = await _now(rig)
    message: type[Any] = getattr(pb, f"{method}Request")
    for facts, fields in (
        ({}, ["from", "to"]),
        ({"from": _stamp(at)}, ["to"]),
        ({"from": _stamp(at), "to": _stamp(at)}, ["to"]),
        ({"from": Timestamp(seconds=10**15), "to": _stamp(at)}, ["from"]),
    ):
        error = await rig.adapter.failure(method, message(**facts))
        assert error.code is ErrorCode.INVALID_ARGUMENT
        assert [violation.field for violation in error.violations] == fields


async def test_a_page_token_that_is_none_of_ours_is_refused(rig: Rig) -> None:
    at = await _now(rig)
    for token in ("nonsense", "transactions:0", "-1"):
        error = await rig.adapter.failure("ListTransactions", _between(at - HOUR, at, token))
        assert_proves(error, "NOT_CREATED")


async def test_settlements_are_listed_or_said_to_be_none_of_the_gateways_abilities(
    rig: Rig,
) -> None:
    at = await _now(rig)
    request = pb.ListSettlementsRequest(**{"from": _stamp(at - HOUR)}, to=_stamp(at), page_token="")
    described = await rig.adapter.call("DescribeGateway", pb.DescribeGatewayRequest())
    if described.can_list_settlements:
        page = await rig.adapter.call("ListSettlements", request)
        assert (page.outcome, list(page.settlements)) == (OUTCOME_SUCCEEDED, [])
        return
    error = await rig.adapter.failure("ListSettlements", request)
    assert error.code is ErrorCode.UNIMPLEMENTED
    assert_proves(error, "NOT_CREATED")
