"""Transactions, wallets and webhooks as Eversend shows them (sections 4 to 8)."""

from decimal import Decimal

from gateway_sandboxes.amounts import plain
from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.eversend.corridors import MAIN_WALLET, OPENING_WALLETS
from gateway_sandboxes.eversend.records import Payout, Row, Transaction, Wallet

ACCOUNT_ID = 4377

# Section 6: what a look-up shows of a transaction of any kind, in this order.
_FIELDS = (
    "transactionId",
    "transactionRef",
    "type",
    "currency",
    "amount",
    "fees",
    "balanceBefore",
    "balanceAfter",
    "remitOneId",
    "sourceCurrency",
    "destinationCurrency",
    "destinationAmount",
    "sourceCountry",
    "destinationCountry",
    "pesapotId",
    "pesapotResponse",
    "merchantId",
    "accountId",
    "userId",
    "beneficiaryId",
    "customer",
    "meta",
    "reason",
    "isRefunded",
    "status",
    "createdAt",
    "updatedAt",
    "user",
    "beneficiary",
)


def created(transaction: Transaction) -> dict[str, object]:
    """Return `data` of a creation: the transaction itself, amounts as strings."""
    return {
        "transactionId": transaction.transaction_id,
        "transactionRef": transaction.order.transaction_ref,
        "type": transaction.kind,
        "currency": transaction.currency,
        "amount": plain(transaction.amount),
        "customer": transaction.order.customer,
        "balanceBefore": None,
        "balanceAfter": None,
        "status": transaction.status,
        "createdAt": isoformat(transaction.created_at),
        "updatedAt": isoformat(transaction.updated_at),
    }


def created_payout(payout: Payout) -> dict[str, object]:
    """Return the transaction of a created payout: amounts as numbers, all but one."""
    return {
        "transactionId": payout.transaction_id,
        "transactionRef": payout.transaction_ref,
        "currency": payout.currency,
        "type": payout.kind,
        "amount": payout.amount,
        "fees": payout.fees,
        "userId": ACCOUNT_ID,
        "balanceBefore": payout.balance_before,
        "balanceAfter": payout.balance_after,
        "sourceCurrency": payout.quotation.source_currency,
        "destinationCurrency": payout.quotation.destination_currency,
        "destinationAmount": f"{payout.quotation.destination_amount:.2f}",
        "destinationCountry": payout.quotation.destination_country,
        "beneficiary": _beneficiary(payout),
        "reason": payout.reason,
        "status": payout.status,
        "createdAt": isoformat(payout.created_at),
        "updatedAt": isoformat(payout.updated_at),
    }


def looked_up(row: Row) -> dict[str, object]:
    """Return a row as look-ups and lists show it: every field there is, most of them unused."""
    known = _looked_up_payout(row) if isinstance(row, Payout) else _looked_up_collection(row)
    return {"id": row.id, **dict.fromkeys(_FIELDS), "accountId": ACCOUNT_ID, **known}


def _looked_up_collection(transaction: Transaction) -> dict[str, object]:
    order = transaction.order
    return {
        **created(transaction),
        "fees": _text(transaction.fees),
        "balanceBefore": _text(transaction.balance_before),
        "balanceAfter": _text(transaction.balance_after),
        "meta": {"phone": order.phone, "country": order.country},
        "reason": transaction.reason,
        "isRefunded": False,
    }


def _looked_up_payout(payout: Payout) -> dict[str, object]:
    return {
        **created_payout(payout),
        "userId": None,
        "amount": plain(payout.amount),
        "fees": plain(payout.fees),
        "balanceBefore": plain(payout.balance_before),
        "balanceAfter": plain(payout.balance_after),
        "sourceCountry": payout.quotation.source_country,
        "beneficiaryId": payout.id,
        "isRefunded": payout.status == "failed",
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


def flat_webhook(row: Row) -> dict[str, object]:
    """Return the webhook in the shape that running handlers read."""
    event = "transaction.payout" if isinstance(row, Payout) else "wallet.load"
    return {"eventType": event, **_announced(row)}


def nested_webhook(row: Row) -> dict[str, object]:
    """Return the webhook in the shape that the documented event name suggests."""
    family = "payout" if isinstance(row, Payout) else "transaction"
    outcome = "success" if row.status == "successful" else "failed"
    return {"type": f"{family}.{outcome}", "data": _announced(row)}


def _announced(row: Row) -> dict[str, object]:
    own = row if isinstance(row, Payout) else row.order
    body: dict[str, object] = {
        "transactionId": row.transaction_id,
        "transactionRef": own.transaction_ref,
        "type": row.kind,
        "status": row.status,
        "currency": row.currency,
        "amount": plain(row.amount),
    }
    if row.fees is not None:
        body["fees"] = plain(row.fees)
    body["createdAt"] = isoformat(row.created_at)
    body["updatedAt"] = isoformat(row.updated_at)
    return body


def _beneficiary(payout: Payout) -> dict[str, object]:
    return {
        "id": payout.id,
        "firstName": payout.payee.first_name,
        "lastName": payout.payee.last_name,
        "phoneNumber": payout.payee.phone,
        "country": payout.payee.country,
        "bankCode": None,
        "bankName": None,
        "bankAccountName": None,
        "bankAccountNumber": None,
        "createdAt": isoformat(payout.created_at),
        "updatedAt": isoformat(payout.created_at),
    }


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(amount)
