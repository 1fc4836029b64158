"""A member pays through the BFF: their page asks over HTTP, and follows the payment live."""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest

from dev.env_file import read_env
from kit.clock import SystemClock
from kit.tokens_issue import issue_token
from tests.acceptance.stack import Stack
from tests.acceptance.test_first_payment import _pay_on_the_hosted_page

pytestmark = pytest.mark.xdist_group("stack")

BODY: dict[str, Any] = {
    "tier": "pro",
    "billing_cycle": "monthly",
    "payment_method": "card",
    "currency_code": "NGN",
    "customer": {"email": "ada@example.com", "name": "Ada Obi"},
}


def _headers(stack: Stack, user_id: str, key: str = "") -> dict[str, str]:
    secret = read_env(stack.folder / "secrets.env")["JWT_SECRET"]
    token = issue_token(secret, user_id, SystemClock())
    return {"authorization": f"Bearer {token}", **({"idempotency-key": key} if key else {})}


async def _followed_to_the_end(stack: Stack, url: str, headers: dict[str, str]) -> list[str]:
    """Read the events of a payment until the stream ends; the statuses."""
    answer = await stack.http.get(f"{url}/events", headers=headers, timeout=60)
    lines = answer.text.splitlines()
    return [json.loads(line[6:])["status"] for line in lines if line.startswith("data: ")]


async def test_a_member_buys_follows_and_has_the_tier(stack: Stack) -> None:
    base, user_id = stack.env["BFF_URL"], f"member-{uuid.uuid4().hex}"
    headers = _headers(stack, user_id, uuid.uuid4().hex)
    body = BODY | {"return_url": f"{base}/return?order=7"}
    quoted = await stack.http.post(
        f"{base}/api/quotes", headers=headers, json={k: BODY[k] for k in ("tier", "billing_cycle")}
    )
    created = await stack.http.post(f"{base}/api/payments", headers=headers, json=body)
    repeated = await stack.http.post(f"{base}/api/payments", headers=headers, json=body)
    payment = created.json()
    url = f"{base}{created.headers['location']}"
    following = asyncio.create_task(_followed_to_the_end(stack, url, headers))

    returned = await _pay_on_the_hosted_page(stack, payment["next_action"]["redirect_url"])
    statuses = await following
    seen = await stack.http.get(url, headers=headers)
    membership = await stack.http.get(f"{base}/api/membership", headers=headers)

    assert quoted.status_code == httpx.codes.OK
    assert created.status_code == repeated.status_code == httpx.codes.CREATED
    assert repeated.json() == payment
    assert returned.headers["location"].startswith(f"{base}/return?order=7")
    assert statuses[0] == "processing"
    assert statuses[-1] == seen.json()["status"] == "completed"
    assert seen.json()["amount"] == payment["amount"]
    assert membership.json()["tier"] == "pro"


async def test_a_member_cannot_see_or_pay_for_another(stack: Stack) -> None:
    base, user_id = stack.env["BFF_URL"], f"member-{uuid.uuid4().hex}"
    created = await stack.http.post(
        f"{base}/api/payments", headers=_headers(stack, user_id, uuid.uuid4().hex), json=BODY
    )
    url = f"{base}{created.headers['location']}"
    stranger = _headers(stack, "a-stranger")

    seen = await stack.http.get(url, headers=stranger)
    anonymous = await stack.http.get(url)
    listed = await stack.http.get(f"{base}/api/payments", headers=stranger)

    assert seen.status_code == httpx.codes.NOT_FOUND
    assert anonymous.status_code == httpx.codes.UNAUTHORIZED
    assert listed.json()["payments"] == []


async def test_the_sixth_purchase_in_a_minute_waits(stack: Stack) -> None:
    base, user_id = stack.env["BFF_URL"], f"member-{uuid.uuid4().hex}"
    answers = [
        await stack.http.post(
            f"{base}/api/payments", headers=_headers(stack, user_id, uuid.uuid4().hex), json=BODY
        )
        for _ in range(6)
    ]

    assert [each.status_code for each in answers] == [httpx.codes.CREATED] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0
