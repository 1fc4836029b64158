"""Collections, and every move they can make."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Literal

from gateway_sandboxes.amounts import rounded
from gateway_sandboxes.eversend.corridors import fee
from gateway_sandboxes.eversend.outcomes import NOT_APPROVED, Event, Outcome, selected_outcome
from gateway_sandboxes.eversend.records import Order, Planned, Row, Transaction
from gateway_sandboxes.eversend.settings import Behaviour
from gateway_sandboxes.eversend.wallets import Wallets
from gateway_sandboxes.faults import Rule, Subject
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.serials import Serial
from gateway_sandboxes.store import Collection

PROMPT_SECONDS = 900.0
_LATE_SECONDS = 60.0
_SECOND_SECONDS = 5.0
_OTHER_CURRENCY = {"USD": "UGX"}

Announce = Callable[[Transaction], None]


class Ledger:
    """Collections by id; everything is written before anybody is told.

    `ids` numbers the rows of all kinds, `announce` hears of every decision.
    """

    def __init__(
        self, machinery: Machinery, wallets: Wallets, ids: Serial, announce: Announce
    ) -> None:
        self._machinery = machinery
        self._wallets = wallets
        self._ids = ids
        self._announce = announce
        self._milliseconds = Serial(1000)
        self._transactions = Collection(machinery.store, "transactions", Transaction)
        self._ids_by_ref: dict[str, list[str]] = {}
        self._ids_by_phone: dict[str, list[str]] = {}
        for transaction in self._transactions.values():
            self._index(transaction)
            self._set_timers(transaction)

    # --- reading -----------------------------------------------------------------------------

    def transaction(self, transaction_id: str) -> Transaction | None:
        """Return the transaction with this id."""
        return self._transactions.get(transaction_id)

    def transactions(self) -> list[Transaction]:
        """Return every transaction, oldest first."""
        return list(self._transactions.values())

    def under_reference(self, reference: str) -> list[Transaction]:
        """Return the transactions under a reference, oldest first."""
        return [self._transactions[key] for key in self._ids_by_ref.get(reference, [])]

    def on_phone(self, phone: str) -> list[Transaction]:
        """Return the transactions that asked this phone, oldest first."""
        return [self._transactions[key] for key in self._ids_by_phone.get(phone, [])]

    def phones(self) -> list[str]:
        """Return every phone that was ever asked."""
        return list(self._ids_by_phone)

    # --- moves -------------------------------------------------------------------------------

    def create(self, order: Order) -> Transaction:
        """Create a collection and ask its payer, or let the phone's number decide its fate."""
        now = self._machinery.clock.now()
        outcome = self._fate(order)
        asks = outcome is None or order.phone is None
        transaction = Transaction(
            id=self._ids.next(),
            transaction_id=f"BE3{self._milliseconds.next()}",
            order=order,
            amount=order.amount,
            currency=order.currency,
            status="pending",
            created_at=now,
            updated_at=now,
            prompt_expires_at=now + timedelta(seconds=PROMPT_SECONDS) if asks else None,
            plan=tuple(
                Planned(
                    at=now + timedelta(seconds=event.seconds),
                    outcome=event.outcome,
                    reason=event.reason,
                )
                for event in (outcome.events if outcome else ())
            ),
            webhook_copies=outcome.webhook_copies if outcome else 1,
        )
        self._index(transaction)
        self._put(transaction)
        self._set_timers(transaction)
        return transaction

    def succeed(self, transaction: Transaction) -> Transaction:
        """Take the payer's money: credit the wallet, fill in the fee, tell the merchant."""
        transaction = self._misled(transaction)
        with self._machinery.store.together():
            before, after = self._wallets.add(transaction.currency, transaction.amount)
            transaction = self._put(
                replace(
                    transaction,
                    status="successful",
                    reason=None,
                    fees=fee(transaction.amount, transaction.currency),
                    balance_before=before,
                    balance_after=after,
                    updated_at=self._machinery.clock.now(),
                )
            )
        if len(self.under_reference(transaction.reference)) == 1 and (
            rule := self._fault("second_success", transaction)
        ):
            transaction = self._plan(transaction, "second_success", rule, _SECOND_SECONDS)
        self._announce(transaction)
        return transaction

    def decline(self, transaction: Transaction, reason: str) -> Transaction:
        """Refuse a pending collection for good, whatever its phone's number had planned."""
        return self._fail(replace(transaction, plan=()), reason)

    def clear(self) -> None:
        """Drop the indexes; the records go with the store."""
        self._ids_by_ref.clear()
        self._ids_by_phone.clear()

    # --- inside ------------------------------------------------------------------------------

    def _fail(self, transaction: Transaction, reason: str) -> Transaction:
        now = self._machinery.clock.now()
        transaction = self._put(
            replace(transaction, status="failed", reason=reason, updated_at=now)
        )
        if rule := self._fault("late_success", transaction):
            transaction = self._plan(transaction, "successful", rule, _LATE_SECONDS)
        self._announce(transaction)
        return transaction

    def _put(self, transaction: Transaction) -> Transaction:
        return self._transactions.put(transaction.transaction_id, transaction)

    def _index(self, transaction: Transaction) -> None:
        key = transaction.transaction_id
        self._ids_by_ref.setdefault(transaction.reference, []).append(key)
        if transaction.order.phone is not None:
            self._ids_by_phone.setdefault(transaction.order.phone, []).append(key)

    def _fate(self, order: Order) -> Outcome | None:
        """Return what will happen by itself; None when the payer decides."""
        behaviour: Behaviour = self._machinery.behaviour.current
        selected = selected_outcome(order.phone)
        seconds = behaviour.auto_approve_seconds
        if selected is not None or seconds is None:
            return selected
        return Outcome(events=(Event(seconds=seconds, outcome="successful"),))

    def _set_timers(self, transaction: Transaction) -> None:
        clock = self._machinery.clock
        if transaction.status == "pending" and transaction.prompt_expires_at is not None:
            lapse = partial(self._lapse, transaction.transaction_id)
            clock.call_at(transaction.prompt_expires_at, lapse)
        for planned in transaction.plan:
            clock.call_at(planned.at, partial(self._carry_out, transaction.transaction_id))

    def _lapse(self, transaction_id: str) -> None:
        transaction = self._transactions.get(transaction_id)
        if transaction is not None and transaction.status == "pending":
            self._fail(transaction, NOT_APPROVED)

    def _carry_out(self, transaction_id: str) -> None:
        """Do the oldest planned thing that is due, unless it no longer makes sense."""
        transaction = self._transactions.get(transaction_id)
        now = self._machinery.clock.now()
        if transaction is None or not transaction.plan or transaction.plan[0].at > now:
            return
        planned, *rest = transaction.plan
        transaction = self._put(replace(transaction, plan=tuple(rest)))
        if planned.outcome == "second_success":
            self.succeed(self._sibling(transaction))
        elif planned.outcome == "successful" and transaction.status != "successful":
            self.succeed(transaction)
        elif planned.outcome == "failed" and transaction.status == "pending":
            self._fail(transaction, planned.reason or NOT_APPROVED)

    def _sibling(self, transaction: Transaction) -> Transaction:
        """Return another collection of the same order, as if it had been sent twice."""
        sibling = replace(
            transaction,
            id=self._ids.next(),
            transaction_id=f"BE3{self._milliseconds.next()}",
            created_at=self._machinery.clock.now(),
            plan=(),
        )
        self._index(sibling)
        return self._put(sibling)

    def _plan(
        self,
        transaction: Transaction,
        outcome: Literal["successful", "second_success"],
        rule: Rule,
        default_seconds: float,
    ) -> Transaction:
        """Let something happen later, after the fault's own seconds or the default ones."""
        seconds = default_seconds if rule.seconds is None else rule.seconds
        due = self._machinery.clock.now() + timedelta(seconds=seconds)
        plan = sorted(
            (*transaction.plan, Planned(at=due, outcome=outcome)), key=lambda planned: planned.at
        )
        transaction = self._put(replace(transaction, plan=tuple(plan)))
        self._machinery.clock.call_at(due, partial(self._carry_out, transaction.transaction_id))
        return transaction

    def _misled(self, transaction: Transaction) -> Transaction:
        """Let the faults have their way that make a payer send something else."""
        amount, currency = transaction.amount, transaction.currency
        if self._fault("underpaid", transaction):
            amount = rounded(amount / 2, currency)
        if self._fault("overpaid", transaction):
            amount = amount * 2
        if self._fault("wrong_currency", transaction):
            currency = _OTHER_CURRENCY.get(currency, "USD")
        return replace(transaction, amount=amount, currency=currency)

    def _fault(self, name: str, transaction: Transaction) -> Rule | None:
        return self._machinery.faults.take((name,), subject_of(transaction))


def subject_of(row: Row, operation: str = "any") -> Subject:
    """Return what faults match a row by."""
    return Subject(
        operation=operation, reference=row.reference, phone=row.phone, amount=row.asked_amount
    )
