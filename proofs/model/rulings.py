"""Calls the product's pure decisions with values that stand for the model's."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from kit.money import Money
from proofs.model.policy import Policy
from proofs.model.scenarios import Scenario
from services.payments.domain import payment as product
from services.payments.domain.attempts import INTERRUPTED, Attempt, AttemptOutcome, Flow
from services.payments.domain.audit import AuditKind
from services.payments.domain.captures import CaptureUse
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer, Evidence
from services.payments.domain.failures import failure
from services.payments.domain.ruling import bought_elsewhere
from services.payments.domain.states import PaymentStatus
from services.payments.router import Route, next_route

_AT = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)
_PRICE = Money("UGX", 35_000)
_TOO_LITTLE = Money("UGX", 34_000)
_PAYMENT = product.Payment(
    id=UUID(int=1),
    purchase=product.Purchase(
        user_id="member",
        tier="pro",
        billing_cycle=product.BillingCycle.MONTHLY,
        payment_method=product.PaymentMethod.MOBILE_MONEY,
        amount=_PRICE,
        price_book_version=1,
        customer=product.Customer(email="member@example.com", phone_number="+256772123456"),
        return_url="https://creators.example/return",
    ),
    previous_tier="free",
    idempotency_key="key",
    status=PaymentStatus.PENDING,
    version=1,
    created_at=_AT,
    updated_at=_AT,
)
_ATTEMPT = Attempt(
    id=UUID(int=2),
    payment_id=_PAYMENT.id,
    number=1,
    gateway="first",
    reference="reference",
    flow=Flow.HOSTED,
    outcome=AttemptOutcome.SENDING,
    amount=_PRICE,
    created_at=_AT,
    sent_at=_AT,
)


class Found(NamedTuple):
    """A finding and what it meets on record. `elsewhere`: the same was bought already."""

    status: PaymentStatus
    held: bool
    outcome: AttemptOutcome
    flow: Flow
    evidence: Evidence
    short: bool
    elsewhere: bool


class Ruled(NamedTuple):
    """What the product makes of a finding. `path`: the payment's moves, one after the other."""

    path: tuple[tuple[PaymentStatus, PaymentStatus], ...]
    held: bool
    outcome: AttemptOutcome
    use: CaptureUse | None
    grants: bool


class Tried(NamedTuple):
    """What the router sees of an attempt."""

    route: int
    round: int
    outcome: AttemptOutcome
    due: bool
    interrupted: bool


class World:
    """A scenario under a policy, with the decisions that were asked for before."""

    def __init__(self, policy: Policy, scenario: Scenario) -> None:
        self.policy = policy
        self.scenario = scenario
        self._routes = [
            Route(gateway=str(index), flow=flow) for index, flow in enumerate(scenario.flows)
        ]
        self._ruled: dict[Found, Ruled] = {}
        self._next: dict[tuple[Tried, ...], int | None] = {}

    def flow(self, route: int) -> Flow:
        """Return how a gateway reaches the payer."""
        return self.scenario.flows[route]

    def ruling(self, found: Found) -> Ruled:
        """Return what the product makes of a finding."""
        if found not in self._ruled:
            self._ruled[found] = _ruled(self.policy, found)
        return self._ruled[found]

    def next_route(self, tried: tuple[Tried, ...]) -> int | None:
        """Return the gateway that the product tries next, or None."""
        if tried not in self._next:
            route = next_route(self._routes, [_tried(each) for each in tried])
            self._next[tried] = None if route is None else self._routes.index(route)
        return self._next[tried]


def _ruled(policy: Policy, found: Found) -> Ruled:
    payment = replace(
        _PAYMENT, status=found.status, review_reason="held before" if found.held else None
    )
    attempt = replace(_ATTEMPT, outcome=found.outcome, flow=found.flow)
    amount = _TOO_LITTLE if found.short else _PRICE
    report = ChargeReport(answer=Answer.SUCCEEDED, reference=attempt.reference, amount=amount)
    ruling = policy.judge(payment, attempt, found.evidence, report, _AT)
    if ruling.grants and found.elsewhere and policy.knows_what_was_bought:
        ruling = bought_elsewhere(payment, ruling.attempt, amount, _AT)
    path = tuple(
        (note.from_status, note.to_status)
        for note in ruling.notes
        if note.kind is AuditKind.MOVE and note.from_status and note.to_status
    )
    return Ruled(
        path=path,
        held=ruling.payment.review_reason is not None,
        outcome=ruling.attempt.outcome,
        use=ruling.taken.use if ruling.taken else None,
        grants=ruling.grants,
    )


def _tried(seen: Tried) -> Attempt:
    return replace(
        _ATTEMPT,
        gateway=str(seen.route),
        round=seen.round,
        outcome=seen.outcome,
        next_check_at=_AT if seen.due else None,
        failure=failure(INTERRUPTED, _AT) if seen.interrupted else None,
    )
