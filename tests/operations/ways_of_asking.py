"""The ways in which a gateway comes to be asked about an attempt: each must find the same."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.operations.verify_payment import verify_payment
from tests.operations.fakes import Operation, Step, reply
from tests.operations.suite import Suite


async def by_poll(suite: Suite, payment: Payment) -> None:
    await suite.check_next(payment.id)


async def by_callback(suite: Suite, payment: Payment) -> None:
    key = f"event {len(suite.gateways.calls)} of {payment.id}"
    await suite.deliver(await suite.newest_attempt(payment.id), key=key)
    assert await suite.handle_events() == 1


async def by_request(suite: Suite, payment: Payment) -> None:
    await verify_payment(suite.deps, await suite.payment(payment.id))


Way = Callable[[Suite, Payment], Awaitable[None]]
EVERY_WAY = pytest.mark.parametrize("ask", [by_poll, by_callback, by_request])


def paid(**changes: Any) -> Step:
    return reply(Answer.SUCCEEDED, **changes)


async def found(suite: Suite, payment: Payment, *steps: Step, ask: Way = by_poll) -> Payment:
    """Have the gateway say something about the newest attempt; return the payment afterwards."""
    suite.gateways.script((await suite.payment(payment.id)).gateway, Operation.LOOK_UP, *steps)
    for _ in steps:
        await ask(suite, payment)
    return await suite.payment(payment.id)


async def declined(suite: Suite, payment: Payment, ask: Way = by_poll) -> Payment:
    """Have the last try on a page fail, also after it was closed; return the payment afterwards."""
    failed = reply(Answer.FAILED, failure_code="card_declined")
    suite.gateways.script(payment.gateway, Operation.LOOK_UP, failed, failed)
    await ask(suite, payment)
    return await suite.payment(payment.id)
