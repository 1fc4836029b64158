"""Refunds through Eversend's adapter and sandbox: every state and every fault."""

from collections.abc import Mapping
from typing import Any

import pytest

from gateway_adapters.charges import Outcome
from gateway_adapters.errors import OutcomeUnknownError
from gateway_adapters.eversend.callbacks import EversendCallbackVerifier
from gateway_sandboxes.eversend.settings import SANDBOX_WEBHOOK_KEY
from kit.money import Money
from protos.common.v1.customer_pb2 import Customer
from protos.common.v1.money_pb2 import Money as WireMoney
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import (
    OUTCOME_FAILED,
    OUTCOME_NOT_FOUND,
    OUTCOME_PENDING,
    OUTCOME_SUCCEEDED,
)
from tests.adapters.cases import PHONE, momo_order
from tests.adapters.eversend_replies import payout, refund_query, success, transaction
from tests.adapters.proofs import assert_proves
from tests.adapters.rig import Rig
from tests.adapters.scripted import scripted

TEN_THOUSAND = WireMoney(currency_code="UGX", amount_minor=10_000)


async def paid_charge(rig: Rig, reference: str) -> str:
    """Collect UGX 25,000 and return the collection's id."""
    created = await rig.adapter.create(momo_order(reference))
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    return created.charge.gateway_transaction_id


def refund_of(reference: str, charge_id: str, phone: str = PHONE) -> pb.CreateRefundRequest:
    return pb.CreateRefundRequest(
        refund_reference=f"rf{reference}",
        charge_reference=reference,
        gateway_transaction_id=charge_id,
        amount=TEN_THOUSAND,
        customer=Customer(
            email="amina.k@example.com", name="Amina Kato", phone_number=phone, country_code="UG"
        ),
    )


async def refunded(
    rig: Rig, reference: str, phone: str = PHONE
) -> tuple[pb.CreateRefundRequest, pb.CreateRefundResponse]:
    request = refund_of(reference, await paid_charge(rig, reference), phone)
    return request, await rig.adapter.call("CreateRefund", request)


async def look_up(
    rig: Rig, request: pb.CreateRefundRequest, refund_id: str = "", amount_minor: int = 10_000
) -> pb.GetRefundResponse:
    reply: pb.GetRefundResponse = await rig.adapter.call(
        "GetRefund", query_of(request, refund_id, amount_minor)
    )
    return reply


def query_of(
    request: pb.CreateRefundRequest, refund_id: str = "", amount_minor: int = 10_000
) -> pb.GetRefundRequest:
    return pb.GetRefundRequest(
        refund_reference=request.refund_reference,
        gateway_refund_id=refund_id,
        gateway_transaction_id=request.gateway_transaction_id,
        amount=WireMoney(currency_code="UGX", amount_minor=amount_minor),
    )


async def kept(rig: Rig) -> int:
    """Return what is left of all collections after all payouts (major units)."""
    listed = (await rig.sandbox.ask("transactions"))["transactions"]
    charges = [charge for summary in listed for charge in summary["charges"]]
    signs = {"collection": 1, "payout": -1}
    return sum(signs[c["kind"]] * c["amount"] for c in charges if c["status"] == "successful")


async def test_a_refund_is_accepted_pending_and_found_delivered_both_ways(
    eversend: Rig, reference: str
) -> None:
    request, created = await refunded(eversend, reference)
    assert created.outcome == OUTCOME_PENDING
    assert created.gateway_refund_id.startswith("BP3")
    assert created.fee == WireMoney(currency_code="UGX", amount_minor=500)
    assert (await look_up(eversend, request)).outcome == OUTCOME_PENDING

    await eversend.sandbox.tell("clock", advance_seconds=2)
    by_reference = await look_up(eversend, request)
    assert by_reference == await look_up(eversend, request, created.gateway_refund_id)
    assert by_reference.outcome == OUTCOME_SUCCEEDED
    assert by_reference.gateway_refund_id == created.gateway_refund_id
    assert by_reference.amount == TEN_THOUSAND
    assert by_reference.fee == WireMoney(currency_code="UGX", amount_minor=500)
    assert by_reference.gateway_status == "successful"
    assert await kept(eversend) == 15_000


@pytest.mark.parametrize("shape", ["list", "object"])
async def test_a_refund_that_was_accepted_can_fail(
    eversend: Rig, reference: str, shape: str
) -> None:
    await eversend.sandbox.tell("config", lookup_shape=shape)
    await eversend.sandbox.fault("refund_fails", match={"reference": f"rf{reference}"})
    request, created = await refunded(eversend, reference)
    assert created.outcome == OUTCOME_PENDING

    await eversend.sandbox.tell("clock", advance_seconds=2)
    for refund_id in ("", created.gateway_refund_id):
        found = await look_up(eversend, request, refund_id)
        assert found.outcome == OUTCOME_FAILED
        assert found.failure.code == "recipient_not_found"
        assert found.failure.detail == "Recipient wallet not found"
    assert await kept(eversend) == 25_000


async def test_several_partial_refunds_of_one_charge_are_told_apart(
    eversend: Rig, reference: str
) -> None:
    first, one = await refunded(eversend, reference)
    second = pb.CreateRefundRequest()
    second.CopyFrom(first)
    second.refund_reference = f"rg{reference}"
    two = await eversend.adapter.call("CreateRefund", second)
    await eversend.sandbox.tell(f"transactions/{first.refund_reference}/fail")
    await eversend.sandbox.tell("clock", advance_seconds=2)
    assert (await look_up(eversend, first)).outcome == OUTCOME_FAILED
    assert (await look_up(eversend, second)).outcome == OUTCOME_SUCCEEDED
    mixed_up = await eversend.adapter.failure("GetRefund", query_of(first, two.gateway_refund_id))
    assert_proves(mixed_up, "UNKNOWN")
    assert one.gateway_refund_id != two.gateway_refund_id


async def test_a_refund_that_nobody_created_is_not_found(eversend: Rig, reference: str) -> None:
    request = refund_of(reference, "BE30000000000000")
    for refund_id in ("", "BP30000000000000"):
        assert (await look_up(eversend, request, refund_id)).outcome == OUTCOME_NOT_FOUND


@pytest.mark.parametrize("by_id", [True, False])
async def test_a_refund_of_another_amount_proves_nothing(
    eversend: Rig, reference: str, *, by_id: bool
) -> None:
    request, created = await refunded(eversend, reference)
    refund_id = created.gateway_refund_id if by_id else ""
    failure = await eversend.adapter.failure("GetRefund", query_of(request, refund_id, 9_999))
    assert_proves(failure, "UNKNOWN", alert=True)
    assert failure.metadata["code"] == "amount_mismatch"


async def test_a_collection_is_never_taken_for_a_refund(eversend: Rig, reference: str) -> None:
    charge_id = await paid_charge(eversend, reference)
    query = query_of(refund_of(reference, charge_id), charge_id)
    query.refund_reference = reference
    assert_proves(await eversend.adapter.failure("GetRefund", query), "UNKNOWN")


async def test_a_payout_is_never_taken_for_a_charge(eversend: Rig, reference: str) -> None:
    request, created = await refunded(eversend, reference)
    await eversend.sandbox.tell("clock", advance_seconds=2)
    for charge_reference in ("", request.refund_reference):
        query = pb.GetChargeRequest(
            reference=charge_reference, gateway_transaction_id=created.gateway_refund_id
        )
        assert_proves(await eversend.adapter.failure("GetCharge", query), "UNKNOWN")
    by_reference = await eversend.adapter.look_up(request.refund_reference)
    assert by_reference.outcome == OUTCOME_NOT_FOUND


async def test_a_gateway_that_cannot_be_reached_was_sent_no_refund(
    eversend: Rig, reference: str
) -> None:
    request = refund_of(reference, await paid_charge(eversend, reference))
    await eversend.sandbox.fault("unreachable")
    assert_proves(await eversend.adapter.failure("CreateRefund", request), "NOT_SENT")
    assert await eversend.sandbox.created(request.refund_reference) == 0


@pytest.mark.parametrize("fault", ["error_before_effect", "rate_limited", "html_error"])
async def test_a_quotation_without_an_answer_proves_that_no_money_moved(
    eversend: Rig, reference: str, fault: str
) -> None:
    request = refund_of(reference, await paid_charge(eversend, reference))
    await eversend.sandbox.fault(fault, "refund", times=1)
    assert_proves(await eversend.adapter.failure("CreateRefund", request), "NOT_SENT")
    assert await eversend.sandbox.created(request.refund_reference) == 0
    # The proof is worth something: the same refund can be ordered again.
    assert (await eversend.adapter.call("CreateRefund", request)).outcome == OUTCOME_PENDING


@pytest.mark.parametrize(
    ("fault", "created"),
    [
        ("error_before_effect", 0),
        ("rate_limited", 0),
        ("html_error", 0),
        ("error_after_effect", 1),
        ("lost_reply", 1),
        ("bad_json", 1),
    ],
)
async def test_a_payout_without_an_answer_is_unknown_never_sent_again_and_can_be_looked_up(
    eversend: Rig, reference: str, fault: str, created: int
) -> None:
    request = refund_of(reference, await paid_charge(eversend, reference))
    await eversend.sandbox.fault(fault, "refund", match={"reference": request.refund_reference})
    assert_proves(await eversend.adapter.failure("CreateRefund", request), "UNKNOWN")
    assert await eversend.sandbox.created(request.refund_reference) == created
    [rule] = (await eversend.sandbox.ask("faults"))["faults"]
    assert rule["fired"] == 1

    await eversend.sandbox.tell("clock", advance_seconds=2)
    found = await look_up(eversend, request)
    assert found.outcome == (OUTCOME_SUCCEEDED if created else OUTCOME_NOT_FOUND)


async def test_a_quotation_slower_than_the_callers_deadline_proves_that_no_money_moved(
    eversend: Rig, reference: str
) -> None:
    request = refund_of(reference, await paid_charge(eversend, reference))
    await eversend.sandbox.fault("delay", "refund", seconds=30, match={"amount": 10_000}, times=1)
    failure = await eversend.adapter.failure("CreateRefund", request, seconds=0.8)
    assert_proves(failure, "NOT_SENT")


async def test_a_payout_slower_than_the_callers_deadline_is_unknown(
    eversend: Rig, reference: str
) -> None:
    request = refund_of(reference, await paid_charge(eversend, reference))
    match = {"reference": request.refund_reference}
    await eversend.sandbox.fault("delay", "refund", seconds=30, match=match)
    failure = await eversend.adapter.failure("CreateRefund", request, seconds=0.8)
    assert_proves(failure, "UNKNOWN")


async def test_a_wallet_that_is_too_poor_refunds_nothing_and_alerts_the_operator(
    eversend: Rig, reference: str
) -> None:
    request = refund_of(reference, await paid_charge(eversend, reference))
    request.amount.amount_minor = 1_270_000
    failure = await eversend.adapter.failure("CreateRefund", request)
    assert_proves(failure, "NOT_CREATED", alert=True)
    assert failure.metadata["code"] == "wallet_balance_too_low"
    assert await eversend.sandbox.created(request.refund_reference) == 0


async def test_a_reference_that_exists_at_the_gateway_is_not_a_refusal(
    eversend: Rig, reference: str
) -> None:
    request, _ = await refunded(eversend, reference)
    failure = await eversend.adapter.failure("CreateRefund", request)
    assert_proves(failure, "UNKNOWN")
    assert failure.metadata["code"] == "duplicate_reference"
    assert await eversend.sandbox.created(request.refund_reference) == 1


async def test_a_slow_gateway_is_reported_as_it_is_at_each_moment(
    eversend: Rig, reference: str
) -> None:
    request, _ = await refunded(eversend, reference)
    await eversend.sandbox.tell("clock", advance_seconds=2)
    match = {"reference": request.refund_reference}
    await eversend.sandbox.fault("slow_lookup", "lookup", match=match, times=2)
    seen = [(await look_up(eversend, request)).outcome for _ in range(3)]
    assert seen == [OUTCOME_NOT_FOUND, OUTCOME_PENDING, OUTCOME_SUCCEEDED]


@pytest.mark.parametrize(
    "fault", ["error_before_effect", "rate_limited", "html_error", "bad_json", "lost_reply"]
)
async def test_a_look_up_without_an_answer_is_unknown_and_not_not_found(
    eversend: Rig, reference: str, fault: str
) -> None:
    request, created = await refunded(eversend, reference)
    await eversend.sandbox.fault(fault, "lookup")
    for refund_id in ("", created.gateway_refund_id):
        failure = await eversend.adapter.failure("GetRefund", query_of(request, refund_id))
        assert_proves(failure, "UNKNOWN")


@pytest.mark.parametrize(
    ("shape", "event_type"), [("flat", "transaction.payout"), ("nested", "payout.success")]
)
async def test_a_callback_about_a_refund_carries_our_reference_of_it(
    eversend: Rig, reference: str, shape: str, event_type: str
) -> None:
    await eversend.sandbox.tell("config", webhook_shape=shape)
    request, created = await refunded(eversend, reference)
    await eversend.sandbox.tell(f"transactions/{request.refund_reference}/complete")
    sent = (await eversend.sandbox.ask("webhooks"))["webhooks"][-1]
    body = sent["body"].encode()
    headers = [(name.encode(), value.encode()) for name, value in sent["headers"].items()]
    verifier = EversendCallbackVerifier((SANDBOX_WEBHOOK_KEY,))
    verifier.verify(body, headers)
    callback = verifier.parse(body, headers)
    assert callback.event_type == event_type
    assert callback.reference == request.refund_reference
    assert callback.gateway_transaction_id == created.gateway_refund_id
    assert callback.status_hint == "successful"


@pytest.mark.parametrize("strategy", ["disabled", "manual"])
async def test_without_payouts_refunds_are_described_as_absent_and_still_looked_up(
    eversend: Rig, reference: str, strategy: str
) -> None:
    request, _ = await refunded(eversend, reference)
    async with eversend.another({"eversend_refund_strategy": strategy}) as adapter:
        described = await adapter.call("DescribeGateway", pb.DescribeGatewayRequest())
        refused = await adapter.failure("CreateRefund", request)
        found = await adapter.call("GetRefund", query_of(request))
    assert not described.can_refund
    assert_proves(refused, "NOT_CREATED", alert=True)
    assert refused.metadata["code"] == "refund_not_supported"
    assert found.outcome == OUTCOME_PENDING


@pytest.mark.parametrize(
    ("changes", "outcome", "code"),
    [
        ({"status": "pending"}, Outcome.PENDING, ""),
        ({"status": "PENDING"}, Outcome.PENDING, ""),
        ({"status": "on its way"}, Outcome.PENDING, ""),
        ({"status": "successful"}, Outcome.SUCCEEDED, ""),
        ({"status": "failed", "isRefunded": True}, Outcome.FAILED, "payout_failed"),
        ({"status": "successful", "isRefunded": True}, Outcome.FAILED, "payout_failed"),
        ({"status": "pending", "isRefunded": True}, Outcome.FAILED, "payout_failed"),
        ({"status": "reversed"}, Outcome.FAILED, "payout_failed"),
        ({"status": "failed", "reason": "Recipient limit exceeded"}, Outcome.FAILED,
         "recipient_not_found"),
        ({"status": "failed", "reason": "Daily limit exceeded"}, Outcome.FAILED,
         "recipient_limit_reached"),
    ],
)  # fmt: skip
async def test_each_state_of_a_payout_means_exactly_this(
    changes: Mapping[str, Any], outcome: Outcome, code: str
) -> None:
    reply = success({"transactions": [payout(**changes)]})
    async with scripted("eversend", {"/transactions/BP1": reply}) as (gateway, _):
        report = await gateway.get_refund(refund_query("BP1"))
    assert report.outcome is outcome
    assert (report.failure.code if report.failure else "") == code
    assert report.amount == Money("UGX", 10_000)


@pytest.mark.parametrize(
    "node",
    [
        payout(transactionRef="rfanother1"),
        payout(type="collection"),
        payout(destinationAmount="9999"),
        payout(destinationAmount=None, amount=9999),
        payout(status="failed", destinationAmount="9999"),
        payout(status="successful", destinationAmount="1e4"),
        payout(destinationCurrency="KES"),
        transaction(),
    ],
)
async def test_an_unclear_payout_proves_nothing(node: dict[str, Any]) -> None:
    replies = {"/transactions/BP1": success({"transactions": [node]})}
    async with scripted("eversend", replies) as (gateway, _):
        with pytest.raises(OutcomeUnknownError):
            await gateway.get_refund(refund_query("BP1"))


async def test_a_payout_that_its_id_does_not_find_is_sought_by_our_reference() -> None:
    rows = [payout(transactionRef="rfscript012"), payout(status="successful")]
    replies = {
        "/transactions/BP1": (404, '{"code":404,"success":false,"message":"not found"}'),
        "/transactions": success({"transactions": rows, "total": 2, "limit": 100, "page": 1}),
    }
    async with scripted("eversend", replies) as (gateway, script):
        report = await gateway.get_refund(refund_query("BP1"))
    assert report.outcome is Outcome.SUCCEEDED
    assert script.requests[-1].query == {"search": "rfscript01", "type": "payout", "limit": "100"}


async def test_the_refund_can_be_looked_up_by_its_reference_in_the_path() -> None:
    replies = {"/transactions/rfscript01": success(payout(status="successful"))}
    changes = {"eversend_lookup_by_ref": "path"}
    async with scripted("eversend", replies, **changes) as (gateway, _):
        assert (await gateway.get_refund(refund_query())).outcome is Outcome.SUCCEEDED
