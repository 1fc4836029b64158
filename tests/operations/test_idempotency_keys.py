"""Same key, same answer; whatever is sent twice, at once or from two tabs, is paid once."""

import asyncio
from datetime import timedelta

import pytest

from kit.errors import ServiceError
from services.payments.domain.evidence import Answer
from services.payments.domain.membership import RENEWAL_WINDOW
from services.payments.domain.payment import ActionKind, BillingCycle, Payment
from services.payments.domain.states import PaymentStatus
from services.payments.operations.create_payment import CreatePaymentCommand
from services.payments.operations.idempotency import encode_answer
from tests.operations.fakes import PATIENCE_SECONDS, Call, Gate, Operation, meanwhile, reply
from tests.operations.suite import Suite, by_card, by_phone, refusal

AT_ONCE = 20
TAKEOVER_SECONDS = 30


async def pay(suite: Suite, payment: Payment) -> Payment:
    """Have the gateway report the money of a payment's newest attempt."""
    attempt = await suite.newest_attempt(payment.id)
    suite.gateways.script(attempt.gateway, Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.deliver(attempt, key=f"event of {attempt.reference}")
    assert await suite.handle_events() == 1
    return await suite.payment(payment.id)


async def refused(suite: Suite, command: CreatePaymentCommand) -> ServiceError:
    with pytest.raises(ServiceError) as raised:
        await suite.create(command)
    return raised.value


async def together(suite: Suite, commands: list[CreatePaymentCommand]) -> list[object]:
    return await asyncio.gather(*(suite.create(each) for each in commands), return_exceptions=True)


@pytest.mark.parametrize(
    ("first", "status"),
    [(Answer.REQUIRES_ACTION, PaymentStatus.PROCESSING), (Answer.NOT_SENT, PaymentStatus.FAILED)],
)
async def test_a_repeated_request_gets_the_first_answer_byte_for_byte(
    suite: Suite, first: Answer, status: PaymentStatus
) -> None:
    suite.gateways.always(Operation.CREATE, reply(first))
    answer = await suite.create()
    assert answer.status is status
    calls = len(suite.gateways.calls)
    suite.clock.advance(3600)
    assert encode_answer(await suite.create()) == encode_answer(answer)
    assert len(suite.gateways.calls) == calls


async def test_the_answer_stays_the_first_one_when_the_payment_moves_on(suite: Suite) -> None:
    answer = await suite.create()
    assert (await pay(suite, answer)).status is PaymentStatus.COMPLETED
    again = await suite.create()
    assert again.status is PaymentStatus.PROCESSING
    assert encode_answer(again) == encode_answer(answer)


async def test_a_key_with_other_parameters_is_refused_and_nothing_is_recorded(
    suite: Suite,
) -> None:
    await suite.create()
    error = await refused(suite, by_card(tier="studio"))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED")
    seen = await suite.witness.look()
    assert len(seen.payments) == len(seen.attempts) == seen.keys == 1


async def test_a_key_with_other_parameters_is_refused_also_while_the_first_runs(
    suite: Suite,
) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    first = asyncio.create_task(suite.create())
    await gate.reached()
    assert (await refused(suite, by_phone())).reason == "IDEMPOTENCY_KEY_REUSED"
    gate.open()
    await first


async def test_a_repetition_while_the_first_runs_is_told_to_come_again(suite: Suite) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    first = asyncio.create_task(suite.create())
    await gate.reached()
    error = await refused(suite, by_card())
    assert (error.code, error.reason) == ("ABORTED", "REQUEST_IN_PROGRESS")
    gate.open()
    answer = await first
    assert encode_answer(await suite.create()) == encode_answer(answer)
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_a_key_whose_run_was_taken_over_answers_with_what_the_worker_decided(
    suite: Suite,
) -> None:
    gate, fresh = Gate(), Gate()
    created = reply(Answer.REQUIRES_ACTION)
    suite.gateways.script("eversend", Operation.CREATE, gate.before(created), fresh.before(created))
    server = suite.process()
    stopped = asyncio.create_task(server.create())
    await gate.reached()
    await server.die()
    await asyncio.gather(stopped, return_exceptions=True)
    suite.clock.advance(TAKEOVER_SECONDS)
    taking_over = asyncio.create_task(suite.process(sender="worker").check_attempts())
    await fresh.reached()
    undecided = await suite.create()
    assert undecided.status is PaymentStatus.PENDING
    fresh.open()
    await taking_over
    answer = await suite.create()
    assert answer.id == undecided.id
    assert answer.next_action.kind is ActionKind.REDIRECT
    assert answer == await suite.payment(answer.id)
    await pay(suite, answer)
    assert encode_answer(await suite.create()) == encode_answer(answer)


async def test_a_refusal_is_not_stored_under_its_key(suite: Suite) -> None:
    suite.gateways.away |= {"eversend", "flutterwave"}
    assert (await refused(suite, by_card())).reason == "GATEWAYS_UNAVAILABLE"
    assert (await suite.witness.look()).keys == 0
    suite.gateways.away.clear()
    assert (await suite.create()).status is PaymentStatus.PROCESSING


async def test_two_tabs_with_two_keys_share_one_payment(suite: Suite) -> None:
    one = await suite.create(by_card(idempotency_key="tab-1"))
    other = await suite.create(
        by_card(idempotency_key="tab-2", return_url="https://creators.example/other")
    )
    assert other == one
    await pay(suite, one)
    for key in ("tab-1", "tab-2"):
        url = one.purchase.return_url if key == "tab-1" else "https://creators.example/other"
        again = await suite.create(by_card(idempotency_key=key, return_url=url))
        assert encode_answer(again) == encode_answer(one)
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_the_second_tab_waits_while_the_first_one_is_sending(suite: Suite) -> None:
    gate = Gate()
    suite.gateways.script("eversend", Operation.CREATE, gate.before(reply(Answer.REQUIRES_ACTION)))
    first = asyncio.create_task(suite.create())
    await gate.reached()
    second_tab = by_card(idempotency_key="tab-2")
    assert (await refused(suite, second_tab)).reason == "REQUEST_IN_PROGRESS"
    gate.open()
    answer = await first
    assert await suite.create(second_tab) == answer


async def test_while_one_way_to_pay_is_open_another_is_refused_and_its_key_stays_free(
    suite: Suite,
) -> None:
    payment = await suite.create()
    by_other_means = by_phone(idempotency_key="key-2")
    error = await refused(suite, by_other_means)
    assert (error.code, error.reason) == ("ALREADY_EXISTS", "PAYMENT_ALREADY_OPEN")
    assert error.metadata == {"payment_id": str(payment.id)}
    suite.gateways.script("eversend", Operation.LOOK_UP, reply(Answer.NOT_FOUND))
    await suite.cancel(payment)
    assert (await suite.create(by_other_means)).next_action.kind is ActionKind.PHONE_PROMPT


@pytest.mark.parametrize(
    "other",
    [
        by_card(idempotency_key="key-2", tier="studio"),
        by_card(idempotency_key="key-2", billing_cycle=BillingCycle.ANNUAL),
        by_card(idempotency_key="key-2", user_id="member-2"),
    ],
    ids=["tier", "cycle", "member"],
)
async def test_another_purchase_is_another_payment(
    suite: Suite, other: CreatePaymentCommand
) -> None:
    one = await suite.create()
    another = await suite.create(other)
    assert another.id != one.id
    assert len(suite.gateways.made(Operation.CREATE)) == 2


async def test_what_is_paid_for_cannot_be_bought_again_before_the_renewal_window(
    suite: Suite,
) -> None:
    await pay(suite, await suite.create())
    end = (await suite.membership()).period_end
    assert end is not None
    again = by_card(idempotency_key="key-2")
    suite.clock.move_to(end - RENEWAL_WINDOW - timedelta(microseconds=1))
    error = await refused(suite, again)
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "TIER_ALREADY_ACTIVE")
    assert (await suite.witness.look()).keys == 1
    suite.clock.advance(0.000001)
    assert (await suite.create(again)).status is PaymentStatus.PROCESSING


async def test_one_key_sent_twenty_times_at_once_makes_one_charge(suite: Suite) -> None:
    outcomes = await together(suite, [by_card()] * AT_ONCE)
    assert {refusal(each) for each in outcomes} <= {"", "REQUEST_IN_PROGRESS"}
    answers = {encode_answer(each) for each in outcomes if isinstance(each, Payment)}
    answers.add(encode_answer(await suite.create()))
    assert len(answers) == 1
    seen = await suite.witness.look()
    assert (len(seen.payments), len(seen.attempts), seen.keys) == (1, 1, 1)
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_twenty_tabs_at_once_make_one_charge(suite: Suite) -> None:
    tabs = [by_card(idempotency_key=f"tab-{tab}") for tab in range(AT_ONCE)]
    outcomes = await together(suite, tabs)
    assert {refusal(each) for each in outcomes} <= {"", "REQUEST_IN_PROGRESS"}
    answers = {encode_answer(await suite.create(tab)) for tab in tabs}
    assert len(answers) == 1
    seen = await suite.witness.look()
    assert (len(seen.payments), len(seen.attempts), seen.keys) == (1, 1, AT_ONCE)
    assert len(suite.gateways.made(Operation.CREATE)) == 1


async def test_twenty_members_at_once_do_not_wait_for_each_other(suite: Suite) -> None:
    """Every charge is answered only once all have left: whoever waited for another would hang."""
    everybody = asyncio.Barrier(AT_ONCE)

    async def all_have_left(_call: Call) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await everybody.wait()

    created = meanwhile(all_have_left, reply(Answer.REQUIRES_ACTION))
    suite.gateways.always(Operation.CREATE, created)
    members = [by_card(user_id=f"member-{number}") for number in range(AT_ONCE)]
    assert {refusal(each) for each in await together(suite, members)} == {""}
