"""What is on record when the first byte of a charge leaves, and that nothing is open meanwhile."""

from services.payments.domain.evidence import Answer
from services.payments.operations.verify_payment import verify_payment
from tests.operations.fakes import Operation, reply
from tests.operations.suite import Suite


async def test_payment_attempt_key_and_history_are_on_record_before_the_first_byte_leaves(
    suite: Suite,
) -> None:
    await suite.create()
    (call,) = suite.gateways.calls
    assert call.operation is Operation.CREATE
    assert call.seen.payments == ("pending",)
    assert call.seen.attempts == ((call.reference, "eversend", "sending"),)
    assert call.seen.keys == 1
    assert call.seen.history == ("payment_requested", "attempt_started")


async def test_the_attempt_at_the_next_gateway_is_on_record_before_its_first_byte_leaves(
    suite: Suite,
) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.NOT_SENT))
    await suite.create()
    first, second = suite.gateways.made(Operation.CREATE)
    assert first.reference != second.reference
    assert second.seen.attempts == (
        (first.reference, "eversend", "undelivered"),
        (second.reference, "flutterwave", "sending"),
    )
    assert second.seen.payments == ("pending",)


async def test_the_witness_sees_a_transaction_that_is_left_open(suite: Suite) -> None:
    async with suite.deps.storage.work() as work:
        await work.prices.current()
        assert (await suite.witness.look()).open_transactions == 1


async def test_no_gateway_is_called_while_a_transaction_is_open(suite: Suite) -> None:
    suite.gateways.script("eversend", Operation.CREATE, reply(Answer.UNKNOWN))
    payment = await suite.create()
    suite.clock.advance(5)
    assert await suite.check_attempts() == 2
    await suite.deliver(await suite.newest_attempt(payment.id))
    await suite.handle_events()
    await verify_payment(suite.deps, await suite.payment(payment.id))
    suite.gateways.script(
        "flutterwave", Operation.LOOK_UP, reply(Answer.NOT_FOUND), reply(Answer.NOT_FOUND)
    )
    await suite.cancel(payment)
    operations = [call.operation for call in suite.gateways.calls]
    assert operations == ["create"] * 2 + ["look_up"] * 4 + ["cancel", "look_up"]
    seen = [*suite.gateways.descriptions, *(call.seen for call in suite.gateways.calls)]
    assert [each.open_transactions for each in seen] == [0] * 9
