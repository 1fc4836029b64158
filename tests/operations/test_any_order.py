"""Callbacks and polls may interleave in any order, or run at once: the end is the same."""

import asyncio
from itertools import permutations
from typing import Any
from uuid import UUID

from services.payments.domain.attempts import Attempt
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.evidence import Answer
from services.payments.operations.check_attempt import check_attempt
from tests.operations.fakes import Operation, reply
from tests.operations.suite import LEASE_SECONDS, Suite, by_card, by_phone

HAPPENINGS = ("callback", "callback again", "gateway away", "poll", "poll")
ORDERS = sorted(set(permutations(HAPPENINGS)))
NEXT_DUE = """
SELECT min(due) AS at FROM (
    SELECT next_try_at AS due FROM webhook_events UNION SELECT next_check_at FROM payment_attempts
) AS times
"""
# What is left of a payment when everything has happened. Times and counters may differ.
END = """
SELECT payment.status, payment.version, payment.gateway_transaction_id <> '' AS transaction_known,
    payment.next_action_kind, payment.error_code, payment.review_reason,
    ARRAY(SELECT outcome FROM payment_attempts WHERE payment_id = payment.id) AS attempts,
    ARRAY(SELECT to_status FROM payment_audit_log WHERE payment_id = payment.id AND kind = 'move'
        ORDER BY id) AS moves,
    ARRAY(SELECT action FROM payment_audit_log WHERE payment_id = payment.id AND kind = 'effect'
        ORDER BY id) AS effects,
    ARRAY(SELECT topic FROM outbox WHERE payment_id = payment.id ORDER BY id) AS facts,
    ARRAY(SELECT status FROM webhook_events WHERE payment_id = payment.id) AS events,
    tier, current_period_end = current_period_start + interval '1 month' AS one_month
FROM creators_membership AS payment LEFT JOIN memberships USING (user_id) WHERE payment.id = $1
"""
GRANTED_ONCE = {
    "status": "completed",
    "version": 3,
    "transaction_known": True,
    "next_action_kind": "none",
    "error_code": None,
    "review_reason": None,
    "attempts": ["succeeded"],
    "moves": ["processing", "completed"],
    "effects": ["tier_granted"],
    "facts": ["payment.completed"],
    "events": ["processed"],
    "tier": "pro",
    "one_month": True,
}


async def happen(suite: Suite, attempt: Attempt, what: str) -> None:
    """Let one thing happen to an attempt whose money has arrived at its gateway."""
    if what == "gateway away":
        # Whoever asks next gets no answer.
        suite.gateways.script(attempt.gateway, Operation.LOOK_UP, reply(Answer.UNKNOWN))
    elif what == "poll":
        await check_attempt(suite.deps, attempt)
    else:
        await suite.deliver(attempt, key=f"success of {attempt.reference}")
        await suite.handle_events()


async def end_of(suite: Suite, payment_id: UUID) -> dict[str, Any]:
    """Work off whatever is still due, and return what is left of the payment."""
    while (due := (await suite.witness.rows(NEXT_DUE))[0]["at"]) is not None:
        suite.clock.advance(LEASE_SECONDS)
        suite.clock.move_to(due)
        await suite.handle_events()
        await suite.check_attempts()
    (row,) = await suite.witness.rows(END, payment_id)
    return dict(row)


async def test_every_order_of_callbacks_and_polls_ends_the_same(suite: Suite) -> None:
    assert len(ORDERS) == 60
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    for number, order in enumerate(ORDERS):
        payment = await suite.create(by_card(user_id=f"member-{number}"))
        attempt = await suite.newest_attempt(payment.id)
        for what in order:
            await happen(suite, attempt, what)
        assert await end_of(suite, payment.id) == GRANTED_ONCE, order


async def test_callbacks_and_polls_of_a_lost_prompt_that_run_at_once_grant_once(
    suite: Suite,
) -> None:
    suite.gateways.always(Operation.CREATE, reply(Answer.UNKNOWN))
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    for number in range(10):
        payment = await suite.create(by_phone(user_id=f"member-{number}"))
        attempt = await suite.newest_attempt(payment.id)
        suite.clock.advance(5)
        outcomes = await asyncio.gather(
            *(happen(suite, attempt, what) for what in HAPPENINGS if what != "gateway away"),
            suite.check_attempts(),
            return_exceptions=True,
        )
        assert all(each is None or isinstance(each, int | StaleWriteError) for each in outcomes)
        assert await end_of(suite, payment.id) == GRANTED_ONCE
