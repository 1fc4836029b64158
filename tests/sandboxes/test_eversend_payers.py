"""Eversend: the phone page, and the numbers that decide by themselves."""

import httpx
import pytest

from tests.sandboxes.receiver import Receiver
from tests.sandboxes.rigs import EversendRig

PHONE = "+256772123456"


def selecting(digits: str) -> str:
    return f"+25677200{digits}"


async def state_of(rig: EversendRig, reference: str = "ref1") -> tuple[str, str | None]:
    (charge,) = await rig.charges(reference, "collection")
    return charge["status"], charge["reason"]


async def test_an_ordinary_number_waits_for_its_payer(eversend: EversendRig) -> None:
    await eversend.collected()

    await eversend.steer("clock", advance_seconds=600)

    assert await state_of(eversend) == ("pending", None)


async def test_the_phone_shows_the_prompt_and_approving_pays(eversend: EversendRig) -> None:
    transaction_id = await eversend.collected()

    listed = await eversend.api.get("/phone")
    screen = await eversend.api.get(f"/phone/{PHONE}")
    done = await eversend.api.post(
        f"/phone/{PHONE}/prompts/{transaction_id}/approve", data={"pin": "1234"}
    )
    after = await eversend.api.get(f"/phone/{PHONE}")

    assert PHONE in listed.text
    assert "1 waiting" in listed.text
    assert "UGX 25,000" in screen.text
    assert f'action="/phone/{PHONE}/prompts/{transaction_id}/approve"' in screen.text
    assert 'http-equiv="refresh"' not in screen.text
    assert (done.status_code, done.headers["location"]) == (303, f"/phone/{PHONE}")
    assert "No payment to approve" in after.text
    assert "Paid" in after.text
    assert 'http-equiv="refresh"' in after.text
    assert await state_of(eversend) == ("successful", None)


async def test_declining_on_the_phone_fails_the_collection(eversend: EversendRig) -> None:
    transaction_id = await eversend.collected()

    await eversend.api.post(f"/phone/{PHONE}/prompts/{transaction_id}/decline")

    assert await state_of(eversend) == ("failed", "Customer declined the request")


async def test_a_prompt_is_decided_once_and_only_on_its_own_phone(eversend: EversendRig) -> None:
    transaction_id = await eversend.collected()

    await eversend.api.post(f"/phone/+256700000099/prompts/{transaction_id}/approve")
    assert await state_of(eversend) == ("pending", None)
    await eversend.api.post(f"/phone/{PHONE}/prompts/{transaction_id}/approve")
    await eversend.api.post(f"/phone/{PHONE}/prompts/{transaction_id}/decline")

    assert await state_of(eversend) == ("successful", None)


async def test_a_prompt_lapses_after_fifteen_minutes(eversend: EversendRig) -> None:
    await eversend.collected()

    await eversend.steer("clock", advance_seconds=899)
    assert await state_of(eversend) == ("pending", None)
    await eversend.steer("clock", advance_seconds=2)

    assert await state_of(eversend) == ("failed", "Customer did not approve the request")


async def test_payers_can_be_made_to_approve_by_themselves(eversend: EversendRig) -> None:
    await eversend.steer("config", auto_approve_seconds=2)
    await eversend.collected()

    await eversend.steer("clock", advance_seconds=2)

    assert await state_of(eversend) == ("successful", None)


@pytest.mark.parametrize(
    ("digits", "seconds", "outcome"),
    [
        ("0001", 2, ("successful", None)),
        ("0002", 2, ("failed", "Customer declined the request")),
        ("0003", 2, ("failed", "Insufficient funds")),
        ("0004", 86_400, ("pending", None)),
        ("0005", 59, ("pending", None)),
        ("0005", 60, ("successful", None)),
        ("0011", 2, ("failed", "Customer did not approve the request")),
        ("0011", 32, ("successful", None)),
    ],
)
async def test_the_last_four_digits_select_the_outcome(
    eversend: EversendRig, digits: str, seconds: int, outcome: tuple[str, str | None]
) -> None:
    await eversend.collected(phone=selecting(digits))
    assert await state_of(eversend) == ("pending", None)

    await eversend.steer("clock", advance_seconds=seconds)

    assert await state_of(eversend) == outcome
    assert (await eversend.api.get(f"/phone/{selecting(digits)}")).text.count("<form") == 0


async def test_a_decision_by_hand_overrules_what_the_number_had_planned(
    eversend: EversendRig,
) -> None:
    await eversend.collected(phone=selecting("0001"))
    await eversend.steer("transactions/ref1/fail")

    await eversend.steer("clock", advance_seconds=60)

    assert await state_of(eversend) == ("failed", "Customer declined the request")


@pytest.mark.parametrize(("digits", "count"), [("0001", 1), ("0006", 0), ("0007", 2)])
async def test_the_webhook_may_be_lost_or_come_twice(
    eversend: EversendRig, receiver: Receiver, digits: str, count: int
) -> None:
    await eversend.steer("config", webhook_url=receiver.url)
    await eversend.collected(phone=selecting(digits))

    await eversend.steer("clock", advance_seconds=2)

    await eversend.deliveries(*(["delivered"] * count or ["dropped"]))
    assert len(receiver.received) == count


async def test_the_webhook_may_come_before_the_reply(
    eversend: EversendRig, receiver: Receiver
) -> None:
    await eversend.steer("config", webhook_url=receiver.url)

    reply = await eversend.collect(phone=selecting("0008"))

    assert len(receiver.received) == 1
    assert reply.json()["data"]["status"] == "pending"


async def test_the_reply_may_be_an_error_although_the_collection_exists(
    eversend: EversendRig,
) -> None:
    reply = await eversend.collect(phone=selecting("0009"))

    await eversend.steer("clock", advance_seconds=2)
    assert reply.status_code == 500
    assert await state_of(eversend) == ("successful", None)


async def test_the_connection_may_drop_although_the_collection_exists(
    eversend: EversendRig,
) -> None:
    with pytest.raises(httpx.TransportError):
        await eversend.collect(phone=selecting("0010"))

    assert await state_of(eversend) == ("pending", None)
