"""What every adapter must do with refunds. Part of the shared suite."""

from collections.abc import Callable

import pytest

from kit.errors import ErrorCode
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import (
    OUTCOME_FAILED,
    OUTCOME_NOT_FOUND,
    OUTCOME_PENDING,
    OUTCOME_SUCCEEDED,
)
from tests.adapters.paid import let_time_pass, paid_charge, part_of
from tests.adapters.proofs import assert_proves
from tests.adapters.rig import Rig

_NOT_DONE = ("UNKNOWN", "NOT_CREATED", "NOT_SENT")


async def test_a_refund_is_accepted_first_and_arrives_later_with_its_exact_amount(
    rig: Rig, reference: str
) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    made = await rig.adapter.refund(order)
    assert made.outcome == OUTCOME_PENDING
    assert made.gateway_refund_id
    assert made.gateway_status
    accepted = await rig.adapter.look_up_refund(order, made.gateway_refund_id)
    assert accepted.outcome == OUTCOME_PENDING
    await let_time_pass(rig)
    arrived = await rig.adapter.look_up_refund(order, made.gateway_refund_id)
    assert arrived.outcome == OUTCOME_SUCCEEDED
    assert arrived.amount == order.amount
    assert arrived.gateway_refund_id == made.gateway_refund_id
    assert not arrived.HasField("failure")


async def test_a_refund_is_found_by_our_reference_alone(rig: Rig, reference: str) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    made = await rig.adapter.refund(order)
    found = await rig.adapter.look_up_refund(order)
    assert found.gateway_refund_id == made.gateway_refund_id
    assert found.amount == order.amount


async def test_two_refunds_of_one_charge_are_told_apart(rig: Rig, reference: str) -> None:
    charge = await paid_charge(rig, reference)
    orders = [part_of(rig, charge, f"{reference}r{number}") for number in (1, 2)]
    made = [(await rig.adapter.refund(order)).gateway_refund_id for order in orders]
    found = [(await rig.adapter.look_up_refund(order)).gateway_refund_id for order in orders]
    assert found == made
    assert len(set(found)) == 2


async def test_a_refund_that_nobody_asked_for_is_not_found(rig: Rig, reference: str) -> None:
    charge = await paid_charge(rig, reference)
    await rig.adapter.refund(part_of(rig, charge))
    other = part_of(rig, charge, f"{reference}r9")
    for refund_id in ("", "404404"):
        found = await rig.adapter.look_up_refund(other, refund_id)
        assert found.outcome == OUTCOME_NOT_FOUND


async def test_a_refund_can_be_accepted_and_then_fail(rig: Rig, reference: str) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    await rig.sandbox.fault("refund_fails", match={"reference": order.refund_reference})
    made = await rig.adapter.refund(order)
    assert made.outcome == OUTCOME_PENDING
    await let_time_pass(rig)
    found = await rig.adapter.look_up_refund(order, made.gateway_refund_id)
    assert found.outcome == OUTCOME_FAILED
    assert found.failure.code


async def test_a_refund_at_a_gateway_that_cannot_be_reached_was_not_sent(
    rig: Rig, reference: str
) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    await rig.sandbox.fault("unreachable")
    assert_proves(await rig.adapter.failure("CreateRefund", order), "NOT_SENT")
    await rig.sandbox.control.delete("/_sandbox/faults")
    assert (await rig.adapter.look_up_refund(order)).outcome == OUTCOME_NOT_FOUND


@pytest.mark.parametrize("fault", ["error_before_effect", "rate_limited", "html_error"])
async def test_a_refund_that_failed_before_its_effect_is_never_sent_again(
    rig: Rig, reference: str, fault: str
) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    await rig.sandbox.fault(fault, "refund")
    # A gateway that is asked for a quotation first has proof that no money moved.
    assert (await rig.adapter.failure("CreateRefund", order)).reason in _NOT_DONE
    [rule] = (await rig.sandbox.ask("faults"))["faults"]
    assert rule["fired"] == 1
    assert (await rig.adapter.look_up_refund(order)).outcome == OUTCOME_NOT_FOUND


@pytest.mark.parametrize("fault", ["error_after_effect", "lost_reply", "bad_json"])
async def test_a_refund_whose_reply_was_lost_is_unknown_sent_once_and_found_by_our_reference(
    rig: Rig, reference: str, fault: str
) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    await rig.sandbox.fault(fault, "refund")
    assert_proves(await rig.adapter.failure("CreateRefund", order), "UNKNOWN")
    [rule] = (await rig.sandbox.ask("faults"))["faults"]
    assert rule["fired"] == 1
    found = await rig.adapter.look_up_refund(order)
    assert found.outcome in (OUTCOME_PENDING, OUTCOME_SUCCEEDED)
    assert found.amount == order.amount


@pytest.mark.parametrize(
    "fault", ["error_before_effect", "rate_limited", "html_error", "bad_json", "lost_reply"]
)
async def test_a_look_up_of_a_refund_without_an_answer_is_unknown_and_not_not_found(
    rig: Rig, reference: str, fault: str
) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    made = await rig.adapter.refund(order)
    await rig.sandbox.fault(fault, "lookup")
    for refund_id in ("", made.gateway_refund_id):
        request = pb.GetRefundRequest(
            refund_reference=order.refund_reference,
            gateway_refund_id=refund_id,
            gateway_transaction_id=order.gateway_transaction_id,
            amount=order.amount,
        )
        assert_proves(await rig.adapter.failure("GetRefund", request), "UNKNOWN")


async def test_a_refund_with_another_amount_than_ours_proves_nothing(
    rig: Rig, reference: str
) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    made = await rig.adapter.refund(order)
    request = pb.GetRefundRequest(
        refund_reference=order.refund_reference,
        gateway_refund_id=made.gateway_refund_id,
        gateway_transaction_id=order.gateway_transaction_id,
        amount=order.amount,
    )
    request.amount.amount_minor += 100
    error = await rig.adapter.failure("GetRefund", request)
    assert_proves(error, "UNKNOWN", alert=True)
    assert error.metadata["code"] == "amount_mismatch"


def _no_reference(request: pb.CreateRefundRequest) -> None:
    request.refund_reference = ""


def _odd_charge(request: pb.CreateRefundRequest) -> None:
    request.charge_reference = "cp-with-dashes"


def _odd_transaction(request: pb.CreateRefundRequest) -> None:
    request.gateway_transaction_id = "8830142 or another"


def _nothing(request: pb.CreateRefundRequest) -> None:
    request.amount.amount_minor = 0


def _odd_email(request: pb.CreateRefundRequest) -> None:
    request.customer.email = "amina"


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_no_reference, "refund_reference"),
        (_odd_charge, "charge_reference"),
        (_odd_transaction, "gateway_transaction_id"),
        (_nothing, "amount"),
        (_odd_email, "customer.email"),
    ],
)
async def test_a_malformed_refund_names_its_field_and_sends_nothing(
    rig: Rig, reference: str, spoil: Callable[[pb.CreateRefundRequest], None], field: str
) -> None:
    charge = await paid_charge(rig, reference)
    order = part_of(rig, charge)
    spoil(order)
    error = await rig.adapter.failure("CreateRefund", order)
    assert_proves(error, "NOT_CREATED")
    assert error.code is ErrorCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
    unspoiled = part_of(rig, charge)
    assert (await rig.adapter.look_up_refund(unspoiled)).outcome == OUTCOME_NOT_FOUND


async def test_a_look_up_of_a_refund_needs_our_reference(rig: Rig) -> None:
    error = await rig.adapter.failure("GetRefund", pb.GetRefundRequest(gateway_refund_id="1"))
    assert error.code is ErrorCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == ["refund_reference"]


async def test_a_refund_with_wrong_credentials_creates_nothing_and_alerts_the_operator(
    rig: Rig, reference: str
) -> None:
    order = part_of(rig, await paid_charge(rig, reference))
    async with rig.another(rig.case.wrong_credentials) as adapter:
        assert_proves(await adapter.failure("CreateRefund", order), "NOT_CREATED", alert=True)
    assert (await rig.adapter.look_up_refund(order)).outcome == OUTCOME_NOT_FOUND
