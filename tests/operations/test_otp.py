"""One-time passwords: until one comes nothing can be paid, from then on there is one prompt."""

import asyncio

import pytest

from services.payments.domain.attempts import AttemptOutcome
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, Payment, PaymentMethod
from services.payments.domain.states import PaymentStatus
from services.payments.operations.idempotency import encode_answer
from services.payments.operations.take_over_attempt import release_interrupted
from tests.operations.breaking_storage import BreakingStorage, Fault
from tests.operations.fakes import Call, Gate, Operation, Step, meanwhile, otp_asked, reply
from tests.operations.stories import (
    NOBODY_PAYS,
    arrived,
    paid,
    refused,
    settle,
    surplus_of,
    uses,
)
from tests.operations.suite import LEASE_SECONDS, Suite, by_phone, refusal

OTP_SECONDS, TAKEOVER_SECONDS = 900, 30
WRONG = reply(Answer.NOT_CREATED, failure_code="incorrect_otp")


async def asked_for_password(suite: Suite) -> Payment:
    suite.gateways.always(Operation.LOOK_UP, NOBODY_PAYS)
    suite.gateways.script("eversend", Operation.CREATE, otp_asked())
    return await suite.create(by_phone())


async def outcome(suite: Suite, payment: Payment) -> AttemptOutcome:
    return (await suite.newest_attempt(payment.id)).outcome


async def test_the_member_is_asked_for_the_password_and_not_shown_whole_numbers(
    suite: Suite,
) -> None:
    payment = await asked_for_password(suite)
    assert payment.status is PaymentStatus.PROCESSING
    assert payment.next_action.kind is ActionKind.OTP
    assert payment.next_action.value.startswith("+256")
    assert "•" in payment.next_action.value
    attempt = await suite.newest_attempt(payment.id)
    assert attempt.awaits_otp


async def test_the_right_password_puts_one_prompt_on_the_phone(suite: Suite) -> None:
    payment = await asked_for_password(suite)
    answer = await suite.submit(payment)
    assert answer.next_action.kind is ActionKind.PHONE_PROMPT
    assert answer == await suite.payment(payment.id)
    (call,) = suite.gateways.made(Operation.SUBMIT)
    assert call.otp == "123456"
    assert call.seen.attempts == ((call.reference, "eversend", "sending"),)
    assert call.seen.open_transactions == 0
    assert await outcome(suite, payment) is AttemptOutcome.LIVE
    assert (await arrived(suite, payment)).status is PaymentStatus.COMPLETED


async def test_the_password_is_written_nowhere(suite: Suite) -> None:
    payment = await asked_for_password(suite)
    await suite.submit(payment, otp="73518264")
    tables = await suite.witness.rows(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
    )
    for (table,) in tables:
        rows = await suite.witness.rows(f'SELECT t::text FROM "{table}" t')  # noqa: S608 - names from the catalogue
        assert not [row for row in rows if "73518264" in row[0]], table


async def test_a_wrong_password_is_asked_for_again_with_any_key(suite: Suite) -> None:
    payment = await asked_for_password(suite)
    suite.gateways.script("eversend", Operation.SUBMIT, WRONG, WRONG)
    assert await refused(suite.submit(payment, otp="111111")) == "OTP_REFUSED"
    assert await refused(suite.submit(payment, otp="222222")) == "OTP_REFUSED"
    assert (await suite.newest_attempt(payment.id)).awaits_otp
    assert (await suite.payment(payment.id)).next_action.kind is ActionKind.OTP
    answer = await suite.submit(payment, otp="333333")
    assert answer.next_action.kind is ActionKind.PHONE_PROMPT
    assert [call.otp for call in suite.gateways.made(Operation.SUBMIT)] == [
        "111111",
        "222222",
        "333333",
    ]
    assert len(await suite.attempts(payment.id)) == 1


async def test_a_password_that_never_left_may_be_entered_again(suite: Suite) -> None:
    payment = await asked_for_password(suite)
    suite.gateways.script("eversend", Operation.SUBMIT, reply(Answer.NOT_SENT))
    assert await refused(suite.submit(payment)) == "GATEWAY_NOT_REACHABLE"
    assert (await suite.submit(payment)).next_action.kind is ActionKind.PHONE_PROMPT


@pytest.mark.parametrize(
    "answer", [Answer.NOT_CREATED, Answer.FAILED], ids=["not taken", "declined"]
)
async def test_a_charge_that_the_gateway_ends_instead_fails_and_can_be_tried_again(
    suite: Suite, answer: Answer
) -> None:
    payment = await asked_for_password(suite)
    suite.gateways.script("eversend", Operation.SUBMIT, reply(answer, failure_code="declined"))
    ended = await suite.submit(payment)
    assert ended.status is PaymentStatus.FAILED
    assert suite.gateways.made(Operation.CREATE)[1:] == []
    again = await suite.retry(payment, payment_method=PaymentMethod.CARD)
    assert again.next_action.kind is ActionKind.REDIRECT


async def test_a_lost_reply_leaves_it_unknown_and_no_second_prompt_is_sent(suite: Suite) -> None:
    payment = await asked_for_password(suite)
    suite.gateways.script("eversend", Operation.SUBMIT, reply(Answer.UNKNOWN))
    answer = await suite.submit(payment)
    assert (answer.status, answer.next_action.kind) == (PaymentStatus.PROCESSING, ActionKind.NONE)
    assert await outcome(suite, payment) is AttemptOutcome.UNKNOWN
    assert await refused(suite.submit(payment, key="otp-2")) == "NO_ACTION_EXPECTED"
    assert await refused(suite.cancel(payment)) == "ATTEMPT_NOT_CLOSED"
    by_card_now = suite.retry(payment, payment_method=PaymentMethod.CARD)
    assert await refused(by_card_now) == "ATTEMPT_NOT_CLOSED"
    assert len(suite.gateways.made(Operation.SUBMIT)) == 1
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    await arrived(suite, payment)
    assert await uses(suite, payment) == ["kept"]


async def test_a_lost_password_that_the_gateway_never_got_ends_after_the_quiet_time(
    suite: Suite,
) -> None:
    payment = await asked_for_password(suite)
    suite.gateways.script("eversend", Operation.SUBMIT, reply(Answer.UNKNOWN))
    # The quiet time counts from the password, not from the creation before it.
    suite.clock.advance(OTP_SECONDS - 1)
    await suite.submit(payment)
    sent_at = suite.clock.now()
    while (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING:
        await suite.check_next(payment.id)
    assert (suite.clock.now() - sent_at).total_seconds() >= suite.deps.timing.quiet
    assert (await suite.payment(payment.id)).status is PaymentStatus.FAILED


async def test_the_same_password_sent_twice_at_once_goes_out_once(suite: Suite) -> None:
    payment = await asked_for_password(suite)
    results = await asyncio.gather(
        *(suite.submit(payment) for _ in range(5)),
        *(suite.submit(payment, key=f"other {number}") for number in range(5)),
        return_exceptions=True,
    )
    assert "" in {refusal(each) for each in results}
    assert {refusal(each) for each in results} <= {"", "REQUEST_IN_PROGRESS", "NO_ACTION_EXPECTED"}
    assert len(suite.gateways.made(Operation.SUBMIT)) == 1


async def test_the_same_key_gets_the_same_answer_and_another_password_is_refused(
    suite: Suite,
) -> None:
    payment = await asked_for_password(suite)
    answer = await suite.submit(payment)
    await arrived(suite, payment)
    assert encode_answer(await suite.submit(payment)) == encode_answer(answer)
    assert await refused(suite.submit(payment, otp="999999")) == "IDEMPOTENCY_KEY_REUSED"
    assert len(suite.gateways.made(Operation.SUBMIT)) == 1


@pytest.mark.parametrize("restarts", [True, False], ids=["restarted", "taken over"])
async def test_a_process_that_dies_while_the_password_leaves_leaves_one_unknown_prompt(
    suite: Suite, *, restarts: bool
) -> None:
    payment = await asked_for_password(suite)
    gate, process = Gate(), suite.process()
    suite.gateways.script("eversend", Operation.SUBMIT, gate.before(reply(Answer.PENDING)))
    submitting = asyncio.create_task(process.submit(payment))
    await gate.reached()
    await process.die()
    with pytest.raises(asyncio.CancelledError):
        await submitting
    assert await refused(suite.submit(payment)) == "REQUEST_IN_PROGRESS"
    suite.clock.advance(1 if restarts else TAKEOVER_SECONDS)
    if restarts:
        await release_interrupted(suite.process().deps, suite.clock.now())
    await settle(suite)
    assert await outcome(suite, payment) is AttemptOutcome.UNKNOWN
    answer = await suite.submit(payment)
    assert (answer.status, answer.next_action.kind) == (PaymentStatus.PROCESSING, ActionKind.NONE)
    assert len(suite.gateways.made(Operation.SUBMIT)) == 1
    assert len(suite.gateways.made(Operation.CREATE)) == 1
    await arrived(suite, payment)
    assert await uses(suite, payment) == ["kept"]


@pytest.mark.parametrize("late", [reply(Answer.PENDING), WRONG], ids=["prompt sent", "wrong"])
async def test_a_slow_answer_after_the_take_over_changes_nothing(suite: Suite, late: Step) -> None:
    payment = await asked_for_password(suite)
    gate = Gate()
    suite.gateways.script("eversend", Operation.SUBMIT, gate.before(late))
    slow = asyncio.create_task(suite.submit(payment))
    await gate.reached()
    suite.clock.advance(TAKEOVER_SECONDS)
    await settle(suite)
    before = await suite.attempts(payment.id)
    gate.open()
    await asyncio.gather(slow, return_exceptions=True)
    assert await suite.attempts(payment.id) == before
    assert await outcome(suite, payment) is AttemptOutcome.UNKNOWN


@pytest.mark.parametrize("is_stored", [True, False], ids=["stored", "lost"])
@pytest.mark.parametrize("unit", [2, 3])
@pytest.mark.parametrize("answer", [Answer.PENDING, Answer.UNKNOWN, Answer.NOT_SENT])
async def test_wherever_a_commit_breaks_the_password_goes_out_at_most_once(
    suite: Suite, answer: Answer, unit: int, *, is_stored: bool
) -> None:
    payment = await asked_for_password(suite)
    suite.gateways.script("eversend", Operation.SUBMIT, reply(answer))
    storage = BreakingStorage(suite.deps.storage, {unit: Fault(stored=is_stored)})
    process = suite.process(storage=storage)
    await asyncio.gather(process.submit(payment), return_exceptions=True)
    suite.clock.advance(LEASE_SECONDS)
    await settle(suite)
    await asyncio.gather(suite.submit(payment), return_exceptions=True)
    sent = len(suite.gateways.made(Operation.SUBMIT))
    assert sent <= (2 if answer is Answer.NOT_SENT or unit == 2 else 1)
    assert len(await suite.attempts(payment.id)) == 1
    await arrived(suite, payment)
    assert await uses(suite, payment) == ["kept"]


async def test_without_a_password_the_attempt_lapses_and_the_gateway_is_not_asked(
    suite: Suite,
) -> None:
    payment = await asked_for_password(suite)
    suite.clock.advance(OTP_SECONDS)
    calls = len(suite.gateways.calls)
    await settle(suite)
    assert len(suite.gateways.calls) == calls
    lapsed = await suite.payment(payment.id)
    assert (lapsed.status, lapsed.next_action.kind) == (PaymentStatus.EXPIRED, ActionKind.NONE)
    assert await refused(suite.submit(payment)) == "NO_ACTION_EXPECTED"
    assert (await suite.retry(payment)).status is PaymentStatus.PROCESSING


async def test_every_wrong_password_gives_the_member_time_for_the_next(suite: Suite) -> None:
    payment = await asked_for_password(suite)
    suite.clock.advance(OTP_SECONDS - 1)
    suite.gateways.script("eversend", Operation.SUBMIT, WRONG)
    assert await refused(suite.submit(payment)) == "OTP_REFUSED"
    suite.clock.advance(OTP_SECONDS - 1)
    await settle(suite)
    assert (await suite.submit(payment)).next_action.kind is ActionKind.PHONE_PROMPT


async def test_a_password_that_is_entered_while_its_lapse_is_recorded_wins(suite: Suite) -> None:
    payment = await asked_for_password(suite)
    suite.clock.advance(OTP_SECONDS)
    results = await asyncio.gather(
        suite.submit(payment), suite.check_attempts(), return_exceptions=True
    )
    live = await outcome(suite, payment) is AttemptOutcome.LIVE
    assert live is (refusal(results[0]) == "" and bool(suite.gateways.made(Operation.SUBMIT)))
    after = await suite.payment(payment.id)
    assert after.status is (PaymentStatus.PROCESSING if live else PaymentStatus.EXPIRED)


async def test_a_payment_that_waits_for_its_password_can_be_withdrawn_without_any_call(
    suite: Suite,
) -> None:
    payment = await asked_for_password(suite)
    assert (await suite.cancel(payment)).status is PaymentStatus.CANCELLED
    assert suite.gateways.made(Operation.CANCEL) == []
    assert await refused(suite.submit(payment)) == "NO_ACTION_EXPECTED"
    await arrived(suite, payment)
    assert len(await surplus_of(suite, payment)) == 1


async def test_a_payment_that_waits_for_its_password_may_be_paid_in_another_way(
    suite: Suite,
) -> None:
    payment = await asked_for_password(suite)
    again = await suite.retry(payment, payment_method=PaymentMethod.CARD)
    assert again.next_action.kind is ActionKind.REDIRECT
    assert await refused(suite.submit(payment)) == "NO_ACTION_EXPECTED"
    assert suite.gateways.made(Operation.SUBMIT) == []


@pytest.mark.parametrize("other", ["cancel", "retry"])
async def test_while_the_password_is_on_its_way_nothing_else_begins(
    suite: Suite, other: str
) -> None:
    payment = await asked_for_password(suite)

    async def something_else(_call: Call) -> None:
        happening = suite.cancel(payment) if other == "cancel" else suite.retry(payment)
        assert await refused(happening) == "REQUEST_IN_PROGRESS"

    sent = meanwhile(something_else, reply(Answer.PENDING))
    suite.gateways.script("eversend", Operation.SUBMIT, sent)
    assert (await suite.submit(payment)).next_action.kind is ActionKind.PHONE_PROMPT
    assert len(await suite.attempts(payment.id)) == 1


async def test_a_password_and_a_withdrawal_at_once_leave_nothing_that_can_be_paid_unseen(
    suite: Suite,
) -> None:
    payment = await asked_for_password(suite)
    suite.gateways.always(Operation.CANCEL, reply(Answer.NOT_CREATED))
    await asyncio.gather(suite.submit(payment), suite.cancel(payment), return_exceptions=True)
    after = await suite.payment(payment.id)
    submitted = bool(suite.gateways.made(Operation.SUBMIT))
    assert after.status is (PaymentStatus.PROCESSING if submitted else PaymentStatus.CANCELLED)


async def test_money_that_arrives_while_the_password_is_on_its_way_completes_once(
    suite: Suite,
) -> None:
    payment = await asked_for_password(suite)

    async def called_back(_call: Call) -> None:
        suite.gateways.script("eversend", Operation.LOOK_UP, paid())
        await suite.deliver(await suite.newest_attempt(payment.id))
        await suite.handle_events()

    sent = meanwhile(called_back, reply(Answer.PENDING))
    suite.gateways.script("eversend", Operation.SUBMIT, sent)
    answer = await suite.submit(payment)
    assert (answer.status, answer.next_action.kind) == (PaymentStatus.COMPLETED, ActionKind.NONE)
    assert await uses(suite, payment) == ["kept"]


async def test_a_payment_without_a_password_to_enter_refuses_one(suite: Suite) -> None:
    for command in (by_phone(), by_phone(user_id="member-2", idempotency_key="key-2")):
        payment = await suite.create(command)
        assert await refused(suite.submit(payment)) == "NO_ACTION_EXPECTED"
    assert suite.gateways.made(Operation.SUBMIT) == []
