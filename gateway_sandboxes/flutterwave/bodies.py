"""Transactions as the API and the webhooks show them (contract A3.5, A9, A14)."""

from typing import Any

from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.flutterwave.methods import METHODS
from gateway_sandboxes.flutterwave.records import Card, Customer, Transaction

ACCOUNT_ID = 204817
_INIT_ADDRESS = "__CheckoutInitAddress"


def verified(transaction: Transaction, hosted_url: str) -> dict[str, object]:
    """Return `data` of a verify reply."""
    body = {
        **_core(transaction),
        "account_id": ACCOUNT_ID,
        "meta": _meta(transaction, hosted_url),
        "amount_settled": transaction.amount_settled,
        "customer": _customer(transaction.customer),
    }
    if transaction.card is not None:
        body["card"] = {**_card(transaction.card), "token": transaction.card.token}
    return body


def listed(transaction: Transaction) -> dict[str, object]:
    """Return a row of the transaction list, where ids are strings and the customer is flat."""
    body = {
        **_core(transaction),
        "id": str(transaction.id),
        "amount_settled": transaction.amount_settled,
        "customer_name": transaction.customer.name,
        "customer_email": transaction.customer.email,
        "account_id": str(ACCOUNT_ID),
    }
    if transaction.card is not None:
        body["card"] = _card(transaction.card)
    return body


def webhook(transaction: Transaction, hosted_url: str, *, with_meta: bool) -> dict[str, object]:
    """Return the v3 webhook: like verify, without card token, settled amount and meta."""
    data = {
        **_core(transaction),
        "account_id": ACCOUNT_ID,
        "customer": _customer(transaction.customer),
    }
    if transaction.card is not None:
        data["card"] = _card(transaction.card)
    body: dict[str, object] = {"event": "charge.completed", "data": data}
    if with_meta:
        body["meta_data"] = {_INIT_ADDRESS: hosted_url, **_object(transaction.meta)}
    if (event_type := METHODS[transaction.option].event_type) is not None:
        body["event.type"] = event_type
    return body


def legacy_webhook(transaction: Transaction) -> dict[str, object]:
    """Return the flat shape that accounts get while their "v3 webhooks" switch is off."""
    created_at = isoformat(transaction.created_at)
    customer = transaction.customer
    return {
        "id": transaction.id,
        "txRef": transaction.tx_ref,
        "flwRef": transaction.flw_ref,
        "orderRef": f"URF_{int(transaction.created_at.timestamp())}_{transaction.id}",
        "paymentPlan": None,
        "paymentPage": None,
        "createdAt": created_at,
        "amount": transaction.amount,
        "charged_amount": transaction.charged_amount,
        "status": transaction.status,
        "IP": transaction.ip,
        "currency": transaction.currency,
        "appfee": transaction.app_fee,
        "merchantfee": 0,
        "merchantbearsfee": int(transaction.charged_amount == transaction.amount),
        "charge_type": "normal",
        "customer": {
            "id": customer.id,
            "phone": customer.phone_number,
            "fullName": customer.name,
            "customertoken": None,
            "email": customer.email,
            "createdAt": isoformat(customer.created_at),
            "updatedAt": isoformat(customer.created_at),
            "deletedAt": None,
            "AccountId": ACCOUNT_ID,
        },
        "entity": _entity(transaction),
        "event.type": METHODS[transaction.option].event_type,
    }


def events(transaction: Transaction) -> list[dict[str, object]]:
    """Return the steps of an attempt (A9); only those that every attempt has."""
    kind = METHODS[transaction.option].payment_type
    notes = [("Loaded modal", "modal", "loaded"), (f"Attempting {kind} charge", kind, "charge")]
    if transaction.status != "pending":
        notes.append((f"{kind} charge {transaction.status}", kind, "validate"))
    return [
        {
            "note": note,
            "actor": transaction.customer.email,
            "object": subject,
            "action": action,
            "context": "web",
            "created_at": isoformat(transaction.created_at),
        }
        for note, subject, action in notes
    ]


def _core(transaction: Transaction) -> dict[str, Any]:
    return {
        "id": transaction.id,
        "tx_ref": transaction.tx_ref,
        "flw_ref": transaction.flw_ref,
        "device_fingerprint": transaction.device_fingerprint,
        "amount": transaction.amount,
        "currency": transaction.currency,
        "charged_amount": transaction.charged_amount,
        "app_fee": transaction.app_fee,
        "merchant_fee": 0,
        "processor_response": transaction.processor_response,
        "auth_model": transaction.auth_model,
        "ip": transaction.ip,
        "narration": transaction.narration,
        "status": transaction.status,
        "payment_type": METHODS[transaction.option].payment_type,
        "created_at": isoformat(transaction.created_at),
    }


def _customer(customer: Customer) -> dict[str, object]:
    return {
        "id": customer.id,
        "name": customer.name,
        "phone_number": customer.phone_number,
        "email": customer.email,
        "created_at": isoformat(customer.created_at),
    }


def _card(card: Card) -> dict[str, object]:
    return {
        "first_6digits": card.first_6digits,
        "last_4digits": card.last_4digits,
        "issuer": f"{card.network}  CREDIT",
        "country": "NIGERIA NG",
        "type": card.network,
        "expiry": card.expiry,
    }


def _meta(transaction: Transaction, hosted_url: str) -> object:
    """Return meta with its instability: an object with an extra key for cards, else as it came."""
    if transaction.card is None or transaction.meta is None:
        return transaction.meta
    return {_INIT_ADDRESS: hosted_url, **_object(transaction.meta)}


def _object(meta: object) -> dict[str, object]:
    return meta if isinstance(meta, dict) else {}


def _entity(transaction: Transaction) -> dict[str, object]:
    if transaction.card is None:
        return {"id": "NO-ENTITY"}
    return {
        "card6": transaction.card.first_6digits,
        "card_last4": transaction.card.last_4digits,
        "card_country_iso": "NG",
        "createdAt": isoformat(transaction.created_at),
    }
