"""What must hold at the end, when nothing can happen by itself any more."""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from uuid import UUID

from proofs.simulation.gateways.book import RealCharge, RealState
from proofs.simulation.storage import Database
from proofs.simulation.storage.ledger import sums
from proofs.simulation.storage.payments import bought_by
from proofs.simulation.truth import Truth
from services.payments.domain.attempts import Attempt
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.events import EventStatus
from services.payments.domain.ledger import clearing
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import RefundAttempt, RefundStatus
from services.payments.domain.states import OPEN_STATUSES, PaymentStatus

_PAID = frozenset(
    {
        PaymentStatus.COMPLETED,
        PaymentStatus.PARTIALLY_REFUNDED,
        PaymentStatus.REFUNDED,
        PaymentStatus.DISPUTED,
    }
)


class Judgement:
    """Compares our books with the gateways'."""

    def __init__(self, database: Database, truth: Truth) -> None:
        self._truth = truth
        self._database = database
        self._payments = list(database.payments.rows.values())
        self._captures = list(database.captures.rows.values())
        self._refunds = list(database.refunds.rows.values())
        self._attempts = [row.attempt for row in database.attempts.rows.values()]
        self._refund_attempts = [row.attempt for row in database.refund_attempts.rows.values()]

    def is_settled(self) -> bool:
        """Whether all is quiet at the gateways, and nothing is left for the schedule to find."""
        return self._truth.is_at_rest() and not self.violations()

    def violations(self) -> list[str]:
        """Return everything that must not be."""
        return [
            *self._waiting(),
            *self._money_without_effect(),
            *self._wrong_captures(),
            *self._charged_twice(),
            *self._wrong_payments(),
            *self._wrong_refunds(),
            *self._wrong_memberships(),
            *self._wrong_ledger(),
        ]

    def _waiting(self) -> Iterator[str]:
        """Yield what is not over, and is not in the hands of staff either."""
        held = {each.id for each in self._payments if each.review_reason is not None}
        for payment in self._payments:
            if payment.status in OPEN_STATUSES and payment.id not in held:
                yield f"STUCK: payment {payment.id} is still {payment.status}"
        attempts: list[Attempt | RefundAttempt] = [*self._attempts, *self._refund_attempts]
        for each in attempts:
            if each.unsettled and each.payment_id not in held:
                yield f"STUCK: attempt {each.reference} is still {each.outcome}"
        for event in self._database.events.rows.values():
            if event.next_try_at is not None and event.status is EventStatus.RECEIVED:
                yield f"STUCK: callback {event.id} is not handled"

    def _money_without_effect(self) -> Iterator[str]:
        """Yield charges that took money and are on no record of ours."""
        recorded = {(each.gateway, each.gateway_transaction_id) for each in self._captures}
        for charge in self._truth.taken():
            if (charge.gateway, charge.id) not in recorded:
                yield (
                    f"MONEY WITHOUT EFFECT: {charge.gateway} took {charge.amount} under"
                    f" {charge.reference} ({charge.id})"
                )

    def _wrong_captures(self) -> Iterator[str]:
        taken = {(charge.gateway, charge.id): charge for charge in self._truth.taken()}
        for capture in self._captures:
            charge = taken.get((capture.gateway, capture.gateway_transaction_id))
            if charge is None:
                yield f"NEVER PAID: capture {capture.id} has no charge at {capture.gateway}"
            else:
                yield from self._wrong_capture(capture, charge)

    def _wrong_capture(self, capture: Capture, charge: RealCharge) -> Iterator[str]:
        payment = self._payment(capture.payment_id)
        if capture.amount != charge.amount:
            yield f"capture {capture.id} is {capture.amount}, the charge {charge.amount}"
        if capture.use is CaptureUse.KEPT and payment.status not in _PAID:
            yield f"capture {capture.id} is kept, and payment {payment.id} is {payment.status}"
        if capture.use is CaptureUse.HELD and not capture.held_because:
            yield f"capture {capture.id} is held, and nobody knows why"
        going = [refund for refund in self._refunds if refund.capture_id == capture.id]
        if capture.excess.minor and not any(each.amount == capture.excess for each in going):
            yield f"the surplus of capture {capture.id} does not go back"

    def _charged_twice(self) -> Iterator[str]:
        """Yield what a member paid for twice and did not get back.

        Somebody who got another tier since may begin to buy the first one again.
        """
        attempts = {each.id: each for each in self._attempts}
        begun = {
            capture.payment_id: attempts[capture.attempt_id].created_at
            for capture in self._captures
            if capture.use is CaptureUse.KEPT
        }
        bought = [
            (payment.completed_at, payment)
            for payment in self._payments
            if payment.completed_at is not None and payment.id in begun
        ]
        kept = [each for each in bought if each[1].status is not PaymentStatus.REFUNDED]
        for (one, first), (other, second) in permutations(kept, 2):
            if bought_by(first) != bought_by(second) or one > other:
                continue
            switched = any(
                payment.user_id == first.user_id
                and bought_by(payment) != bought_by(first)
                and one <= at <= begun[second.id]
                for at, payment in bought
            )
            if not switched:
                yield (
                    f"DOUBLE CHARGE KEPT: {bought_by(first)} by payment {first.id} and again by"
                    f" {second.id}"
                )

    def _wrong_payments(self) -> Iterator[str]:
        granted = Counter(
            entry.payment_id
            for entry in self._database.audit.rows.values()
            if entry.action == "tier_granted"
        )
        for payment in self._payments:
            kept = [
                capture
                for capture in self._captures
                if capture.payment_id == payment.id and capture.use is CaptureUse.KEPT
            ]
            paid = payment.status in _PAID
            if paid != (len(kept) == 1):
                yield f"payment {payment.id} is {payment.status} with {len(kept)} kept captures"
            if granted[payment.id] != paid:
                yield (
                    f"payment {payment.id} is {payment.status} and was granted"
                    f" {granted[payment.id]} times"
                )

    def _wrong_refunds(self) -> Iterator[str]:
        told = {
            entry.payment_id
            for entry in self._database.audit.rows.values()
            if entry.action == "refund_doubled"
        }
        for refund in self._refunds:
            ours = {
                (each.gateway, each.reference)
                for each in self._refund_attempts
                if each.refund_id == refund.id
            }
            real = [
                each for each in self._truth.refunds() if (each.gateway, each.reference) in ours
            ]
            done = sum(each.state is RealState.SUCCESSFUL for each in real)
            if len(real) > len(ours):
                yield f"SENT TWICE: {len(real)} refunds of {len(ours)} attempts of {refund.id}"
            if done > 1 and refund.payment_id not in told:
                yield f"REFUNDED TWICE: refund {refund.id} went back {done} times"
            if (refund.status is RefundStatus.SUCCEEDED) != (done > 0):
                yield f"refund {refund.id} is {refund.status}, and {done} went back"
            if any(each.amount != refund.amount for each in real):
                yield f"refund {refund.id} went back with another amount"

    def _wrong_memberships(self) -> Iterator[str]:
        for membership in self._database.memberships.rows.values():
            if membership.tier == FREE_TIER:
                continue
            payment = membership.payment_id and self._payment(membership.payment_id)
            if not payment or payment.status not in _PAID:
                yield f"{membership.user_id} has {membership.tier} that nobody paid for"

    def _wrong_ledger(self) -> Iterator[str]:
        held: Counter[tuple[str, str]] = Counter()
        for entry in self._database.ledger.rows.values():
            if any(sums(entry).values()):
                yield f"the entry of {entry.source} does not balance"
            for line in entry.lines:
                held[line.account, line.amount.currency] += line.amount.minor
        for book in self._truth.books:
            ours, theirs = held[clearing(book.gateway), "UGX"], book.balance("UGX")
            if ours != theirs:
                yield f"LEDGER: {book.gateway} owes us {theirs}, our books say {ours}"

    def _payment(self, payment_id: UUID) -> Payment:
        return self._database.payments.rows[payment_id]
