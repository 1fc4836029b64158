"""New transactions: everything about an attempt that is known the moment a payer starts it."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from gateway_sandboxes.flutterwave.methods import METHODS, fee
from gateway_sandboxes.flutterwave.records import Card, Checkout, Transaction
from gateway_sandboxes.flutterwave.test_cards import TEST_CARDS, TestCard

# The addresses that test transactions show (contract A13).
_CARD_IP = "52.209.154.143"
_OTHER_IP = "54.75.161.64"

_NARRATIONS = {"card": "CARD Transaction ", "mpesa": "FLW-PBF MPESA Transaction "}
_PENDING_WORDS = {
    "card": "Pending validation",
    # The start of an M-Pesa payment really says so while it is pending (A3.7).
    "mpesa": "Successful",
    "mobile_money": "Transaction in progress",
}
_SUCCESS_WORDS = {"card": "Approved. Successful", "mobile_money": "Approved"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a payer chose: the payment option, and the test card's position or the phone number."""

    option: str
    card: int | None = None
    phone: str | None = None

    @classmethod
    def by_default(cls, option: str) -> "Attempt":
        """Return the attempt of a payer who fills in whatever works."""
        return cls(option=option, card=0 if option == "card" else None)


def draft(checkout: Checkout, attempt: Attempt, number: int, now: datetime) -> Transaction:
    """Return the pending transaction of an attempt on a hosted link."""
    order = checkout.order
    method = METHODS[attempt.option]
    card = None if attempt.card is None else TEST_CARDS[attempt.card]
    waiting = _PENDING_WORDS.get(attempt.option, _PENDING_WORDS.get(method.kind, "Pending"))
    return Transaction(
        id=number,
        token=checkout.token,
        tx_ref=order.tx_ref,
        flw_ref=_flw_ref(attempt.option, now),
        option=attempt.option,
        amount=order.amount,
        currency=order.currency,
        charged_amount=order.amount,
        app_fee=fee(order.amount, order.currency),
        amount_settled=None,
        processor_response=waiting,
        auth_model=card.auth_model if card else method.auth_model,
        ip=_CARD_IP if card else _OTHER_IP,
        device_fingerprint=secrets.token_hex(16) if card else "N/A",
        narration=_NARRATIONS.get(attempt.option, order.title),
        status="pending",
        created_at=now,
        customer=checkout.customer,
        meta=order.meta,
        card=_shown_card(card, checkout.customer.email) if card else None,
        phone=attempt.phone or order.customer_phone,
    )


def paid(transaction: Transaction, *, customer_bears_fee: bool) -> Transaction:
    """Return the transaction as a successful one."""
    kind = METHODS[transaction.option].kind
    amount, app_fee = transaction.amount, transaction.app_fee
    return replace(
        transaction,
        status="successful",
        processor_response=_SUCCESS_WORDS.get(kind, "successful"),
        charged_amount=amount + app_fee if customer_bears_fee else amount,
        amount_settled=amount if customer_bears_fee else amount - app_fee,
    )


def with_amount(transaction: Transaction, amount: Decimal, currency: str) -> Transaction:
    """Return the transaction as if the payer sent another amount (major units) or currency."""
    return replace(
        transaction,
        amount=amount,
        currency=currency,
        charged_amount=amount,
        app_fee=fee(amount, currency),
    )


def _flw_ref(option: str, now: datetime) -> str:
    """Return a reference in the form that this kind of payment has (A3.7)."""
    milliseconds = int(now.timestamp() * 1000)
    if option == "card":
        return f"FLW-MOCK-{secrets.token_hex(16)}"
    if option == "mpesa":
        return str(secrets.randbelow(9 * 10**9) + 10**9)
    if option == "banktransfer":
        return f"{milliseconds}{secrets.randbelow(10**15):015d}"
    return f"flwm3s4m0c{milliseconds}"


def _shown_card(card: TestCard, email: str) -> Card:
    token = hashlib.sha256(f"{card.number}{card.expiry}{email}".encode()).hexdigest()[:32]
    return Card(
        first_6digits=card.number[:6],
        last_4digits=card.number[-4:],
        network=card.network,
        expiry=card.expiry,
        token=f"flw-t1nf-{token}-m03k",
    )
