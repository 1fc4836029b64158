"""Replies that Eversend gives, to be scripted."""

import json
from typing import Any

from gateway_adapters.gateway import Method
from kit.money import Money
from tests.adapters.scripted import an_order

MOMO = "/collections/momo"


REFERENCE = "cpscript01"


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


def success(data: Any) -> str:
    return json.dumps({"code": 200, "success": True, "data": data})


def error(status: int, message: Any) -> tuple[int, str]:
    return status, json.dumps({"code": status, "success": False, "message": message})


def order(**changes: Any) -> Any:
    return an_order(UGX, Method.MOBILE_MONEY, "UG", **changes)
