"""The gateway's truth: hosted links, attempts, and every move they can make."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from gateway_sandboxes.amounts import rounded
from gateway_sandboxes.faults import Rule, Subject
from gateway_sandboxes.flutterwave.drafts import Attempt, draft, paid, with_amount
from gateway_sandboxes.flutterwave.records import (
    Checkout,
    CheckoutState,
    Customer,
    Order,
    Step,
    Transaction,
)
from gateway_sandboxes.flutterwave.settings import Behaviour
from gateway_sandboxes.flutterwave.subjects import subject_of, subject_of_link
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.serials import Serial
from gateway_sandboxes.store import Collection

_IDS_SINCE = 1_704_067_200  # 2024-01-01, so that ids have as many digits as real ones
_LATE_SECONDS = 60.0
_SECOND_SECONDS = 5.0
_OTHER_CURRENCY = {"USD": "NGN"}

Announce = Callable[[Transaction], None]


class Ledger:
    """Hosted links by token and attempts by id; everything is written before anybody is told.

    `announce` hears of every attempt that was decided.
    """

    def __init__(self, machinery: Machinery, announce: Announce) -> None:
        self._machinery = machinery
        self._announce = announce
        self._ids = Serial(100, _IDS_SINCE)
        self._checkouts = Collection(machinery.store, "checkouts", Checkout)
        self._transactions = Collection(machinery.store, "transactions", Transaction)
        self._tokens_by_ref: dict[str, list[str]] = {}
        self._ids_by_ref: dict[str, list[str]] = {}
        for checkout in self._checkouts.values():
            self._tokens_by_ref.setdefault(checkout.order.tx_ref, []).append(checkout.token)
            self._set_timers(checkout)
        for transaction in self._transactions.values():
            self._ids_by_ref.setdefault(transaction.tx_ref, []).append(str(transaction.id))

    # --- reading -----------------------------------------------------------------------------

    def references(self) -> list[str]:
        """Return every tx_ref, oldest first."""
        return list(self._tokens_by_ref)

    def checkout(self, token: str) -> Checkout | None:
        """Return the hosted link with this token."""
        return self._checkouts.get(token)

    def checkouts(self, tx_ref: str) -> list[Checkout]:
        """Return the hosted links created under a reference, oldest first."""
        return [self._checkouts[token] for token in self._tokens_by_ref.get(tx_ref, [])]

    def transaction(self, number: str) -> Transaction | None:
        """Return the attempt with this id."""
        return self._transactions.get(number)

    def transactions(self, tx_ref: str | None = None) -> list[Transaction]:
        """Return the attempts under a reference, or all of them, oldest first."""
        if tx_ref is None:
            return list(self._transactions.values())
        return [self._transactions[number] for number in self._ids_by_ref.get(tx_ref, [])]

    def deciding_transaction(self, tx_ref: str) -> Transaction | None:
        """Return the attempt that decides: the latest successful one, else the latest."""
        attempts = self.transactions(tx_ref)
        successful = [attempt for attempt in attempts if attempt.status == "successful"]
        return next(reversed(successful or attempts), None)

    # --- the hosted link ---------------------------------------------------------------------

    def open_checkout(self, order: Order) -> Checkout:
        """Create a hosted link."""
        now = self._machinery.clock.now()
        checkout = Checkout(
            token=f"flwlnk-{secrets.token_hex(13)}",
            order=order,
            customer=_customer(order, now),
            created_at=now,
        )
        self._tokens_by_ref.setdefault(order.tx_ref, []).append(checkout.token)
        self._put(checkout)
        self._set_timers(checkout)
        return checkout

    def start_session(self, checkout: Checkout) -> Checkout:
        """Note that the payer has opened the link; only the first time counts."""
        if checkout.state != "open" or checkout.session_ends_at is not None:
            return checkout
        minutes = timedelta(minutes=checkout.order.session_minutes)
        checkout = self._put(
            replace(checkout, session_ends_at=self._machinery.clock.now() + minutes)
        )
        self._set_timers(checkout)
        return checkout

    def set_step(self, checkout: Checkout, step: Step | None) -> Checkout:
        """Note where the payer stands between the choice of a method and the outcome."""
        return self._put(replace(checkout, step=step))

    def close(self, checkout: Checkout, state: CheckoutState) -> Checkout:
        """End the session of an open link for good; an attempt still under way fails with it."""
        under_way = self.pending_transaction(checkout)
        checkout = self._put(replace(checkout, state=state, step=None))
        if under_way is not None:
            self.decline(under_way, "Session timed out" if state == "expired" else "Cancelled")
        if rule := self._fault("late_success", subject_of_link(checkout)):
            self._pay_later(self._checkouts[checkout.token], rule, _LATE_SECONDS)
        return self._checkouts[checkout.token]

    # --- attempts ----------------------------------------------------------------------------

    def begin(self, checkout: Checkout, attempt: Attempt, step: Step | None = None) -> Transaction:
        """Start an attempt; `step` is where the payer goes next with it."""
        transaction = draft(checkout, attempt, self._ids.next(), self._machinery.clock.now())
        with self._machinery.store.together():
            self._ids_by_ref.setdefault(transaction.tx_ref, []).append(str(transaction.id))
            self._save(transaction)
            if step is not None:
                self.set_step(checkout, replace(step, transaction_id=transaction.id))
        return transaction

    def succeed(self, transaction: Transaction) -> Transaction:
        """Take the payer's money."""
        behaviour: Behaviour = self._machinery.behaviour.current
        checkout = self._checkouts[transaction.token]
        is_first = checkout.state != "paid"
        subject = subject_of(transaction)
        transaction = self._misled(transaction, subject)
        transaction = paid(transaction, customer_bears_fee=behaviour.customer_bears_fee)
        with self._machinery.store.together():
            self._save(transaction)
            checkout = self._put(replace(checkout, state="paid", step=None))
        if is_first and (rule := self._fault("second_success", subject)):
            self._pay_later(checkout, rule, _SECOND_SECONDS)
        self._announce(transaction)
        return transaction

    def decline(self, transaction: Transaction, reason: str) -> Transaction:
        """Refuse the attempt; the payer may try again until the retries are used up (A3.4)."""
        checkout = self._checkouts[transaction.token]
        failed_attempts = checkout.failed_attempts + 1
        transaction = replace(
            transaction, status="failed", processor_response=reason, amount_settled=Decimal(0)
        )
        with self._machinery.store.together():
            self._save(transaction)
            checkout = self._put(replace(checkout, failed_attempts=failed_attempts, step=None))
        if checkout.state == "open" and failed_attempts >= checkout.order.max_attempts:
            self.close(checkout, "failed")
        self._announce(transaction)
        return transaction

    def pending_transaction(self, checkout: Checkout) -> Transaction | None:
        """Return the attempt that the payer is in the middle of."""
        number = checkout.step.transaction_id if checkout.step else None
        return None if number is None else self._transactions[str(number)]

    def clear(self) -> None:
        """Drop the indexes; the records go with the store."""
        self._tokens_by_ref.clear()
        self._ids_by_ref.clear()

    # --- inside ------------------------------------------------------------------------------

    def _put(self, checkout: Checkout) -> Checkout:
        return self._checkouts.put(checkout.token, checkout)

    def _save(self, transaction: Transaction) -> None:
        self._transactions.put(str(transaction.id), transaction)

    def _set_timers(self, checkout: Checkout) -> None:
        for end in (checkout.order.link_expires_at, checkout.session_ends_at):
            if end is not None and checkout.state == "open":
                self._machinery.clock.call_at(end, partial(self._lapse, checkout.token))
        if checkout.late_payment_at is not None:
            pay = partial(self._pay_again, checkout.token)
            self._machinery.clock.call_at(checkout.late_payment_at, pay)

    def _lapse(self, token: str) -> None:
        checkout = self._checkouts.get(token)
        if checkout is not None and checkout.state == "open":
            self.close(checkout, "expired")

    def _pay_later(self, checkout: Checkout, rule: Rule, default_seconds: float) -> None:
        """Let money arrive on a link whose session is over."""
        seconds = default_seconds if rule.seconds is None else rule.seconds
        due = self._machinery.clock.now() + timedelta(seconds=seconds)
        self._set_timers(self._put(replace(checkout, late_payment_at=due)))

    def _pay_again(self, token: str) -> None:
        checkout = self._checkouts.get(token)
        if checkout is None or checkout.late_payment_at is None:
            return
        checkout = self._put(replace(checkout, late_payment_at=None))
        self.succeed(self.begin(checkout, Attempt.by_default(checkout.order.options[0])))

    def _misled(self, transaction: Transaction, subject: Subject) -> Transaction:
        """Let the faults have their way that make a payer send something else."""
        amount, currency = transaction.amount, transaction.currency
        if self._fault("underpaid", subject):
            amount = rounded(amount / 2, currency)
        if self._fault("overpaid", subject):
            amount = amount * 2
        if self._fault("wrong_currency", subject):
            currency = _OTHER_CURRENCY.get(currency, "USD")
        if (amount, currency) == (transaction.amount, transaction.currency):
            return transaction
        return with_amount(transaction, amount, currency)

    def _fault(self, name: str, subject: Subject) -> Rule | None:
        return self._machinery.faults.take((name,), subject)


def _customer(order: Order, now: datetime) -> Customer:
    """Return the customer as test mode shows them: the e-mail gets a prefix (A13)."""
    digest = hashlib.sha256(order.customer_email.encode()).hexdigest()
    return Customer(
        id=int(digest[:7], 16),
        name=order.customer_name,
        phone_number=order.customer_phone,
        email=f"ravesb_{digest[:16]}_{order.customer_email}",
        created_at=now,
    )
