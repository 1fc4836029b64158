"""What tests of Eversend's payouts ask the sandbox for."""

from decimal import Decimal
from typing import Any

import httpx

from tests.sandboxes.rigs import EversendRig, exact

PHONE = "+256772123456"
NO_RECIPIENT = "Recipient wallet not found"
OPENING = 1_250_000


async def quoted(rig: EversendRig, **fields: object) -> httpx.Response:
    """Ask what 10,000 UGX to a Ugandan phone cost, or with other fields; None leaves one out."""
    body: dict[str, object] = {
        "sourceWallet": "UGX",
        "amount": 10000,
        "amountType": "DESTINATION",
        "type": "momo",
        "destinationCountry": "UG",
        "destinationCurrency": "UGX",
        **fields,
    }
    present = {name: value for name, value in body.items() if value is not None}
    return await rig.api.post("/v1/payouts/quotation", json=present)


async def token_of(rig: EversendRig, **fields: object) -> str:
    reply = await quoted(rig, **fields)
    assert reply.status_code == 200, reply.text
    token: str = reply.json()["data"]["token"]
    return token


async def pay_out(
    rig: EversendRig, reference: str = "refund1", token: str | None = None, **fields: object
) -> httpx.Response:
    body: dict[str, object] = {
        "token": token or await token_of(rig),
        "phoneNumber": PHONE,
        "firstName": "Amina",
        "lastName": "Kato",
        "country": "UG",
        "transactionRef": reference,
        **fields,
    }
    present = {name: value for name, value in body.items() if value is not None}
    return await rig.api.post("/v1/payouts", json=present)


async def paid_out(rig: EversendRig, reference: str = "refund1", **fields: Any) -> str:
    """Create a payout and return its transactionId."""
    reply = await pay_out(rig, reference, **fields)
    assert reply.status_code == 200, reply.text
    transaction_id: str = reply.json()["data"]["transaction"]["transactionId"]
    return transaction_id


async def balance(rig: EversendRig, currency: str = "UGX") -> Decimal:
    wallet = exact(await rig.api.get(f"/v1/wallets/{currency}"))["data"]["wallet"]
    return Decimal(wallet["amount"])


async def state_of(rig: EversendRig, reference: str = "refund1") -> tuple[str, str | None]:
    (charge,) = await rig.charges(reference, "payout")
    return charge["status"], charge["reason"]
