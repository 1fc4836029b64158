"""Payouts and every move they can make: debited, delivered, or credited back (section 13)."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

from gateway_sandboxes.eversend.outcomes import NO_RECIPIENT, Event, payout_outcome
from gateway_sandboxes.eversend.quotations import Quotations
from gateway_sandboxes.eversend.records import Payee, Payout, Quotation
from gateway_sandboxes.eversend.replies import RefusedError
from gateway_sandboxes.eversend.settings import Behaviour
from gateway_sandboxes.eversend.wallets import Wallets
from gateway_sandboxes.faults import Subject
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.serials import Serial
from gateway_sandboxes.store import Collection

Announce = Callable[[Payout], None]


class Payouts:
    """Payouts by id; everything is written before anybody is told.

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
        self.quotations = Quotations(machinery.store, machinery.clock)
        self._payouts = Collection(machinery.store, "payouts", Payout)
        self._ids_by_ref: dict[str, list[str]] = {}
        for payout in self._payouts.values():
            self._index(payout)
            self._set_timer(payout)

    def payout(self, transaction_id: str) -> Payout | None:
        """Return the payout with this id."""
        return self._payouts.get(transaction_id)

    def payouts(self) -> list[Payout]:
        """Return every payout, oldest first."""
        return list(self._payouts.values())

    def under_reference(self, reference: str) -> list[Payout]:
        """Return the payouts under a reference, oldest first."""
        return [self._payouts[key] for key in self._ids_by_ref.get(reference, [])]

    def on_phone(self, phone: str) -> list[Payout]:
        """Return the payouts to this phone, oldest first."""
        return [payout for payout in self._payouts.values() if payout.phone == phone]

    def create(self, quotation: Quotation, payee: Payee, transaction_ref: str | None) -> Payout:
        """Debit the wallet and use the quotation up.

        Raises:
            RefusedError: the wallet has too little.

        """
        if self._wallets.balance(quotation.source_currency) < quotation.total:
            raise RefusedError("Insufficient balance", 402)
        now = self._machinery.clock.now()
        behaviour: Behaviour = self._machinery.behaviour.current
        fate = payout_outcome(payee.phone, behaviour.payout_seconds)
        events = fate.events
        subject = Subject(reference=transaction_ref, phone=payee.phone, amount=quotation.amount)
        if rule := self._machinery.faults.take(("refund_fails",), subject):
            seconds = behaviour.payout_seconds if rule.seconds is None else rule.seconds
            events = (Event(seconds=seconds, outcome="failed", reason=NO_RECIPIENT),)
        with self._machinery.store.together():
            before, after = self._wallets.add(quotation.source_currency, -quotation.total)
            self.quotations.use_up(quotation)
            payout = self._put(
                Payout(
                    id=self._ids.next(),
                    transaction_id=f"BP3{self._milliseconds.next()}",
                    transaction_ref=transaction_ref,
                    quotation=quotation,
                    payee=payee,
                    status="pending",
                    created_at=now,
                    updated_at=now,
                    balance_before=before,
                    balance_after=after,
                    decided_at=now + timedelta(seconds=events[0].seconds) if events else None,
                    failure=events[0].reason if events else None,
                    webhook_copies=fate.webhook_copies,
                )
            )
        self._index(payout)
        self._set_timer(payout)
        return payout

    def succeed(self, payout: Payout) -> None:
        """Let a pending payout arrive."""
        now = self._machinery.clock.now()
        self._announce(self._put(replace(payout, status="successful", updated_at=now)))

    def fail(self, payout: Payout, reason: str) -> None:
        """Let a pending payout fail: the wallet gets all of it back."""
        now = self._machinery.clock.now()
        with self._machinery.store.together():
            self._wallets.add(payout.currency, payout.quotation.total)
            payout = self._put(replace(payout, status="failed", reason=reason, updated_at=now))
        self._announce(payout)

    def clear(self) -> None:
        """Drop the index; the records go with the store."""
        self._ids_by_ref.clear()

    def _put(self, payout: Payout) -> Payout:
        return self._payouts.put(payout.transaction_id, payout)

    def _index(self, payout: Payout) -> None:
        self._ids_by_ref.setdefault(payout.reference, []).append(payout.transaction_id)

    def _set_timer(self, payout: Payout) -> None:
        if payout.status == "pending" and payout.decided_at is not None:
            decide = partial(self._decide, payout.transaction_id)
            self._machinery.clock.call_at(payout.decided_at, decide)

    def _decide(self, transaction_id: str) -> None:
        payout = self._payouts.get(transaction_id)
        if payout is None or payout.status != "pending":
            return
        if payout.failure is None:
            self.succeed(payout)
        else:
            self.fail(payout, payout.failure)
