"""Eversend: both body shapes, both signatures, and the retries."""

import hashlib
import hmac
import json

import pytest

from tests.sandboxes.receiver import Receiver
from tests.sandboxes.rigs import EversendRig

SECRET = "the-secret-of-this-test"


@pytest.fixture
async def told(eversend: EversendRig, receiver: Receiver) -> EversendRig:
    """Point the sandbox's webhooks at the receiver, with one collection waiting."""
    await eversend.steer("config", webhook_url=receiver.url, webhook_secret=SECRET)
    await eversend.collected()
    return eversend


def hmac_of(body: bytes) -> str:
    return hmac.new(SECRET.encode(), body, hashlib.sha512).hexdigest()


async def test_the_flat_shape_has_everything_at_the_top(
    told: EversendRig, receiver: Receiver
) -> None:
    await told.steer("transactions/ref1/complete")

    (request,) = await receiver.wait_for(1)

    body = json.loads(request.body)
    assert list(body) == [
        "eventType",
        "transactionId",
        "transactionRef",
        "type",
        "status",
        "currency",
        "amount",
        "fees",
        "createdAt",
        "updatedAt",
    ]
    assert (body["eventType"], body["status"], body["amount"]) == (
        "wallet.load",
        "successful",
        "25000",
    )
    assert request.headers["x-eversend-signature"] == hmac_of(request.body)


@pytest.mark.parametrize(
    ("move", "event", "status"),
    [
        ("complete", "transaction.success", "successful"),
        ("fail", "transaction.failed", "failed"),
        ("expire", "transaction.failed", "failed"),
    ],
)
async def test_the_nested_shape_names_the_event(
    told: EversendRig, receiver: Receiver, move: str, event: str, status: str
) -> None:
    await told.steer("config", webhook_shape="nested")
    await told.steer(f"transactions/ref1/{move}")

    (request,) = await receiver.wait_for(1)

    body = json.loads(request.body)
    assert list(body) == ["type", "data"]
    assert (body["type"], body["data"]["status"]) == (event, status)
    assert body["data"]["transactionRef"] == "ref1"


async def test_the_signature_can_be_the_unkeyed_hash(told: EversendRig, receiver: Receiver) -> None:
    await told.steer("config", signature_mode="sha512-unkeyed")
    await told.steer("transactions/ref1/complete")

    (request,) = await receiver.wait_for(1)

    signature = request.headers["x-eversend-signature"]
    assert signature == hashlib.sha512(request.body).hexdigest()


async def test_any_success_status_is_delivered_and_others_are_retried(
    told: EversendRig, receiver: Receiver
) -> None:
    receiver.answers.extend([503, 500, 404, 202])
    await told.steer("transactions/ref1/complete")
    for count, wait in ((1, 1), (2, 5), (3, 25)):
        await receiver.wait_for(count)
        await told.deliveries("waiting")
        await told.steer("clock", advance_seconds=wait)
    await receiver.wait_for(4)

    (delivered,) = await told.deliveries("delivered")

    assert [entry["status"] for entry in delivered["tries"]] == [503, 500, 404, 202]
