"""How stories about money begin and go on: paid, declined, closed, sent back."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import pytest

from kit.errors import ServiceError
from kit.money import Money
from services.payments.domain.attempts import Attempt
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.domain.refunds import Refund, RefundPurpose
from services.payments.domain.states import PaymentStatus
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.create_payment import CreatePaymentCommand
from tests.operations.fakes import Operation, Step, refund_reply, reply
from tests.operations.suite import Suite, by_card

PRICE = Money("UGX", 35_000)
UNDERPAID = Money("UGX", 34_999)
NOBODY_PAYS = reply(Answer.NOT_FOUND)
DECLINED = reply(Answer.FAILED, failure_code="card_declined")
_MOST_ROUNDS = 40


def paid(**changes: Any) -> Step:
    """Answer that the gateway took the price, unless `changes` say otherwise."""
    return reply(Answer.SUCCEEDED, **changes)


def alerts(logs: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what operators were alerted about."""
    return [line["event"] for line in logs if line.get("alert") is True]


def asked(suite: Suite) -> list[str]:
    """Return what the gateways were asked for, in order."""
    return [call.operation.value for call in suite.gateways.calls]


async def refused(call: Awaitable[object]) -> str:
    """Return the reason with which a call is refused."""
    with pytest.raises(ServiceError) as raised:
        await call
    return raised.value.reason


async def look_up(suite: Suite, attempt: Attempt, *steps: Step) -> Payment:
    """Ask about one attempt, once for every step; return its payment afterwards."""
    for step in steps:
        suite.gateways.script(attempt.gateway, Operation.LOOK_UP, step)
        await check_attempt(suite.deps, await stored(suite, attempt))
    return await suite.payment(attempt.payment_id)


async def stored(suite: Suite, attempt: Attempt) -> Attempt:
    """Return an attempt as it is stored now."""
    attempts = await suite.attempts(attempt.payment_id)
    return next(each for each in attempts if each.id == attempt.id)


async def arrived(suite: Suite, payment: Payment, **changes: Any) -> Payment:
    """Let money arrive on the newest attempt; the price, unless `changes` say otherwise."""
    return await look_up(suite, await suite.newest_attempt(payment.id), paid(**changes))


async def bought(suite: Suite, command: CreatePaymentCommand | None = None) -> Payment:
    """Let a member buy something."""
    payment = await arrived(suite, await suite.create(command or by_card()))
    assert payment.status is PaymentStatus.COMPLETED
    return payment


async def failed(suite: Suite, command: CreatePaymentCommand | None = None) -> Payment:
    """Let a member be declined on the hosted page, and the gateway close it.

    From then on nobody pays unless a test says so.
    """
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    payment = await suite.create(command or by_card())
    attempt = await suite.newest_attempt(payment.id)
    suite.gateways.script(attempt.gateway, Operation.LOOK_UP, DECLINED, DECLINED)
    await check_attempt(suite.deps, attempt)
    payment = await suite.payment(payment.id)
    assert payment.status is PaymentStatus.FAILED
    return payment


async def expired(suite: Suite) -> Payment:
    """Let a hosted page lapse without anybody paying on it, or later unless a test says so."""
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    lapses = suite.clock.now().replace(hour=16)
    open_page = reply(Answer.REQUIRES_ACTION, expires_at=lapses)
    suite.gateways.script("eversend", Operation.CREATE, open_page)
    payment = await suite.create()
    suite.clock.move_to(lapses)
    suite.gateways.script("eversend", Operation.LOOK_UP, NOBODY_PAYS, NOBODY_PAYS)
    await check_attempt(suite.deps, await suite.newest_attempt(payment.id))
    payment = await suite.payment(payment.id)
    assert payment.status is PaymentStatus.EXPIRED
    return payment


async def cancelled(suite: Suite) -> Payment:
    """Let a member withdraw a payment."""
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.LOOK_UP, NOBODY_PAYS)
    return await suite.cancel(payment)


async def held(suite: Suite, amount: Money | None = UNDERPAID) -> Payment:
    """Let money arrive that does not fit."""
    payment = await arrived(suite, await suite.create(), amount=amount)
    assert payment.review_reason is not None
    return payment


async def fully_refunded(suite: Suite) -> Payment:
    """Let all the money of a payment go back."""
    payment = await bought(suite)
    await suite.refund(payment)
    await money_goes_back(suite)
    payment = await suite.payment(payment.id)
    assert payment.status is PaymentStatus.REFUNDED
    return payment


async def money_goes_back(suite: Suite) -> None:
    """Let the gateways do every refund that is on its way."""
    suite.gateways.always(Operation.REFUND, refund_reply(Answer.SUCCEEDED))
    suite.gateways.always(Operation.LOOK_UP_REFUND, refund_reply(Answer.SUCCEEDED))
    while due := await _next_refund_due(suite):
        suite.clock.move_to(due)
        await suite.work_on_refunds()


async def surplus_of(suite: Suite, payment: Payment) -> list[tuple[Money, str]]:
    """Return what goes back of a payment without anybody asking, with where it stands."""
    refunds = await suite.refunds(payment.id)
    return [
        (refund.amount, str(refund.status))
        for refund in refunds
        if refund.purpose is RefundPurpose.SURPLUS
    ]


async def uses(suite: Suite, payment: Payment) -> list[str]:
    """Return what the payment's captured money counts for, in alphabetical order."""
    return sorted(str(capture.use) for capture in await suite.captures(payment.id))


async def settle(suite: Suite) -> None:
    """Have a worker do all that is due at this moment."""
    for _ in range(_MOST_ROUNDS):
        done = await suite.handle_events() + await suite.check_attempts()
        if not done + await suite.work_on_refunds():
            return
    raise AssertionError("there is always something due")


async def newest_refund(suite: Suite, payment: Payment) -> Refund:
    return (await suite.refunds(payment.id))[-1]


Happening = Callable[[Suite, Payment], Awaitable[object]]


async def _next_refund_due(suite: Suite) -> Any:
    """Return when the next refund under way is due, or None when there is none."""
    (row,) = await suite.witness.rows(
        "SELECT min(next_check_at) AS due FROM refund_attempts "
        "WHERE outcome NOT IN ('succeeded', 'failed')"
    )
    return row["due"]
