"""Eversend: payouts under faults and selecting numbers, and their webhooks."""

import json

import httpx
import pytest

from tests.sandboxes.eversend_payouts import (
    NO_RECIPIENT,
    OPENING,
    PHONE,
    balance,
    paid_out,
    pay_out,
    quoted,
    state_of,
    token_of,
)
from tests.sandboxes.receiver import Receiver
from tests.sandboxes.rigs import EversendRig


@pytest.mark.parametrize(
    ("digits", "seconds", "outcome"),
    [
        ("0001", 2, ("successful", None)),
        ("0002", 2, ("failed", NO_RECIPIENT)),
        ("0003", 2, ("failed", NO_RECIPIENT)),
        ("0004", 86_400, ("pending", None)),
        ("0005", 59, ("pending", None)),
        ("0005", 60, ("successful", None)),
        ("0011", 2, ("failed", NO_RECIPIENT)),
        ("0011", 86_400, ("failed", NO_RECIPIENT)),
    ],
)
async def test_the_last_four_digits_select_the_outcome(
    eversend: EversendRig, digits: str, seconds: int, outcome: tuple[str, str | None]
) -> None:
    await paid_out(eversend, phoneNumber=f"+25677200{digits}")
    assert await state_of(eversend) == ("pending", None)

    await eversend.steer("clock", advance_seconds=seconds)

    assert await state_of(eversend) == outcome


@pytest.mark.parametrize(("digits", "count"), [("0001", 1), ("0006", 0), ("0007", 2)])
async def test_the_webhook_may_be_lost_or_come_twice(
    eversend: EversendRig, receiver: Receiver, digits: str, count: int
) -> None:
    await eversend.steer("config", webhook_url=receiver.url)
    await paid_out(eversend, phoneNumber=f"+25677200{digits}")

    await eversend.steer("clock", advance_seconds=2)

    await eversend.deliveries(*(["delivered"] * count or ["dropped"]))
    assert len(receiver.received) == count


async def test_the_webhook_may_come_before_the_reply(
    eversend: EversendRig, receiver: Receiver
) -> None:
    await eversend.steer("config", webhook_url=receiver.url)

    reply = await pay_out(eversend, phoneNumber="+256772000008")

    assert len(receiver.received) == 1
    assert reply.json()["data"]["transaction"]["status"] == "pending"


async def test_the_reply_may_be_an_error_or_missing_although_the_payout_exists(
    eversend: EversendRig,
) -> None:
    reply = await pay_out(eversend, "refund1", phoneNumber="+256772000009")
    with pytest.raises(httpx.TransportError):
        await pay_out(eversend, "refund2", phoneNumber="+256772000010")

    await eversend.steer("clock", advance_seconds=2)
    assert reply.status_code == 500
    assert await state_of(eversend, "refund1") == ("successful", None)
    assert await state_of(eversend, "refund2") == ("successful", None)


async def test_a_payout_is_announced_in_the_flat_shape(
    eversend: EversendRig, receiver: Receiver
) -> None:
    await eversend.steer("config", webhook_url=receiver.url)
    await paid_out(eversend)
    await eversend.steer("transactions/refund1/complete")

    (request,) = await receiver.wait_for(1)

    body = json.loads(request.body)
    assert (body["eventType"], body["type"]) == ("transaction.payout", "payout")
    assert (body["transactionRef"], body["status"]) == ("refund1", "successful")
    assert (body["amount"], body["fees"]) == ("10000", "500")


@pytest.mark.parametrize(
    ("move", "event"), [("complete", "payout.success"), ("fail", "payout.failed")]
)
async def test_a_payout_is_announced_in_the_nested_shape(
    eversend: EversendRig, receiver: Receiver, move: str, event: str
) -> None:
    await eversend.steer("config", webhook_url=receiver.url, webhook_shape="nested")
    await paid_out(eversend)
    await eversend.steer(f"transactions/refund1/{move}")

    (request,) = await receiver.wait_for(1)

    body = json.loads(request.body)
    assert (body["type"], body["data"]["transactionRef"]) == (event, "refund1")


@pytest.mark.parametrize(
    ("fault", "status"), [("error_before_effect", 500), ("rate_limited", 429), ("html_error", 502)]
)
async def test_a_fault_of_refunds_before_the_effect_meets_the_quotation_too(
    eversend: EversendRig, fault: str, status: int
) -> None:
    await eversend.fault(fault, operation="refund", times=1)

    assert (await quoted(eversend)).status_code == status
    assert (await quoted(eversend)).status_code == 200


@pytest.mark.parametrize("fault", ["error_after_effect", "lost_reply", "bad_json"])
async def test_a_fault_of_refunds_after_the_effect_waits_for_the_payout(
    eversend: EversendRig, fault: str
) -> None:
    await eversend.fault(fault, operation="refund", times=1)
    token = await token_of(eversend)

    try:
        reply = await pay_out(eversend, token=token)
    except httpx.TransportError:
        assert fault == "lost_reply"
    else:
        assert reply.status_code == (500 if fault == "error_after_effect" else 200)

    assert await eversend.fired() == [1]
    assert (await eversend.look("transactions/refund1"))["created_count"] == 1


@pytest.mark.parametrize("match", [{"reference": "refund1"}, {"phone": PHONE}, {"amount": 10000}])
async def test_a_refund_that_fails_is_accepted_first_and_chosen_like_any_other(
    eversend: EversendRig, match: dict[str, object]
) -> None:
    await eversend.fault("refund_fails", match=match)
    await paid_out(eversend, "refund1")
    other = await token_of(eversend, amount=20000)
    await paid_out(eversend, "refund2", token=other, phoneNumber="+256772999999")
    assert await state_of(eversend) == ("pending", None)

    await eversend.steer("clock", advance_seconds=2)

    assert await state_of(eversend) == ("failed", NO_RECIPIENT)
    assert await state_of(eversend, "refund2") == ("successful", None)
    assert await balance(eversend) == OPENING - 21000


async def test_a_refund_fails_after_the_seconds_of_its_fault(eversend: EversendRig) -> None:
    await eversend.fault("refund_fails", seconds=60)
    await paid_out(eversend)

    await eversend.steer("clock", advance_seconds=59)
    assert await state_of(eversend) == ("pending", None)
    await eversend.steer("clock", advance_seconds=1)

    assert await state_of(eversend) == ("failed", NO_RECIPIENT)


async def test_a_slow_look_up_lags_behind_a_payout_too(eversend: EversendRig) -> None:
    transaction_id = await paid_out(eversend)
    await eversend.steer("transactions/refund1/complete")
    await eversend.fault("slow_lookup", match={"reference": "refund1"})

    first = await eversend.api.get(f"/v1/transactions/{transaction_id}")
    second = await eversend.transaction(transaction_id)
    third = await eversend.transaction(transaction_id)

    assert first.status_code == 404
    assert (second["status"], third["status"]) == ("pending", "successful")
