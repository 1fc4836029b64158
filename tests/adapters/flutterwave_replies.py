"""Replies that Flutterwave gives, to be scripted."""

import json
from typing import Any

from kit.money import Money

LINK = '{"status":"success","message":"Hosted Link","data":{"link":"https://pay.example/p/1"}}'


ERROR = '{"status":"error","message":"%s","data":null}'


NOT_FOUND = ERROR % "No transaction was found for this id"


BY_REFERENCE = "/transactions/verify_by_reference"


REFERENCE = "cpscript01"


KES = Money("KES", 49_900)


def transaction(**changes: Any) -> dict[str, Any]:
    facts = {
        "id": 8830142,
        "tx_ref": REFERENCE,
        "amount": 499,
        "currency": "KES",
        "charged_amount": 510.48,
        "app_fee": 14.48,
        "processor_response": "Approved. Successful",
        "status": "successful",
        "meta": "{}",
    }
    return {**facts, **changes}


def one(**changes: Any) -> str:
    return json.dumps({"status": "success", "message": "fetched", "data": transaction(**changes)})


def many(*rows: dict[str, Any], pages: int = 1) -> str:
    meta = {"page_info": {"total": len(rows), "total_pages": pages}}
    return json.dumps({"status": "success", "message": "fetched", "meta": meta, "data": rows})
