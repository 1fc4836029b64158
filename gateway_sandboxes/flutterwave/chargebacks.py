"""Chargebacks: a payer's bank demands money back, the merchant answers, the bank decides (A10)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

from gateway_sandboxes.flutterwave.records import (
    Chargeback,
    ChargebackStatus,
    ChargebackStep,
    Transaction,
)
from gateway_sandboxes.flutterwave.settings import Behaviour
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.serials import Serial
from gateway_sandboxes.store import Collection

_IDS_SINCE = 1_741_000_000  # 2025-03-03

_UNDECIDED = frozenset({"initiated", "declined"})


class Chargebacks:
    """Every chargeback by id."""

    def __init__(self, machinery: Machinery) -> None:
        self._machinery = machinery
        self._ids = Serial(10, _IDS_SINCE)
        self._chargebacks = Collection(machinery.store, "chargebacks", Chargeback)
        for chargeback in self._chargebacks.values():
            self._set_timer(chargeback)

    def get(self, number: str) -> Chargeback | None:
        """Return the chargeback with this id."""
        return self._chargebacks.get(number)

    def all(self) -> list[Chargeback]:
        """Return every chargeback, oldest first."""
        return list(self._chargebacks.values())

    def under(self, tx_ref: str) -> list[Chargeback]:
        """Return the chargebacks of a reference, oldest first."""
        return [each for each in self._chargebacks.values() if each.tx_ref == tx_ref]

    def undecided(self, tx_ref: str) -> Chargeback | None:
        """Return the reference's chargeback that is neither won nor lost nor accepted."""
        return next((each for each in self.under(tx_ref) if each.status in _UNDECIDED), None)

    def initiate(self, transaction: Transaction, amount: Decimal, comment: str) -> Chargeback:
        """Demand money back (major units)."""
        behaviour: Behaviour = self._machinery.behaviour.current
        now = self._machinery.clock.now()
        first = ChargebackStep(
            at=now, initiator="bank", action="initiated", description="Chargeback initiated"
        )
        chargeback = Chargeback(
            id=self._ids.next(),
            transaction_id=transaction.id,
            tx_ref=transaction.tx_ref,
            flw_ref=transaction.flw_ref,
            amount=amount,
            currency=transaction.currency,
            comment=comment,
            created_at=now,
            due_at=now + timedelta(seconds=behaviour.chargeback_answer_seconds),
            status="initiated",
            history=(first,),
        )
        self._set_timer(chargeback)
        return self._put(chargeback)

    def move(
        self, chargeback: Chargeback, status: ChargebackStatus, initiator: str, comment: str = ""
    ) -> Chargeback:
        """Take the next step; whether it is possible is for the caller to know."""
        step = ChargebackStep(
            at=self._machinery.clock.now(),
            initiator=initiator,
            action=status,
            description=comment or f"Chargeback {status}",
        )
        return self._put(replace(chargeback, status=status, history=(*chargeback.history, step)))

    def settle(self, chargebacks: Iterable[Chargeback], settlement_id: int) -> None:
        """Note which settlement has deducted them."""
        for chargeback in chargebacks:
            self._put(replace(chargeback, settlement_id=settlement_id))

    def _set_timer(self, chargeback: Chargeback) -> None:
        if chargeback.status == "initiated":
            lapse = partial(self._lapse, str(chargeback.id))
            self._machinery.clock.call_at(chargeback.due_at, lapse)

    def _lapse(self, number: str) -> None:
        chargeback = self._chargebacks.get(number)
        if chargeback is not None and chargeback.status == "initiated":
            self.move(chargeback, "lost", "flutterwave", "No answer before the due date")

    def _put(self, chargeback: Chargeback) -> Chargeback:
        return self._chargebacks.put(str(chargeback.id), chargeback)
