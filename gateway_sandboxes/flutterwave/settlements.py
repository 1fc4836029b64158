"""Settlements: what the merchant is paid, and what is still on its way (contract A11)."""

from collections.abc import Sequence
from decimal import Decimal

from gateway_sandboxes.flutterwave.chargebacks import Chargebacks
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.records import Chargeback, Refund, Settlement, Transaction
from gateway_sandboxes.flutterwave.refunds import Refunds
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.serials import Serial
from gateway_sandboxes.store import Collection

_IDS_SINCE = 1_746_000_000  # 2025-04-30

_GONE = frozenset({"accepted", "lost"})


class Settlements:
    """Every settlement by id."""

    def __init__(
        self, machinery: Machinery, ledger: Ledger, refunds: Refunds, chargebacks: Chargebacks
    ) -> None:
        self._machinery = machinery
        self._ledger = ledger
        self._refunds = refunds
        self._chargebacks = chargebacks
        self._ids = Serial(10, _IDS_SINCE)
        self._settlements = Collection(machinery.store, "settlements", Settlement)

    def get(self, number: str) -> Settlement | None:
        """Return the settlement with this id."""
        return self._settlements.get(number)

    def all(self) -> list[Settlement]:
        """Return every settlement, oldest first."""
        return list(self._settlements.values())

    def transactions(self, settlement: Settlement) -> list[Transaction]:
        """Return what a settlement pays for."""
        found = (self._ledger.transaction(str(number)) for number in settlement.transaction_ids)
        return [transaction for transaction in found if transaction is not None]

    def unsettled(self) -> list[Transaction]:
        """Return the successful attempts that no settlement has paid for, oldest first."""
        settled = {number for each in self.all() for number in each.transaction_ids}
        return [
            transaction
            for transaction in self._ledger.transactions()
            if transaction.status == "successful" and transaction.id not in settled
        ]

    def settle(self, short_by: Decimal) -> list[Settlement]:
        """Pay the merchant everything that is due, one settlement for each currency.

        `short_by` (major units) is what each is wrong by.
        """
        by_currency: dict[str, list[Transaction]] = {}
        for transaction in self.unsettled():
            by_currency.setdefault(transaction.currency, []).append(transaction)
        with self._machinery.store.together():
            return [self._settle(due, short_by) for due in by_currency.values()]

    def _settle(self, due: Sequence[Transaction], short_by: Decimal) -> Settlement:
        currency = due[0].currency
        refunds = [each for each in self._refunds.all() if _is_due(each, currency)]
        chargebacks = [each for each in self._chargebacks.all() if _is_gone(each, currency)]
        gross = sum((each.charged_amount for each in due), Decimal(0))
        app_fee = sum((each.app_fee for each in due), Decimal(0))
        refund = sum((each.amount for each in refunds), Decimal(0))
        chargeback = sum((each.amount for each in chargebacks), Decimal(0))
        settlement = Settlement(
            id=self._ids.next(),
            currency=currency,
            transaction_ids=tuple(each.id for each in due),
            refund_ids=tuple(each.id for each in refunds),
            chargeback_ids=tuple(each.id for each in chargebacks),
            gross_amount=gross,
            app_fee=app_fee,
            refund=refund,
            chargeback=chargeback,
            net_amount=gross - app_fee - refund - chargeback - short_by,
            created_at=self._machinery.clock.now(),
        )
        self._refunds.settle(refunds, settlement.id)
        self._chargebacks.settle(chargebacks, settlement.id)
        return self._settlements.put(str(settlement.id), settlement)


def _is_due(refund: Refund, currency: str) -> bool:
    """Tell whether a refund has arrived and was not deducted yet."""
    arrived = refund.status not in ("completed", "failed")
    return arrived and refund.settlement_id is None and refund.currency == currency


def _is_gone(chargeback: Chargeback, currency: str) -> bool:
    """Tell whether a chargeback's money is gone and was not deducted yet."""
    undeducted = chargeback.settlement_id is None and chargeback.currency == currency
    return undeducted and chargeback.status in _GONE
