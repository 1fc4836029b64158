"""Transactions, wallets and webhooks as Eversend shows them (sections 4 to 8)."""

from decimal import Decimal

from gateway_sandboxes.amounts import plain
from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.eversend.corridors import MAIN_WALLET, OPENING_WALLETS
from gateway_sandboxes.eversend.records import Transaction, Wallet

ACCOUNT_ID = 4377


def created(transaction: Transaction) -> dict[str, object]:
    """Return `data` of a creation: the transaction itself, amounts as strings."""
    return {
        "transactionId": transaction.transaction_id,
        "transactionRef": transaction.order.transaction_ref,
        "type": "collection",
        "currency": transaction.currency,
        "amount": plain(transaction.amount),
        "customer": transaction.order.customer,
        "balanceBefore": None,
        "balanceAfter": None,
        "status": transaction.status,
        "createdAt": isoformat(transaction.created_at),
        "updatedAt": isoformat(transaction.updated_at),
    }


def looked_up(transaction: Transaction) -> dict[str, object]:
    """Return a transaction as look-ups and lists show it."""
    order = transaction.order
    unused = (
        "remitOneId",
        "sourceCurrency",
        "destinationCurrency",
        "destinationAmount",
        "sourceCountry",
        "destinationCountry",
        "pesapotId",
        "pesapotResponse",
        "merchantId",
        "userId",
        "beneficiaryId",
        "user",
        "beneficiary",
    )
    return {
        "id": transaction.id,
        **created(transaction),
        "fees": _text(transaction.fees),
        "balanceBefore": _text(transaction.balance_before),
        "balanceAfter": _text(transaction.balance_after),
        **dict.fromkeys(unused),
        "accountId": ACCOUNT_ID,
        "meta": {"phone": order.phone, "country": order.country},
        "reason": transaction.reason,
        "isRefunded": False,
    }


def wallet(balance: Wallet) -> dict[str, object]:
    """Return a wallet; the balance is called `amount` and is a number."""
    name, _ = OPENING_WALLETS[balance.currency]
    return {
        "currency": balance.currency,
        "currencyType": "fiat",
        "amount": balance.amount,
        "enabled": True,
        "name": name,
        "icon": f"https://sandbox.invalid/icons/{balance.currency}.png",
        "amountInBaseCurrency": balance.amount,
        "isMain": balance.currency == MAIN_WALLET,
    }


def flat_webhook(transaction: Transaction) -> dict[str, object]:
    """Return the webhook in the shape that running handlers read."""
    return {"eventType": "wallet.load", **_announced(transaction)}


def nested_webhook(transaction: Transaction) -> dict[str, object]:
    """Return the webhook in the shape that the documented event name suggests."""
    outcome = "success" if transaction.status == "successful" else "failed"
    return {"type": f"transaction.{outcome}", "data": _announced(transaction)}


def _announced(transaction: Transaction) -> dict[str, object]:
    body: dict[str, object] = {
        "transactionId": transaction.transaction_id,
        "transactionRef": transaction.order.transaction_ref,
        "type": "collection",
        "status": transaction.status,
        "currency": transaction.currency,
        "amount": plain(transaction.amount),
    }
    if transaction.fees is not None:
        body["fees"] = plain(transaction.fees)
    body["createdAt"] = isoformat(transaction.created_at)
    body["updatedAt"] = isoformat(transaction.updated_at)
    return body


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
