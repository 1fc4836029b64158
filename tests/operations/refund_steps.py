"""Steps of stories about refunds: asked for, sent, answered, looked up."""

from datetime import timedelta

from kit.money import Money
from services.payments.domain.evidence import Answer
from services.payments.domain.refunds import Refund, RefundAttempt, RefundStatus
from services.payments.domain.states import PaymentStatus
from tests.operations.fakes import Operation, Step, refund_reply
from tests.operations.stories import PRICE, bought, money_goes_back
from tests.operations.suite import Suite

QUIET = timedelta(minutes=15)
DONE = refund_reply(Answer.SUCCEEDED)
FAILED = refund_reply(Answer.FAILED, failure_code="refund_failed")
ACCEPTED = refund_reply(Answer.PENDING)
NOT_THERE = refund_reply(Answer.NOT_FOUND)
LOST = refund_reply(Answer.UNKNOWN)


def ugx(minor: int) -> Money:
    return Money("UGX", minor)


async def sent(suite: Suite, answer: Step, amount: Money | None = None) -> Refund:
    """Let somebody ask for the money of a completed payment, and the gateway answer."""
    payment = await bought(suite)
    refund = await suite.refund(payment, amount)
    suite.gateways.script("eversend", Operation.REFUND, answer)
    await suite.work_on_refunds()
    return await read(suite, refund)


async def read(suite: Suite, refund: Refund) -> Refund:
    """Return a refund as it is stored now."""
    return next(each for each in await suite.refunds(refund.payment_id) if each.id == refund.id)


async def newest(suite: Suite, refund: Refund) -> RefundAttempt:
    return (await suite.refund_attempts(refund.id))[-1]


async def looked_up(suite: Suite, refund: Refund, *answers: Step) -> Refund:
    """Let the gateway say what became of a refund, at each of the next looks."""
    for answer in answers:
        suite.gateways.script(refund.gateway, Operation.LOOK_UP_REFUND, answer)
        await suite.work_on_next_refund(refund.id)
    return await read(suite, refund)


def creations(suite: Suite) -> list[str]:
    """Return the references under which money was told to go back, in order."""
    return [call.reference for call in suite.gateways.made(Operation.REFUND)]


async def all_sent_once(suite: Suite, refund: Refund) -> None:
    """Let the gateway do all that it has: in the end the payer has the money, once."""
    await money_goes_back(suite)
    refund = await read(suite, refund)
    assert refund.status is RefundStatus.SUCCEEDED
    payment = await suite.payment(refund.payment_id)
    assert (payment.status, payment.refunded) == (PaymentStatus.REFUNDED, PRICE)
    assert await suite.balance("clearing:eversend") == 0
    assert await suite.balance("revenue:memberships") == 0
