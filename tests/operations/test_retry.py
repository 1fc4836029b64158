"""Trying again: a new attempt, and only once the old one is proven over or closed."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from kit.errors import InvalidRequestError, ServiceError
from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, Payment, PaymentMethod
from services.payments.domain.states import PaymentStatus
from services.payments.operations.idempotency import encode_answer
from tests.operations.fakes import Gate, Operation, link_of, reply
from tests.operations.stories import (
    DECLINED,
    NOBODY_PAYS,
    PRICE,
    arrived,
    asked,
    bought,
    cancelled,
    expired,
    failed,
    fully_refunded,
    held,
    paid,
    refused,
    surplus_of,
    uses,
)
from tests.operations.suite import Suite, by_card, by_phone, refusal

Story = Callable[[Suite], Awaitable[Payment]]
OVER = pytest.mark.parametrize("story", [failed, expired], ids=["failed", "expired"])


@OVER
async def test_a_payment_that_is_over_gets_a_new_attempt_at_the_best_gateway(
    suite: Suite, story: Story
) -> None:
    payment = await story(suite)
    before = len(suite.gateways.calls)
    suite.gateways.script("eversend", Operation.LOOK_UP, NOBODY_PAYS)
    again = await suite.retry(payment)
    old, new = await suite.attempts(payment.id)
    assert asked(suite)[before:] == ["look_up", "create"]
    assert again == await suite.payment(payment.id)
    assert (again.status, again.failure) == (PaymentStatus.PROCESSING, None)
    assert again.next_action.value == link_of("eversend", new.reference)
    assert (new.number, new.round, new.gateway) == (2, 2, "eversend")
    assert old.reference != new.reference
    assert (await arrived(suite, payment)).status is PaymentStatus.COMPLETED


@OVER
async def test_late_money_on_the_old_attempt_completes_instead_of_a_new_one(
    suite: Suite, story: Story
) -> None:
    payment = await story(suite)
    suite.gateways.script("eversend", Operation.LOOK_UP, paid())
    again = await suite.retry(payment)
    assert again.status is PaymentStatus.COMPLETED
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    assert await uses(suite, payment) == ["kept"]


async def test_the_answer_that_found_late_money_is_the_answer_of_its_key(suite: Suite) -> None:
    payment = await failed(suite)
    suite.gateways.script("eversend", Operation.LOOK_UP, paid())
    answer = await suite.retry(payment)
    assert encode_answer(await suite.retry(payment)) == encode_answer(answer)


async def test_a_gateway_that_cannot_be_asked_about_a_decline_does_not_stop_a_new_attempt(
    suite: Suite,
) -> None:
    payment = await failed(suite)
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.UNKNOWN))
    again = await suite.retry(payment)
    assert again.next_action.kind is ActionKind.REDIRECT


async def test_too_little_money_that_is_found_late_stops_the_new_attempt(suite: Suite) -> None:
    payment = await failed(suite)
    suite.gateways.script(
        "eversend", Operation.LOOK_UP, paid(amount=replace(PRICE, minor=PRICE.minor - 1))
    )
    assert await refused(suite.retry(payment)) == "PAYMENT_NOT_RETRYABLE"
    assert await uses(suite, payment) == ["held"]
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_the_member_may_try_again_by_another_method(suite: Suite) -> None:
    payment = await failed(suite)
    again = await suite.retry(
        payment,
        payment_method=PaymentMethod.MOBILE_MONEY,
        mobile_money_network="AIRTEL",
        phone_number="+256752999888",
    )
    assert again.next_action.kind is ActionKind.PHONE_PROMPT
    assert again.next_action.value.endswith("88")
    purchase = again.purchase
    assert (purchase.payment_method, purchase.mobile_money_network) == (
        PaymentMethod.MOBILE_MONEY,
        "AIRTEL",
    )
    assert (purchase.amount, purchase.customer.country_code) == (PRICE, "UG")
    assert await suite.payment(payment.id) == again


async def test_without_another_method_the_narrowing_of_the_old_one_stays(suite: Suite) -> None:
    suite.gateways.script(
        "eversend", Operation.CREATE, reply(Answer.NOT_CREATED, failure_code="declined")
    )
    suite.gateways.script("flutterwave", Operation.CREATE, reply(Answer.NOT_CREATED))
    payment = await suite.create(by_phone(mobile_money_network="MTN"))
    assert payment.status is PaymentStatus.FAILED
    again = await suite.retry(payment)
    assert again.purchase == payment.purchase


async def test_a_method_that_nobody_offers_is_refused_and_changes_nothing(suite: Suite) -> None:
    payment = await failed(suite)
    with pytest.raises(InvalidRequestError):
        await suite.retry(
            payment, payment_method=PaymentMethod.EXPRESS, payment_option="bank_transfer"
        )
    assert await suite.payment(payment.id) == payment


async def test_the_same_key_gets_the_same_answer_whatever_happened_meanwhile(suite: Suite) -> None:
    payment = await failed(suite)
    answer = await suite.retry(payment)
    await arrived(suite, payment)
    assert encode_answer(await suite.retry(payment)) == encode_answer(answer)
    assert len(suite.gateways.made(Operation.CREATE)) == 2


async def test_the_same_key_with_another_method_is_refused(suite: Suite) -> None:
    payment = await failed(suite)
    await suite.retry(payment)
    by_phone_now = suite.retry(payment, payment_method=PaymentMethod.MOBILE_MONEY)
    assert await refused(by_phone_now) == "IDEMPOTENCY_KEY_REUSED"


async def test_the_same_key_is_told_to_wait_while_the_first_request_runs(suite: Suite) -> None:
    payment = await failed(suite)
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    first = asyncio.create_task(suite.retry(payment))
    await gate.reached()
    assert await refused(suite.retry(payment)) == "REQUEST_IN_PROGRESS"
    gate.open()
    answer = await first
    assert encode_answer(await suite.retry(payment)) == encode_answer(answer)
    assert len(suite.gateways.made(Operation.CREATE)) == 2


async def test_while_another_payment_for_the_same_thing_is_open_nothing_is_tried_again(
    suite: Suite,
) -> None:
    payment = await failed(suite)
    other = await suite.create(by_card(idempotency_key="key-2"))
    with pytest.raises(ServiceError) as raised:
        await suite.retry(payment)
    assert raised.value.reason == "PAYMENT_ALREADY_OPEN"
    assert raised.value.metadata["payment_id"] == str(other.id)
    assert (await suite.payment(payment.id)).status is PaymentStatus.FAILED
    assert len(suite.gateways.made(Operation.CREATE)) == 2


async def test_what_the_member_has_meanwhile_is_not_tried_again(suite: Suite) -> None:
    payment = await failed(suite)
    await bought(suite, by_card(idempotency_key="key-2"))
    assert await refused(suite.retry(payment)) == "TIER_ALREADY_ACTIVE"
    assert (await suite.payment(payment.id)).status is PaymentStatus.FAILED


async def partly_refunded(suite: Suite) -> Payment:
    payment = await bought(suite)
    await suite.refund(payment, replace(PRICE, minor=1))
    await suite.work_on_refunds()
    return payment


NOT_OVER = {
    "completed": bought,
    "cancelled": cancelled,
    "refunded": fully_refunded,
    "partly refunded": partly_refunded,
    "held for review": held,
}


@pytest.mark.parametrize("story", NOT_OVER.values(), ids=NOT_OVER)
async def test_a_payment_whose_money_arrived_or_that_was_withdrawn_is_not_tried_again(
    suite: Suite, story: Story
) -> None:
    payment = await story(suite)
    before = await suite.payment(payment.id)
    calls = len(suite.gateways.calls)
    assert await refused(suite.retry(payment)) == "PAYMENT_NOT_RETRYABLE"
    assert await suite.payment(payment.id) == before
    assert len(suite.gateways.calls) == calls


async def test_a_payment_that_is_still_being_created_is_not_tried_again(suite: Suite) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    creation = asyncio.create_task(suite.create())
    await gate.reached()
    (row,) = await suite.witness.rows("SELECT id FROM creators_membership")
    payment = await suite.payment(row["id"])
    assert await refused(suite.retry(payment)) == "PAYMENT_NOT_RETRYABLE"
    gate.open()
    await creation


async def test_an_open_page_is_closed_before_another_way_to_pay_begins(suite: Suite) -> None:
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.LOOK_UP, NOBODY_PAYS)
    again = await suite.retry(payment, payment_method=PaymentMethod.MOBILE_MONEY)
    assert asked(suite) == ["create", "cancel", "look_up", "create"]
    page, prompt = await suite.attempts(payment.id)
    assert (page.outcome, prompt.outcome) == (AttemptOutcome.CANCELLED, AttemptOutcome.LIVE)
    assert again.next_action.kind is ActionKind.PHONE_PROMPT
    assert await suite.moves(payment.id) == ["processing"]


NOT_ACKNOWLEDGED = [
    (Answer.FAILED, "ATTEMPT_NOT_CLOSED"),
    (Answer.NOT_CREATED, "ATTEMPT_NOT_CLOSED"),
    (Answer.UNKNOWN, "GATEWAY_NOT_REACHABLE"),
    (Answer.NOT_SENT, "GATEWAY_NOT_REACHABLE"),
    (Answer.PENDING, "GATEWAY_NOT_REACHABLE"),
    (Answer.NOT_FOUND, "GATEWAY_NOT_REACHABLE"),
]


@pytest.mark.parametrize(("closing", "reason"), NOT_ACKNOWLEDGED)
async def test_a_page_whose_closing_is_not_acknowledged_is_not_replaced(
    suite: Suite, closing: Answer, reason: str
) -> None:
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.CANCEL, reply(closing))
    assert await refused(suite.retry(payment)) == reason
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    assert await suite.payment(payment.id) == payment


@pytest.mark.parametrize("answer", [Answer.UNKNOWN, Answer.NOT_SENT, Answer.NOT_CREATED])
async def test_a_closed_page_is_not_replaced_before_the_gateway_said_that_nobody_paid(
    suite: Suite, answer: Answer
) -> None:
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(answer))
    assert await refused(suite.retry(payment)) == "GATEWAY_NOT_REACHABLE"
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_a_page_on_which_somebody_pays_at_this_moment_is_not_replaced(suite: Suite) -> None:
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.PENDING))
    assert await refused(suite.retry(payment)) == "ATTEMPT_NOT_CLOSED"
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_money_that_arrives_while_the_page_closes_completes_and_nothing_new_begins(
    suite: Suite,
) -> None:
    payment = await suite.create()
    suite.gateways.script("eversend", Operation.LOOK_UP, paid())
    answer = await suite.retry(payment)
    assert answer.status is PaymentStatus.COMPLETED
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    assert encode_answer(await suite.retry(payment)) == encode_answer(answer)


@pytest.mark.parametrize("on_the_phone", [True, False], ids=["live", "unknown"])
async def test_a_prompt_that_may_be_approved_is_not_replaced(
    suite: Suite, *, on_the_phone: bool
) -> None:
    sent = reply(Answer.PENDING if on_the_phone else Answer.UNKNOWN)
    suite.gateways.script("eversend", Operation.CREATE, sent)
    payment = await suite.create(by_phone())
    suite.gateways.always(Operation.CANCEL, reply(Answer.NOT_CREATED))
    by_card_now = suite.retry(payment, payment_method=PaymentMethod.CARD)
    assert await refused(by_card_now) == "ATTEMPT_NOT_CLOSED"
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    assert await suite.payment(payment.id) == payment


async def test_a_new_round_may_try_every_gateway_again_and_each_only_once(suite: Suite) -> None:
    suite.gateways.always(Operation.CREATE, reply(Answer.NOT_CREATED))
    payment = await suite.create()
    for round_ in (1, 2, 3):
        if round_ > 1:
            payment = await suite.retry(payment, key=f"retry-{round_}")
        assert payment.status is PaymentStatus.FAILED
        attempts = await suite.attempts(payment.id)
        assert [each.gateway for each in attempts if each.round == round_] == [
            "eversend",
            "flutterwave",
        ]
    numbers = [each.number for each in await suite.attempts(payment.id)]
    assert numbers == [1, 2, 3, 4, 5, 6]


async def test_when_every_gateway_is_away_nothing_is_recorded_and_the_key_stays_free(
    suite: Suite,
) -> None:
    payment = await failed(suite)
    suite.gateways.away |= {"eversend", "flutterwave"}
    assert await refused(suite.retry(payment)) == "GATEWAYS_UNAVAILABLE"
    assert await suite.payment(payment.id) == payment
    suite.gateways.away.clear()
    assert (await suite.retry(payment)).next_action.kind is ActionKind.REDIRECT


async def test_a_gateway_that_is_away_is_passed_over(suite: Suite) -> None:
    payment = await failed(suite)
    suite.gateways.away |= {"eversend"}
    assert (await suite.retry(payment)).gateway == "flutterwave"


async def test_what_was_given_up_for_lost_and_turns_up_stops_the_new_attempt(suite: Suite) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create(by_phone())
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    while (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING:
        await suite.check_next(payment.id)
    assert (await suite.payment(payment.id)).status is PaymentStatus.FAILED
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.PENDING))
    assert await refused(suite.retry(payment)) == "ATTEMPT_NOT_CLOSED"
    suite.gateways.script("eversend", Operation.LOOK_UP, DECLINED)
    assert (await suite.retry(payment)).status is PaymentStatus.PROCESSING


async def test_ten_retries_at_once_with_one_key_make_one_attempt(suite: Suite) -> None:
    payment = await failed(suite)
    results = await asyncio.gather(
        *(suite.retry(payment) for _ in range(10)), return_exceptions=True
    )
    assert {refusal(each) for each in results} <= {"", "REQUEST_IN_PROGRESS"}
    answers = {encode_answer(each) for each in results if isinstance(each, Payment)}
    assert len(answers) == 1
    assert len(suite.gateways.made(Operation.CREATE)) == 2


@OVER
async def test_ten_retries_at_once_with_ten_keys_make_one_attempt(
    suite: Suite, story: Story
) -> None:
    payment = await story(suite)
    results = await asyncio.gather(
        *(suite.retry(payment, key=f"key {number}") for number in range(10)),
        return_exceptions=True,
    )
    assert "" in {refusal(each) for each in results}
    assert {refusal(each) for each in results} <= {"", "REQUEST_IN_PROGRESS", "ATTEMPT_NOT_CLOSED"}
    attempts = await suite.attempts(payment.id)
    assert len(attempts) == len(suite.gateways.made(Operation.CREATE)) == 2


async def test_a_second_retry_by_another_method_closes_what_the_first_began(suite: Suite) -> None:
    payment = await failed(suite)
    await suite.retry(payment)
    suite.gateways.script("eversend", Operation.LOOK_UP, NOBODY_PAYS, NOBODY_PAYS)
    await suite.retry(payment, key="retry-2", payment_method=PaymentMethod.MOBILE_MONEY)
    outcomes = [each.outcome for each in await suite.attempts(payment.id)]
    assert outcomes == ["rejected", "cancelled", "live"]
    assert (await arrived(suite, payment)).status is PaymentStatus.COMPLETED
    assert await surplus_of(suite, payment) == []
