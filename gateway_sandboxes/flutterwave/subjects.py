"""What faults can be chosen by: the payment that a request, a move or a webhook is about."""

from decimal import Decimal

from gateway_sandboxes.faults import Subject
from gateway_sandboxes.flutterwave.records import Checkout, Transaction


def subject_of(
    transaction: Transaction, operation: str = "any", *, amount: Decimal | None = None
) -> Subject:
    """Return the subject of something about an attempt; `amount` when it has one of its own."""
    card = transaction.card
    return Subject(
        operation=operation,
        reference=transaction.tx_ref,
        phone=transaction.phone,
        amount=transaction.amount if amount is None else amount,
        card=card.first_6digits + card.last_4digits if card else None,
    )


def subject_of_link(checkout: Checkout, operation: str = "any") -> Subject:
    """Return the subject of something about a hosted link."""
    order = checkout.order
    return Subject(
        operation=operation,
        reference=order.tx_ref,
        phone=order.customer_phone,
        amount=order.amount,
    )
