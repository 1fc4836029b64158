"""Who may use which route: only a member with one good token, and only so often."""

from dataclasses import replace

import httpx
import pytest

from kit.clock import SystemClock
from kit.tokens_issue import issue_token
from tests.bff.conftest import OPTIONS, SECRET, bff_in_front_of, logged_in
from tests.bff.scripted import PAYMENT_ID, ScriptedService, scripted_serving
from tests.kit.tokens import HEADER, made

PAYMENT = f"/api/payments/{PAYMENT_ID}"
GOOD = issue_token(SECRET, "alice", SystemClock())
FORGED = made(HEADER, {"sub": "alice", "aud": "authenticated", "exp": 99_999_999_999})
REFUSED: dict[str, list[tuple[str, str]]] = {
    "nothing": [],
    "empty": [("authorization", "")],
    "no token": [("authorization", "Bearer")],
    "another scheme": [("authorization", f"Basic {GOOD}")],
    "no scheme": [("authorization", GOOD)],
    "two spaces": [("authorization", f"Bearer  {GOOD}")],
    "twice": [("authorization", f"Bearer {GOOD}"), ("authorization", f"Bearer {GOOD}")],
    "two in one": [("authorization", f"Bearer {GOOD}, Bearer {GOOD}")],
    "forged": [("authorization", f"Bearer {FORGED}")],
    "not ASCII": [("authorization", "Bearer \u00e9")],
    "huge": [("authorization", "Bearer " + "a" * 20_000)],
    "as the service knows it": [("x-user-token", GOOD)],
    "as a cookie": [("cookie", f"token={GOOD}")],
}


@pytest.mark.parametrize("headers", REFUSED.values(), ids=REFUSED)
async def test_without_one_good_token_nothing_is_asked(
    bff: httpx.AsyncClient, service: ScriptedService, headers: list[tuple[str, str]]
) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    response = await bff.get(PAYMENT, headers=encoded)

    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["reason"] in ("USER_TOKEN_REQUIRED", "USER_TOKEN_INVALID")
    assert service.received == []


async def test_a_token_in_the_address_is_not_looked_for(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    response = await bff.get(PAYMENT, params={"token": GOOD, "access_token": GOOD})

    assert response.status_code == 401
    assert service.received == []


async def test_one_member_reads_so_often_and_no_more_and_others_are_not_slowed() -> None:
    service = ScriptedService()
    options = replace(OPTIONS, reads_per_minute=5)
    async with (
        scripted_serving(service) as server,
        bff_in_front_of(server.port, options=options) as bff,
    ):
        of_alice = [await bff.get(PAYMENT, headers=logged_in("alice")) for _ in range(8)]
        of_bob = await bff.get(PAYMENT, headers=logged_in("bob"))
        open_to_all = await bff.get("/api/tiers")
        verified = await bff.post(f"{PAYMENT}/verify", headers=logged_in("alice"))

    assert [each.status_code for each in of_alice] == [200] * 5 + [429] * 3
    assert of_alice[-1].json()["reason"] == "RATE_LIMITED"
    assert 0 < int(of_alice[-1].headers["retry-after"]) <= 12
    assert of_bob.status_code == open_to_all.status_code == 200
    # What reaches a gateway is counted by the payments service.
    assert verified.status_code == 200
