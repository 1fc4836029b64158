"""What every gateway's adapter must do, whichever gateway it is. The proof of a new adapter."""

import pytest

from kit.errors import ErrorCode
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import (
    OUTCOME_FAILED,
    OUTCOME_NOT_FOUND,
    OUTCOME_PENDING,
    OUTCOME_REQUIRES_ACTION,
    OUTCOME_SUCCEEDED,
)
from tests.adapters.proofs import assert_proves
from tests.adapters.rig import Rig


async def test_a_charge_is_created_paid_and_found_with_its_exact_amount(
    rig: Rig, reference: str
) -> None:
    order = rig.case.order(reference)
    created = await rig.adapter.create(order)
    assert created.outcome == OUTCOME_REQUIRES_ACTION
    assert created.charge.reference == reference
    assert created.charge.amount == order.amount
    assert created.charge.next_action.WhichOneof("action") in (
        "redirect_url",
        "prompt_phone_number",
    )
    assert created.charge.HasField("expire_time")

    await rig.sandbox.tell(f"transactions/{reference}/complete")
    found = await rig.adapter.look_up(reference)
    assert found.outcome == OUTCOME_SUCCEEDED
    assert found.charge.reference == reference
    assert found.charge.amount == order.amount
    assert found.charge.fee.currency_code == order.amount.currency_code
    assert found.charge.gateway_status == "successful"
    assert not found.charge.HasField("failure")


async def test_a_paid_charge_is_found_by_the_gateways_own_id(rig: Rig, reference: str) -> None:
    await rig.adapter.create(rig.case.order(reference))
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    by_reference = await rig.adapter.look_up(reference)
    by_id = await rig.adapter.look_up("", by_reference.charge.gateway_transaction_id)
    assert by_id == by_reference


async def test_an_id_of_another_charge_is_never_taken_for_ours(rig: Rig, reference: str) -> None:
    other = f"{reference}x"
    for each in (reference, other):
        await rig.adapter.create(rig.case.order(each))
        await rig.sandbox.tell(f"transactions/{each}/complete")
    theirs = (await rig.adapter.look_up(other)).charge.gateway_transaction_id
    request = pb.GetChargeRequest(reference=reference, gateway_transaction_id=theirs)
    error = await rig.adapter.failure("GetCharge", request)
    assert_proves(error, "UNKNOWN")
    assert error.metadata["code"] == "reference_mismatch"


async def test_a_declined_charge_fails_with_a_stable_code(rig: Rig, reference: str) -> None:
    await rig.adapter.create(rig.case.order(reference))
    await rig.sandbox.tell(f"transactions/{reference}/fail", reason="Insufficient funds")
    found = await rig.adapter.look_up(reference)
    assert found.outcome == OUTCOME_FAILED
    assert found.charge.failure.code == "insufficient_funds"
    assert found.charge.failure.detail == "Insufficient funds"


async def test_a_charge_that_nobody_created_is_not_found(rig: Rig, reference: str) -> None:
    for found in (
        await rig.adapter.look_up(reference),
        await rig.adapter.look_up("", "404404"),
        await rig.adapter.look_up(reference, "404404"),
    ):
        assert found.outcome == OUTCOME_NOT_FOUND
        assert not found.HasField("charge")


async def test_a_slow_gateway_is_reported_as_it_is_at_each_moment(rig: Rig, reference: str) -> None:
    await rig.adapter.create(rig.case.order(reference))
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    await rig.sandbox.fault("slow_lookup", "lookup", match={"reference": reference}, times=8)
    seen: list[int] = []
    while OUTCOME_SUCCEEDED not in seen:
        assert len(seen) < 20
        seen.append((await rig.adapter.look_up(reference)).outcome)
    stages: list[int] = [OUTCOME_NOT_FOUND, OUTCOME_PENDING, OUTCOME_SUCCEEDED]
    assert seen == sorted(seen, key=stages.index)
    assert seen[0] == OUTCOME_NOT_FOUND


@pytest.mark.parametrize("lie", ["underpaid", "overpaid", "wrong_currency"])
async def test_a_wrong_amount_or_currency_is_reported_as_the_gateway_has_it(
    rig: Rig, reference: str, lie: str
) -> None:
    order = rig.case.order(reference)
    await rig.sandbox.fault(lie, match={"reference": reference})
    await rig.adapter.create(order)
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    [truth] = [
        charge
        for charge in (await rig.sandbox.ask(f"transactions/{reference}"))["charges"]
        if charge["status"] == "successful"
    ]
    found = await rig.adapter.look_up(reference)
    assert found.outcome == OUTCOME_SUCCEEDED
    assert found.charge.amount != order.amount
    assert found.charge.amount.currency_code == truth["currency"]


async def test_a_gateway_that_cannot_be_reached_proves_that_nothing_was_sent(
    rig: Rig, reference: str
) -> None:
    await rig.sandbox.fault("unreachable")
    error = await rig.adapter.failure("CreateCharge", rig.case.order(reference))
    assert_proves(error, "NOT_SENT")
    assert error.code is ErrorCode.UNAVAILABLE
    assert await rig.sandbox.created(reference) == 0


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
async def test_an_answer_that_proves_nothing_is_unknown_and_never_sent_again(
    rig: Rig, reference: str, fault: str, created: int
) -> None:
    await rig.sandbox.fault(fault, "create")
    error = await rig.adapter.failure("CreateCharge", rig.case.order(reference))
    assert_proves(error, "UNKNOWN")
    assert error.code is ErrorCode.UNKNOWN
    assert await rig.sandbox.created(reference) == created
    [rule] = (await rig.sandbox.ask("faults"))["faults"]
    assert rule["fired"] == 1


@pytest.mark.parametrize("fault", ["lost_reply", "error_after_effect", "bad_json"])
async def test_a_charge_whose_reply_was_lost_is_found_by_its_reference(
    rig: Rig, reference: str, fault: str
) -> None:
    order = rig.case.order(reference)
    await rig.sandbox.fault(fault, "create")
    await rig.adapter.failure("CreateCharge", order)
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    found = await rig.adapter.look_up(reference)
    assert found.outcome == OUTCOME_SUCCEEDED
    assert found.charge.amount == order.amount


async def test_a_gateway_slower_than_the_callers_deadline_is_unknown_before_it_passes(
    rig: Rig, reference: str
) -> None:
    await rig.sandbox.fault("delay", "create", seconds=30)
    order = rig.case.order(reference)
    error = await rig.adapter.failure("CreateCharge", order, seconds=0.8)
    assert_proves(error, "UNKNOWN")


async def test_a_charge_that_the_gateway_refuses_was_not_created(rig: Rig, reference: str) -> None:
    error = await rig.adapter.failure("CreateCharge", rig.case.refused(reference))
    assert_proves(error, "NOT_CREATED")
    assert error.code is ErrorCode.FAILED_PRECONDITION
    assert await rig.sandbox.created(reference) == 0


async def test_wrong_credentials_create_nothing_and_alert_the_operator(
    rig: Rig, reference: str
) -> None:
    async with rig.another(rig.case.wrong_credentials) as adapter:
        error = await adapter.failure("CreateCharge", rig.case.order(reference))
    assert_proves(error, "NOT_CREATED", alert=True)
    assert await rig.sandbox.created(reference) == 0


@pytest.mark.parametrize(
    "fault", ["error_before_effect", "rate_limited", "html_error", "bad_json", "lost_reply"]
)
async def test_a_look_up_without_an_answer_is_unknown_and_not_not_found(
    rig: Rig, reference: str, fault: str
) -> None:
    await rig.adapter.create(rig.case.order(reference))
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    await rig.sandbox.fault(fault, "lookup")
    request = pb.GetChargeRequest(reference=reference)
    assert_proves(await rig.adapter.failure("GetCharge", request), "UNKNOWN")


async def test_a_look_up_survives_one_passing_failure(rig: Rig, reference: str) -> None:
    await rig.adapter.create(rig.case.order(reference))
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    await rig.sandbox.fault("error_before_effect", "lookup", times=1)
    assert (await rig.adapter.look_up(reference)).outcome == OUTCOME_SUCCEEDED


async def test_a_look_up_with_wrong_credentials_proves_nothing_and_alerts_the_operator(
    rig: Rig, reference: str
) -> None:
    async with rig.another(rig.case.wrong_credentials) as adapter:
        error = await adapter.failure("GetCharge", pb.GetChargeRequest(reference=reference))
    assert_proves(error, "UNKNOWN", alert=True)
