"""The control API's view of the Eversend sandbox, by transactionRef."""

from typing import Any

from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.control import NotPossibleError, UnknownReferenceError
from gateway_sandboxes.eversend.account import Account
from gateway_sandboxes.eversend.outcomes import DECLINED, NO_RECIPIENT, NOT_APPROVED
from gateway_sandboxes.eversend.records import Payout, Row


class EversendBook:
    """Every collection is a charge, and so is every payout, of its own kind."""

    def __init__(self, account: Account) -> None:
        self._ledger = account.ledger
        self._payouts = account.payouts
        self._statement = account.statement

    def references(self) -> list[str]:
        """Return every reference, oldest first."""
        return self._statement.references()

    def summary(self, reference: str) -> dict[str, object]:
        """Return the collections and payouts under a reference."""
        rows = self._known(reference)
        return {
            "reference": reference,
            "charges": [_charge(row) for row in rows],
            "created_count": len(rows),
            "successful_count": sum(row.status == "successful" for row in rows),
        }

    def complete(self, reference: str, wishes: dict[str, Any]) -> None:  # noqa: ARG002 - phones have no choices
        """Let the payer approve, or the payout arrive."""
        row = self._pending(reference)
        if isinstance(row, Payout):
            self._payouts.succeed(row)
        else:
            self._ledger.succeed(row)

    def fail(self, reference: str, reason: str | None) -> None:
        """Let the payer decline, or the payout come back."""
        row = self._pending(reference)
        if isinstance(row, Payout):
            self._payouts.fail(row, reason or NO_RECIPIENT)
        else:
            self._ledger.decline(row, reason or DECLINED)

    def expire(self, reference: str) -> None:
        """Let the prompt lapse."""
        row = self._pending(reference)
        if isinstance(row, Payout):
            raise NotPossibleError("a payout does not lapse")
        self._ledger.decline(row, NOT_APPROVED)

    def clear(self) -> None:
        """Drop what is derived from the store."""
        self._ledger.clear()
        self._payouts.clear()

    def _known(self, reference: str) -> list[Row]:
        rows = self._statement.under_reference(reference)
        if not rows:
            raise UnknownReferenceError(f"there is no transaction under {reference!r}")
        return rows

    def _pending(self, reference: str) -> Row:
        """Return the newest pending row under the reference."""
        rows = self._known(reference)
        pending = [row for row in rows if row.status == "pending"]
        if not pending:
            raise NotPossibleError(f"the transaction is already {rows[-1].status}")
        return pending[-1]


def _charge(row: Row) -> dict[str, object]:
    return {
        "kind": row.kind,
        "id": row.transaction_id,
        "reference": row.reference,
        "amount": row.amount,
        "currency": row.currency,
        "status": row.status,
        "reason": row.reason,
        "phone": row.phone,
        "created_at": isoformat(row.created_at),
    }
