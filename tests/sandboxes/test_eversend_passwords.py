"""Eversend: one-time passwords from the text message to the collection."""

import httpx
import pytest

from tests.sandboxes.rigs import EversendRig

PHONE = "+256772123456"


async def sent(rig: EversendRig, phone: str = PHONE) -> str:
    reply = await rig.api.post("/v1/collections/otp", json={"phone": phone})
    assert reply.status_code == 200, reply.text
    pin_id: str = reply.json()["data"]["pinId"]
    return pin_id


async def collect(rig: EversendRig, pin_id: str, pin: str = "123456") -> httpx.Response:
    return await rig.collect(otp={"pinId": pin_id, "pin": pin})


async def test_the_phone_shows_the_password_until_it_is_used(eversend: EversendRig) -> None:
    await eversend.steer("config", require_otp=True)
    pin_id = await sent(eversend)

    waiting = await eversend.api.get(f"/phone/{PHONE}")
    listed = await eversend.api.get("/phone")
    assert (await collect(eversend, pin_id)).status_code == 200
    prompted = await eversend.api.get(f"/phone/{PHONE}")

    assert "Your one-time password is 123456." in waiting.text
    assert "<form" not in waiting.text
    assert PHONE in listed.text
    assert "one-time password" not in prompted.text
    assert "UGX 25,000" in prompted.text


async def test_nothing_exists_before_the_password_was_handed_in(eversend: EversendRig) -> None:
    await eversend.steer("config", require_otp=True)
    pin_id = await sent(eversend)
    missing = await eversend.collect()
    wrong = await collect(eversend, pin_id, "000000")

    assert (missing.status_code, wrong.status_code) == (400, 400)
    assert (await eversend.look("transactions"))["transactions"] == []


async def test_a_wrong_password_leaves_the_right_one_usable(eversend: EversendRig) -> None:
    pin_id = await sent(eversend)
    await collect(eversend, pin_id, "000000")

    assert (await collect(eversend, pin_id)).status_code == 200


async def test_a_password_is_for_its_own_phone_and_for_ten_minutes(eversend: EversendRig) -> None:
    theirs = await collect(eversend, await sent(eversend, "+256772999999"))
    pin_id = await sent(eversend)
    await eversend.steer("clock", advance_seconds=600)
    late = await collect(eversend, pin_id)

    assert theirs.json()["message"] == late.json()["message"] == "Invalid or expired OTP"


@pytest.mark.parametrize("otp", [None, "123456", {}, {"pinId": "VE0", "pin": "123456"}])
async def test_what_is_no_password_is_refused(eversend: EversendRig, otp: object) -> None:
    await eversend.steer("config", require_otp=True)

    assert (await eversend.collect(otp=otp)).status_code == 400
    assert (await eversend.look("transactions"))["transactions"] == []
