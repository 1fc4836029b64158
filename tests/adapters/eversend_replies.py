"""Replies that Eversend gives, to be scripted."""

import json
from typing import Any

from gateway_adapters.charges import Method, Payer
from gateway_adapters.refunds import RefundOrder, RefundQuery
from kit.money import Money
from tests.adapters.scripted import an_order

MOMO = "/collections/momo"
QUOTATION = "/payouts/quotation"
PAYOUT = "/payouts"
REFERENCE = "cpscript01"
REFUND_REFERENCE = "rfscript01"
QUOTATION_TOKEN = "header.claims.signature"
UGX = Money("UGX", 25_000)


def transaction(**changes: Any) -> dict[str, Any]:
    facts = {
        "transactionId": "BE31795300012345",
        "transactionRef": REFERENCE,
        "currency": "UGX",
        "amount": "25000",
        "fees": "375",
        "reason": None,
        "status": "pending",
    }
    return {**facts, **changes}


def quotation(**changes: Any) -> dict[str, Any]:
    """Return what a payout of UGX 10,000 costs."""
    facts = {
        "sourceCurrency": "UGX",
        "sourceAmount": "10000",
        "destinationCountry": "UG",
        "destinationCurrency": "UGX",
        "destinationAmount": "10000.00",
        "totalFees": "500",
        "totalAmount": "10500.00",
    }
    return {"token": QUOTATION_TOKEN, "quotation": {**facts, **changes}}


def payout(**changes: Any) -> dict[str, Any]:
    """Return a payout of UGX 10,000 as its creation shows it: numbers but for one."""
    facts = {
        "transactionId": "BP31795300098765",
        "transactionRef": REFUND_REFERENCE,
        "type": "payout",
        "currency": "UGX",
        "amount": 10000,
        "fees": 500,
        "sourceCurrency": "UGX",
        "destinationCurrency": "UGX",
        "destinationAmount": "10000.00",
        "reason": None,
        "status": "pending",
        "createdAt": "2026-11-20T10:02:12.070Z",
    }
    return {**facts, **changes}


def refund_order(
    amount: Money | None = None,
    *,
    name: str = "Amina Kato",
    phone: str = "+256772123456",
    country: str = "UG",
) -> RefundOrder:
    """Return a refund of UGX 10,000 to a Ugandan phone."""
    return RefundOrder(
        refund_reference=REFUND_REFERENCE,
        charge_reference=REFERENCE,
        gateway_transaction_id="BE31795300012345",
        amount=amount or Money("UGX", 10_000),
        payer=Payer(email="amina.k@example.com", name=name, phone_number=phone, country=country),
    )


def refund_query(refund_id: str = "", amount: Money | None = None) -> RefundQuery:
    """Return a look-up of that refund."""
    return RefundQuery(
        refund_reference=REFUND_REFERENCE,
        gateway_refund_id=refund_id,
        gateway_transaction_id="BE31795300012345",
        amount=amount or Money("UGX", 10_000),
    )


def success(data: Any) -> str:
    return json.dumps({"code": 200, "success": True, "data": data})


def error(status: int, message: Any) -> tuple[int, str]:
    return status, json.dumps({"code": status, "success": False, "message": message})


def order(**changes: Any) -> Any:
    return an_order(UGX, Method.MOBILE_MONEY, "UG", **changes)
