"""After which answers a second gateway is called, and what the member is told meanwhile.

The table is written by hand from the rules, not from the code: only proof that the first attempt
took and can take nothing lets another one start.
"""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from services.payments.domain.evidence import Answer
from services.payments.domain.payment import NO_ACTION
from services.payments.domain.states import PaymentStatus
from services.payments.mapping import payment_message
from services.payments.operations.create_payment import CreatePaymentCommand
from tests.operations.fakes import Operation, Step, link_of, reply
from tests.operations.suite import Suite, by_card, by_phone

CONFIRMING = "We are confirming your payment with the provider."
ON_THE_PAGE = "Finish your payment on the provider's page."
ON_THE_PHONE = "Approve the payment on your phone."


@dataclass(frozen=True, slots=True)
class Row:
    """The first gateway's reply to a creation, and what it proves about that attempt."""

    name: str
    reply: Step
    outcome: str
    next_gateway: bool
    told: str = CONFIRMING


def lost_link(answer: Answer) -> Step:
    return reply(answer, link="")


HOSTED = [
    Row("page", reply(Answer.REQUIRES_ACTION), "live", next_gateway=False, told=ON_THE_PAGE),
    Row("pending, page", reply(Answer.PENDING), "live", next_gateway=False, told=ON_THE_PAGE),
    Row("paid, page", reply(Answer.SUCCEEDED), "live", next_gateway=False, told=ON_THE_PAGE),
    Row("paid, no page", lost_link(Answer.SUCCEEDED), "unknown", next_gateway=False),
    Row("no page", lost_link(Answer.REQUIRES_ACTION), "undelivered", next_gateway=True),
    Row("pending, no page", lost_link(Answer.PENDING), "undelivered", next_gateway=True),
    Row("failed", reply(Answer.FAILED), "rejected", next_gateway=True),
    Row("not found", reply(Answer.NOT_FOUND), "undelivered", next_gateway=True),
    Row("not sent", reply(Answer.NOT_SENT), "undelivered", next_gateway=True),
    Row("not created", reply(Answer.NOT_CREATED), "rejected", next_gateway=True),
    Row("unknown", reply(Answer.UNKNOWN), "undelivered", next_gateway=True),
]
PROMPT = [
    Row("prompt", reply(Answer.REQUIRES_ACTION), "live", next_gateway=False, told=ON_THE_PHONE),
    Row("pending", reply(Answer.PENDING), "live", next_gateway=False, told=ON_THE_PHONE),
    Row("paid", reply(Answer.SUCCEEDED, action=NO_ACTION), "live", next_gateway=False),
    Row("failed", reply(Answer.FAILED), "rejected", next_gateway=True),
    Row("not found", reply(Answer.NOT_FOUND), "unknown", next_gateway=False),
    Row("not sent", reply(Answer.NOT_SENT), "undelivered", next_gateway=True),
    Row("not created", reply(Answer.NOT_CREATED), "rejected", next_gateway=True),
    Row("unknown", reply(Answer.UNKNOWN), "unknown", next_gateway=False),
]
CASES = [
    pytest.param(command, row, id=f"{command.payment_method}: {row.name}")
    for command, rows in ((by_card(), HOSTED), (by_phone(), PROMPT))
    for row in rows
]


@pytest.mark.parametrize(("command", "row"), CASES)
async def test_another_gateway_is_called_only_on_proof_that_the_first_took_nothing(
    suite: Suite, command: CreatePaymentCommand, row: Row
) -> None:
    suite.gateways.script("eversend", Operation.CREATE, row.reply)
    payment = await suite.create(command)
    attempts = [
        (each.gateway, str(each.outcome), each.number) for each in await suite.attempts(payment.id)
    ]
    first, second = ("eversend", row.outcome, 1), ("flutterwave", "live", 2)
    assert attempts == ([first, second] if row.next_gateway else [first])
    creations = [call.gateway for call in suite.gateways.made(Operation.CREATE)]
    assert creations == [gateway for gateway, _, _ in attempts]
    assert payment.status is PaymentStatus.PROCESSING
    assert payment.failure is None
    assert payment.gateway == creations[-1]
    assert payment.gateway_reference == suite.gateways.calls[-1].reference
    told = payment_message(payment).status_message
    assert told == (ON_THE_PAGE if row.next_gateway else row.told)
    assert payment == await suite.payment(payment.id)


async def test_a_reference_is_never_used_for_two_attempts(suite: Suite) -> None:
    for gateway in ("eversend", "flutterwave"):
        suite.gateways.always(Operation.CREATE, reply(Answer.UNKNOWN), gateway)
    await suite.create()
    references = [call.reference for call in suite.gateways.made(Operation.CREATE)]
    assert len(references) == len(set(references)) == 4


async def test_a_lost_page_is_tried_again_at_its_gateway_once_and_only_after_all_others(
    suite: Suite,
) -> None:
    suite.gateways.always(Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create()
    creations = [call.gateway for call in suite.gateways.made(Operation.CREATE)]
    assert creations == ["eversend", "flutterwave", "eversend", "flutterwave"]
    assert payment.status is PaymentStatus.FAILED
    assert payment.next_action == NO_ACTION
    assert payment.failure is not None
    assert payment.failure.code == "gateway_unavailable"
    assert "No money was taken" in payment_message(payment).status_message


async def test_a_page_that_is_lost_where_no_other_gateway_is_left_is_replaced_there(
    suite: Suite,
) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.NOT_CREATED))
    suite.gateways.script("flutterwave", Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create()
    attempts = await suite.attempts(payment.id)
    assert [(each.gateway, str(each.outcome)) for each in attempts] == [
        ("eversend", "rejected"),
        ("flutterwave", "undelivered"),
        ("flutterwave", "live"),
    ]
    assert payment.next_action.value == link_of("flutterwave", attempts[-1].reference)


async def test_with_one_gateway_a_lost_page_is_replaced_once(suite: Suite) -> None:
    suite.gateways.away.add("eversend")
    suite.gateways.always(Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create()
    creations = [call.gateway for call in suite.gateways.made(Operation.CREATE)]
    assert creations == ["flutterwave"] * 2
    assert payment.status is PaymentStatus.FAILED


@pytest.mark.parametrize("answer", [Answer.NOT_SENT, Answer.NOT_CREATED, Answer.FAILED])
async def test_a_gateway_that_refused_or_was_away_is_not_tried_again(
    suite: Suite, answer: Answer
) -> None:
    suite.gateways.always(Operation.CREATE, reply(answer, failure_code="amount_not_supported"))
    payment = await suite.create(by_phone())
    creations = [call.gateway for call in suite.gateways.made(Operation.CREATE)]
    assert creations == ["eversend", "flutterwave"]
    assert payment.status is PaymentStatus.FAILED
    assert payment.failure is not None
    assert payment.failure.code == "amount_not_supported"
    assert await suite.facts(payment.id) == ["payment.failed"]


async def test_after_a_prompt_that_may_be_on_the_phone_nothing_else_ever_starts_by_itself(
    suite: Suite,
) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.NOT_FOUND))
    payment = await suite.create(by_phone())
    quiet_until = suite.clock.now() + timedelta(seconds=suite.deps.timing.quiet)
    while suite.clock.now() < quiet_until:
        assert (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING
        await suite.check_next(payment.id)
    assert (await suite.payment(payment.id)).status is PaymentStatus.FAILED
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    failed = (await suite.payment(payment.id)).failure
    assert failed is not None
    assert failed.code == "never_confirmed"


async def test_a_lost_page_is_still_looked_up_and_money_found_there_counts(suite: Suite) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    suite.gateways.always(Operation.CREATE, reply(Answer.NOT_CREATED))
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    payment = await suite.create()
    assert payment.status is PaymentStatus.FAILED
    suite.clock.advance(5)
    await suite.check_attempts()
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert await suite.effects(payment.id) == ["tier_granted"]


async def test_a_failure_that_is_proven_is_told_with_the_last_reason(suite: Suite) -> None:
    suite.gateways.script(
        "eversend",
        Operation.CREATE,
        reply(Answer.NOT_CREATED, failure_code="currency_not_supported"),
    )
    suite.gateways.script("flutterwave", Operation.CREATE, reply(Answer.NOT_SENT))
    payment = await suite.create(by_phone())
    assert payment.failure is not None
    assert payment.failure.code == "gateway_unavailable"
    attempts = await suite.attempts(payment.id)
    assert [each.failure.code for each in attempts if each.failure] == [
        "currency_not_supported",
        "gateway_unavailable",
    ]
