"""Refunds: what may be given back, and the way of each from accepted to arrived or failed (A4)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

from gateway_sandboxes.faults import REFUND_FAILS
from gateway_sandboxes.flutterwave.methods import METHODS
from gateway_sandboxes.flutterwave.records import Refund, RefundStatus, Transaction
from gateway_sandboxes.flutterwave.settings import Behaviour
from gateway_sandboxes.flutterwave.subjects import subject_of
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.serials import Serial
from gateway_sandboxes.store import Collection

_IDS_SINCE = 1_735_689_600  # 2025-01-01

_WALLETS = frozenset({"applepay", "googlepay"})

AnnounceRefund = Callable[[Refund], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """What the merchant asked for: the amount in major units, and what it says about it."""

    amount: Decimal
    comments: str | None
    callback_url: str | None


class Refunds:
    """Every refund by id. `announce` hears of those that have arrived or failed."""

    def __init__(self, machinery: Machinery, announce: AnnounceRefund) -> None:
        self._machinery = machinery
        self._announce = announce
        self._ids = Serial(10, _IDS_SINCE)
        self._refunds = Collection(machinery.store, "refunds", Refund)
        for refund in self._refunds.values():
            self.proceed(refund)

    def get(self, number: str) -> Refund | None:
        """Return the refund with this id."""
        return self._refunds.get(number)

    def all(self) -> list[Refund]:
        """Return every refund, oldest first."""
        return list(self._refunds.values())

    def under(self, tx_ref: str) -> list[Refund]:
        """Return the refunds of a reference, oldest first."""
        return [refund for refund in self._refunds.values() if refund.tx_ref == tx_ref]

    def refundable(self, transaction: Transaction) -> Decimal:
        """Return what is left of a successful attempt; failed refunds give theirs back."""
        given_back = (
            refund.amount
            for refund in self._refunds.values()
            if refund.transaction_id == transaction.id and refund.status != "failed"
        )
        return transaction.amount - sum(given_back, Decimal(0))

    def accept(self, transaction: Transaction, wish: RefundWish) -> Refund:
        """Take a refund on. It arrives, or under the fault `refund_fails` fails, later."""
        behaviour: Behaviour = self._machinery.behaviour.current
        now = self._machinery.clock.now()
        subject = subject_of(transaction, "refund", amount=wish.amount)
        marked = replace(subject, mark=wish.comments)
        fails = self._machinery.faults.take((REFUND_FAILS,), marked)
        refund = Refund(
            id=self._ids.next(),
            transaction_id=transaction.id,
            tx_ref=transaction.tx_ref,
            flw_ref=transaction.flw_ref,
            amount=wish.amount,
            currency=transaction.currency,
            comments=wish.comments,
            callback_url=wish.callback_url,
            created_at=now,
            updated_at=now,
            ends_at=now + timedelta(seconds=behaviour.refund_seconds),
            ends_as="failed" if fails else _arrived(transaction.option),
        )
        return self._put(refund)

    def proceed(self, refund: Refund) -> None:
        """Let time work on an accepted refund: it ends when it is due, perhaps now."""
        if refund.status != "completed":
            return
        if refund.ends_at <= self._machinery.clock.now():
            self._end(str(refund.id))
        else:
            self._machinery.clock.call_at(refund.ends_at, partial(self._end, str(refund.id)))

    def settle(self, refunds: Iterable[Refund], settlement_id: int) -> None:
        """Note which settlement has deducted them."""
        for refund in refunds:
            self._put(replace(refund, settlement_id=settlement_id))

    def _end(self, number: str) -> None:
        refund = self._refunds.get(number)
        if refund is None or refund.status != "completed":
            return
        now = self._machinery.clock.now()
        self._announce(self._put(replace(refund, status=refund.ends_as, updated_at=now)))

    def _put(self, refund: Refund) -> Refund:
        return self._refunds.put(str(refund.id), refund)


def _arrived(option: str) -> RefundStatus:
    """Return the status of a refund that has arrived, by the way the payer had paid."""
    kind = METHODS[option].kind
    if kind == "card" or option in _WALLETS:
        return "completed-mpgs"
    return "completed-momo" if kind == "mobile_money" else "completed-bank-transfer"
