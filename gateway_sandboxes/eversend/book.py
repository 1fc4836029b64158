"""The control API's view of the Eversend sandbox, by transactionRef."""

from typing import Any

from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.control import NotPossibleError, UnknownReferenceError
from gateway_sandboxes.eversend.ledger import Ledger
from gateway_sandboxes.eversend.outcomes import DECLINED, NOT_APPROVED
from gateway_sandboxes.eversend.records import Transaction


class EversendBook:
    """Every collection is a charge."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def references(self) -> list[str]:
        """Return every reference, oldest first."""
        return self._ledger.references()

    def summary(self, reference: str) -> dict[str, object]:
        """Return the collections under a reference."""
        transactions = self._known(reference)
        return {
            "reference": reference,
            "charges": [_charge(transaction) for transaction in transactions],
            "created_count": len(transactions),
            "successful_count": sum(t.status == "successful" for t in transactions),
        }

    def complete(self, reference: str, wishes: dict[str, Any]) -> None:  # noqa: ARG002 - phones have no choices
        """Let the payer approve."""
        self._ledger.succeed(self._pending(reference))

    def fail(self, reference: str, reason: str | None) -> None:
        """Let the payer decline."""
        self._ledger.decline(self._pending(reference), reason or DECLINED)

    def expire(self, reference: str) -> None:
        """Let the prompt lapse."""
        self._ledger.decline(self._pending(reference), NOT_APPROVED)

    def clear(self) -> None:
        """Drop what is derived from the store."""
        self._ledger.clear()

    def _known(self, reference: str) -> list[Transaction]:
        transactions = self._ledger.under_reference(reference)
        if not transactions:
            raise UnknownReferenceError(f"there is no transaction under {reference!r}")
        return transactions

    def _pending(self, reference: str) -> Transaction:
        """Return the newest pending collection under the reference."""
        transactions = self._known(reference)
        pending = [transaction for transaction in transactions if transaction.status == "pending"]
        if not pending:
            raise NotPossibleError(f"the transaction is already {transactions[-1].status}")
        return pending[-1]


def _charge(transaction: Transaction) -> dict[str, object]:
    return {
        "kind": "collection",
        "id": transaction.transaction_id,
        "reference": transaction.reference,
        "amount": transaction.amount,
        "currency": transaction.currency,
        "status": transaction.status,
        "reason": transaction.reason,
        "phone": transaction.order.phone,
        "created_at": isoformat(transaction.created_at),
    }
