"""What must hold after every commit, checked against the gateways' own books."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from proofs.simulation.adapters import GatewaySide
from proofs.simulation.nature import Nature
from proofs.simulation.storage import Database, Unit
from proofs.simulation.storage.payments import bought_by
from proofs.simulation.storage.rows import AttemptRow
from proofs.simulation.truth import Truth
from services.payments.domain.attempts import Attempt, AttemptOutcome
from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.captures import CaptureUse
from services.payments.domain.membership import Membership
from services.payments.domain.payment import Payment
from services.payments.domain.states import KEPT_STATUSES, PaymentStatus

Edge = tuple[PaymentStatus, PaymentStatus]


class Watch:
    """Watches every commit. `edges`: the moves of payments that were seen, with their number."""

    def __init__(self, nature: Nature, database: Database, gateways: GatewaySide) -> None:
        self.truth = Truth(gateways)
        self.violations: list[str] = []
        self.edges: Counter[Edge] = Counter()
        self._nature = nature
        self._database = database
        database.on_commit = self._committed

    def violated(self, what: str) -> None:
        """Take down what must never happen, and stop the world."""
        self.violations.append(what)
        self._nature.story.tell("!!!", what)
        self._nature.loop.stop()

    def _committed(self, unit: Unit) -> None:
        written: Mapping[Any, Mapping[Any, Any]] = unit.writes
        history: Mapping[int, AuditEntry] = written.get(self._database.audit, {})
        payments: Mapping[UUID, Payment] = written.get(self._database.payments, {})
        attempts: Mapping[UUID, AttemptRow] = written.get(self._database.attempts, {})
        for payment in payments.values():
            self._check_payment(payment, history)
        for membership in written.get(self._database.memberships, {}).values():
            self._check_membership(membership, unit)
        for key, row in attempts.items():
            if row.attempt.link:
                self.truth.shown.add(row.attempt.reference)
            if key not in self._database.attempts.rows:
                self._check_new_attempt(row.attempt, attempts, payments)

    def _check_payment(self, payment: Payment, history: Mapping[int, AuditEntry]) -> None:
        before = self._database.payments.rows.get(payment.id)
        moves = [
            (entry.from_status, entry.to_status)
            for entry in history.values()
            if entry.payment_id == payment.id and entry.kind is AuditKind.MOVE
        ]
        if before is None:
            return
        if payment.version < before.version:
            self.violated(f"payment {payment.id} went back to version {payment.version}")
        at = before.status
        for old, new in moves:
            if old is not at or new is None:
                self.violated(f"the history moves payment {payment.id} from {old}, not {at}")
                return
            self.edges[at, new] += 1
            at = new
        if at is not payment.status:
            self.violated(f"payment {payment.id} is {payment.status}, its history says {at}")

    def _check_membership(self, membership: Membership, unit: Unit) -> None:
        """Check that money for an older choice does not undo a purchase that began since."""
        before = self._database.memberships.rows.get(membership.user_id)
        if before is None or before.payment_id is None or membership.payment_id is None:
            return
        chosen_at = self._chosen_at(membership.payment_id, unit)
        undone = unit.get(self._database.payments, before.payment_id)
        if undone is None or undone.status not in KEPT_STATUSES:
            # What it bought went back.
            return
        same = (before.tier, before.billing_cycle) == (membership.tier, membership.billing_cycle)
        if not same and chosen_at is not None and chosen_at < undone.created_at:
            self.violated(
                f"OLDER CHOICE: {membership.user_id} had {before.tier} {before.billing_cycle} and"
                f" now has {membership.tier} {membership.billing_cycle}, which was chosen before it"
            )

    def _chosen_at(self, payment_id: UUID, unit: Unit) -> datetime | None:
        """Return when the attempt began whose money completed a payment."""
        for _, capture in unit.rows(self._database.captures):
            if capture.payment_id == payment_id and capture.use is CaptureUse.KEPT:
                row = unit.get(self._database.attempts, capture.attempt_id)
                return row.attempt.created_at if row else None
        return None

    def _check_new_attempt(
        self,
        attempt: Attempt,
        written: Mapping[UUID, AttemptRow],
        payments: Mapping[UUID, Payment],
    ) -> None:
        """Check that no other attempt for the same thing can take money."""
        stored = self._database.payments.rows
        wanted = bought_by(payments.get(attempt.payment_id) or stored[attempt.payment_id])
        for key, row in self._database.attempts.rows.items():
            other = written[key].attempt if key in written else row.attempt
            same = bought_by(stored[other.payment_id]) == wanted
            if same and self._is_open_without_proof(other):
                self.violated(
                    f"NO PROOF: {attempt.reference} begins at {attempt.gateway} while"
                    f" {other.reference} at {other.gateway} ({other.outcome}) can take money"
                )

    def _is_open_without_proof(self, other: Attempt) -> bool:
        """Whether an attempt can take money, and no documented rule accepts that it can."""
        if other.outcome is AttemptOutcome.SUCCEEDED or not self.truth.keeps_its_word(other):
            return False
        # The rule of the quiet time: what arrives after it goes back by itself.
        absent = other.outcome is AttemptOutcome.UNDELIVERED and other.absence.count > 0
        return not absent and self.truth.can_take_money(other)
