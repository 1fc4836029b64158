"""The control API's view of the Flutterwave sandbox, by tx_ref."""

from typing import Any

from gateway_sandboxes.clock import isoformat
from gateway_sandboxes.control import NotPossibleError, UnknownReferenceError
from gateway_sandboxes.flutterwave.chargebacks import Chargebacks
from gateway_sandboxes.flutterwave.chargebacks_api import listed
from gateway_sandboxes.flutterwave.drafts import Attempt
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.methods import METHODS
from gateway_sandboxes.flutterwave.records import Checkout, Transaction
from gateway_sandboxes.flutterwave.refund_bodies import fetched
from gateway_sandboxes.flutterwave.refunds import Refunds


class FlutterwaveBook:
    """Every create call is a charge of kind `link`, every payment attempt one of kind `attempt`."""

    def __init__(
        self, ledger: Ledger, refunds: Refunds, chargebacks: Chargebacks, hosted_url: str
    ) -> None:
        self._ledger = ledger
        self._refunds = refunds
        self._chargebacks = chargebacks
        self._hosted_url = hosted_url

    def references(self) -> list[str]:
        """Return every tx_ref, oldest first."""
        return self._ledger.references()

    def summary(self, reference: str) -> dict[str, object]:
        """Return the links and attempts under a tx_ref, and what was given or demanded back."""
        links = self._links(reference)
        attempts = self._ledger.transactions(reference)
        return {
            "reference": reference,
            "charges": [*map(self._link, links), *map(_attempt, attempts)],
            "refunds": [fetched(each) for each in self._refunds.under(reference)],
            "chargebacks": [listed(each) for each in self._chargebacks.under(reference)],
            "created_count": len(links),
            "successful_count": sum(attempt.status == "successful" for attempt in attempts),
        }

    def complete(self, reference: str, wishes: dict[str, Any]) -> None:
        """Let the payer pay; `wishes` may name a `payment_option` of the link."""
        checkout = self._payable(reference)
        transaction = self._ledger.pending_transaction(checkout)
        if transaction is None:
            option = wishes.get("payment_option") or checkout.order.options[0]
            if option not in checkout.order.options:
                raise NotPossibleError(f"the link does not offer {option!r}")
            transaction = self._ledger.begin(checkout, Attempt.by_default(option))
        self._ledger.succeed(transaction)

    def fail(self, reference: str, reason: str | None) -> None:
        """Let the payer be declined and leave; the link cannot be paid any more."""
        checkout = self._payable(reference)
        transaction = self._ledger.pending_transaction(checkout)
        if transaction is None:
            attempt = Attempt.by_default(checkout.order.options[0])
            transaction = self._ledger.begin(checkout, attempt)
        self._ledger.decline(transaction, reason or "Declined")
        left = self._ledger.checkout(checkout.token)
        if left is not None and left.state == "open":
            self._ledger.close(left, "failed")

    def expire(self, reference: str) -> None:
        """Let the open link lapse."""
        self._ledger.close(self._payable(reference), "expired")

    def clear(self) -> None:
        """Drop what is derived from the store."""
        self._ledger.clear()

    def _links(self, reference: str) -> list[Checkout]:
        links = self._ledger.checkouts(reference)
        if not links:
            raise UnknownReferenceError(f"there is no payment with the tx_ref {reference!r}")
        return links

    def _payable(self, reference: str) -> Checkout:
        """Return the newest open link under the reference."""
        links = self._links(reference)
        open_links = [link for link in links if link.state == "open"]
        if not open_links:
            raise NotPossibleError(f"the payment link is {links[-1].state}; nobody can pay on it")
        return open_links[-1]

    def _link(self, checkout: Checkout) -> dict[str, object]:
        order = checkout.order
        return {
            "kind": "link",
            "id": checkout.token,
            "reference": order.tx_ref,
            "amount": order.amount,
            "currency": order.currency,
            "status": checkout.state,
            "link": f"{self._hosted_url}/{checkout.token}",
            "payment_options": order.options,
            "failed_attempts": checkout.failed_attempts,
            "created_at": isoformat(checkout.created_at),
        }


def _attempt(transaction: Transaction) -> dict[str, object]:
    return {
        "kind": "attempt",
        "id": transaction.id,
        "reference": transaction.tx_ref,
        "amount": transaction.amount,
        "currency": transaction.currency,
        "status": transaction.status,
        "processor_response": transaction.processor_response,
        "payment_type": METHODS[transaction.option].payment_type,
        "flw_ref": transaction.flw_ref,
        "created_at": isoformat(transaction.created_at),
    }
