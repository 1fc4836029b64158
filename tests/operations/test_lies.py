"""What does not match our record exactly grants nothing, whatever the combination of lies."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import pytest

from kit.money import Money
from services.payments.domain.attempts import Attempt, AttemptOutcome, Flow
from services.payments.domain.captures import CaptureUse
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer, Evidence
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import Payment
from services.payments.domain.ruling import judge
from services.payments.domain.states import PaymentStatus
from tests.operations.fakes import Operation, reply
from tests.operations.stories import cancelled, look_up, paid
from tests.operations.suite import Suite, by_card
from tests.unit.factories import NOW, PRICE, make_attempt, make_payment

# Another reference, none, and near misses of ours.
REFERENCES = ["cp0001", "", "cp0002", "CP0001", " cp0001", "cp0001\x00", "cp000", "0001"]
CURRENCIES = ["UGX", "KES", "USD", "RWF"]
# One minor unit less and more, a hundred times too little and too much, nothing near, and exact.
MINORS = [34_999, 350, 1, 0, -35_000, 35_000, 35_001, 3_500_000]
STATUSES = [
    PaymentStatus.PENDING,
    PaymentStatus.PROCESSING,
    PaymentStatus.FAILED,
    PaymentStatus.EXPIRED,
    PaymentStatus.CANCELLED,
    PaymentStatus.COMPLETED,
    PaymentStatus.REFUNDED,
]
COMPLETABLE = STATUSES[:4]


@dataclass(frozen=True, slots=True)
class Lie:
    """What a gateway says that it took, and under which reference."""

    reference: str
    amount: Money | None

    @property
    def true_enough(self) -> bool:
        """Whether our reference has at least the price in our currency."""
        if self.reference != "cp0001" or self.amount is None:
            return False
        return self.amount.currency == PRICE.currency and self.amount.minor >= PRICE.minor


def lies() -> Iterator[Lie]:
    amounts = [Money(currency, minor) for currency, minor in product(CURRENCIES, MINORS)]
    return (Lie(*each) for each in product(REFERENCES, [*amounts, None]))


LIES = [lie for lie in lies() if not lie.true_enough]


def story(status: PaymentStatus, flow: Flow) -> tuple[Payment, Attempt]:
    payment = make_payment(status=status)
    return payment, make_attempt(flow=flow, outcome=AttemptOutcome.LIVE, link="https://x.example")


def told(lie: Lie) -> ChargeReport:
    return ChargeReport(
        answer=Answer.SUCCEEDED,
        reference=lie.reference,
        amount=lie.amount,
        gateway_transaction_id="tx-1",
    )


def test_no_lie_grants_anything_in_any_state() -> None:
    cases = list(product(STATUSES, Flow, LIES))
    grants = 0
    for status, flow, lie in cases:
        payment, attempt = story(status, flow)
        ruling = judge(payment, attempt, Evidence.PAID, told(lie), NOW)
        grants += ruling.grants
        assert (
            ruling.payment.status is not PaymentStatus.COMPLETED or status is ruling.payment.status
        )
        assert ruling.payment.completed_at == payment.completed_at
    assert len(cases) >= 500
    assert grants == 0


def test_every_lie_about_money_of_a_payment_that_waits_is_held_with_a_reason() -> None:
    for status, lie in product(COMPLETABLE, LIES):
        payment, attempt = story(status, Flow.HOSTED)
        ruling = judge(payment, attempt, Evidence.PAID, told(lie), NOW)
        assert ruling.payment.review_reason
        ours = lie.reference == "cp0001" and lie.amount is not None and lie.amount.minor > 0
        assert (ruling.taken is not None) is ours
        assert ruling.taken is None or ruling.taken.use is CaptureUse.HELD


def test_the_truth_grants_in_every_state_that_can_be_completed() -> None:
    truths = [lie for lie in lies() if lie.true_enough]
    assert len(truths) == 3
    for status, lie in product(COMPLETABLE, truths):
        payment, attempt = story(status, Flow.HOSTED)
        ruling = judge(payment, attempt, Evidence.PAID, told(lie), NOW)
        assert ruling.grants
        assert lie.amount is not None
        assert ruling.taken is not None
        assert ruling.taken.excess.minor == lie.amount.minor - PRICE.minor


def test_only_the_word_succeeded_grants() -> None:
    payment, attempt = story(PaymentStatus.PROCESSING, Flow.HOSTED)
    truth = told(Lie("cp0001", PRICE))
    for evidence in set(Evidence) - {Evidence.PAID}:
        assert not judge(payment, attempt, evidence, truth, NOW).grants


# The worst of the lies through the whole check, with the database.
TOLD = [
    Lie("ours", Money("UGX", 34_999)),
    Lie("ours", Money("UGX", 350)),
    Lie("ours", Money("UGX", 1)),
    Lie("ours", Money("KES", 35_000)),
    Lie("ours", Money("USD", 3_500_000)),
    Lie("ours", None),
    Lie("ours", Money("UGX", 0)),
    Lie("ours", Money("UGX", -35_000)),
    Lie("", PRICE),
    Lie("cpsomebodyelse", PRICE),
    Lie("cpsomebodyelse", Money("UGX", 3_500_000)),
    Lie("cpsomebodyelse", Money("KES", 1)),
]


@pytest.mark.parametrize("lie", TOLD, ids=str)
@pytest.mark.parametrize("by_callback", [True, False], ids=["callback", "check"])
async def test_a_lie_grants_nothing_however_often_it_is_told(
    suite: Suite, lie: Lie, *, by_callback: bool
) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    reference = attempt.reference if lie.reference == "ours" else lie.reference
    said = paid(reference=reference, amount=lie.amount)
    suite.gateways.always(Operation.LOOK_UP, said)
    for number in range(3):
        if by_callback:
            await suite.deliver(attempt, key=f"event {number}")
            await suite.handle_events()
        else:
            await look_up(suite, attempt, said)
    after = await suite.payment(payment.id)
    assert (after.status, after.completed_at) == (PaymentStatus.PROCESSING, None)
    assert after.review_reason is not None
    assert (await suite.membership()).tier == FREE_TIER
    took = lie.amount is not None and lie.amount.minor > 0
    assert len(await suite.captures(payment.id)) == (lie.reference == "ours" and took)


async def test_nothing_that_arrives_after_a_cancellation_is_nothing(suite: Suite) -> None:
    payment = await cancelled(suite)
    attempt = await suite.newest_attempt(payment.id)
    after = await look_up(suite, attempt, paid(amount=Money("UGX", 0)))
    assert after.status is PaymentStatus.CANCELLED
    assert await suite.captures(payment.id) == []
    assert await suite.refunds(payment.id) == []


async def test_a_lie_does_not_stand_in_the_way_of_the_truth(suite: Suite) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    await look_up(suite, attempt, paid(reference="cpsomebodyelse"), paid())
    after = await suite.payment(payment.id)
    assert (after.status, after.review_reason) == (PaymentStatus.COMPLETED, None)


@pytest.mark.parametrize("answer", [each for each in Answer if each is not Answer.SUCCEEDED])
async def test_a_callback_whose_gateway_says_anything_but_paid_grants_nothing(
    suite: Suite, answer: Answer
) -> None:
    payment = await suite.create(by_card())
    attempt = await suite.newest_attempt(payment.id)
    said = reply(answer, gateway_transaction_id="tx-1", gateway_status="successful")
    suite.gateways.always(Operation.LOOK_UP, said)
    await suite.deliver(attempt, gateway_transaction_id="tx-1")
    await suite.handle_events()
    assert (await suite.membership()).tier == FREE_TIER
    assert await suite.captures(payment.id) == []


async def test_money_under_our_reference_at_the_other_gateway_is_not_ours(suite: Suite) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    suite.gateways.always(Operation.LOOK_UP, paid(), gateway="flutterwave")
    event_id = await suite.deliver(replace(attempt, gateway="flutterwave"))
    await suite.handle_events()
    assert (await suite.event_row(event_id))["status"] == "unattributed"
    assert await suite.captures(payment.id) == []
    assert (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING
