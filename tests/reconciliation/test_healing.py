"""What can be proven is healed, and only by what the gateway says when it is asked."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from kit.money import Money
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Payment
from services.payments.domain.reconciliation import BreakStatus, Subject, Transaction
from services.payments.domain.refunds import RefundStatus
from services.payments.domain.states import PaymentStatus
from tests.operations.books import broken_promises
from tests.operations.fakes import Operation, by_transaction, refund_reply, reply
from tests.operations.stories import (
    NOBODY_PAYS,
    PRICE,
    bought,
    cancelled,
    expired,
    failed,
    held,
    money_goes_back,
    paid,
    surplus_of,
    uses,
)
from tests.operations.suite import Suite
from tests.reconciliation.listing import TODAY, Books, at_noon, return_row

HALF = Money("UGX", 17_500)


def listed(reference: str, transaction_id: str = "tx-late") -> Transaction:
    return Transaction(
        subject=Subject.CHARGE,
        answer=Answer.SUCCEEDED,
        transaction_id=transaction_id,
        reference=reference,
        amount=PRICE,
        at=at_noon(),
    )


async def lists_late_money(books: Books, payment: Payment) -> None:
    """Let the gateway list money on the payment's newest attempt, and say the same when asked."""
    attempt = await books.suite.newest_attempt(payment.id)
    books.lists.rows = [listed(attempt.reference)]
    known = {"tx-late": paid(gateway_transaction_id="tx-late")}
    books.lists.always(Operation.LOOK_UP, by_transaction(known, NOBODY_PAYS))


@pytest.mark.parametrize("story", [failed, expired])
async def test_late_money_completes_a_payment_that_can_be_completed(
    books: Books, story: Callable[[Suite], Awaitable[Payment]]
) -> None:
    payment = await story(books.suite)
    await lists_late_money(books, payment)
    result = await books.run()
    assert (result.breaks, result.healed) == (1, 1)
    assert await books.found() == [("late", "healed")]
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert await broken_promises(books.suite.witness) == []


async def test_late_money_of_a_cancelled_payment_goes_back(books: Books) -> None:
    payment = await cancelled(books.suite)
    await lists_late_money(books, payment)
    await books.run()
    assert await books.found() == [("late", "healed")]
    assert await surplus_of(books.suite, payment) == [(PRICE, "pending")]
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.CANCELLED
    assert await broken_promises(books.suite.witness) == []


async def test_late_money_is_found_beside_the_failed_try_that_the_attempt_is_known_by(
    books: Books,
) -> None:
    payment = await books.suite.create()
    attempt = await books.suite.newest_attempt(payment.id)
    failed_try = reply(Answer.FAILED, gateway_transaction_id="tx-first")
    books.lists.script("eversend", Operation.LOOK_UP, failed_try, failed_try)
    await books.suite.check_next(payment.id)
    assert (await books.suite.newest_attempt(payment.id)).gateway_transaction_id == "tx-first"
    await lists_late_money(books, payment)
    books.lists.rows.append(
        replace(listed(attempt.reference, "tx-first"), answer=Answer.FAILED, amount=None)
    )
    await books.run()
    assert await books.found() == [("late", "healed")]
    assert await uses(books.suite, payment) == ["kept"]


async def test_late_money_that_the_gateway_denies_when_asked_grants_nothing(books: Books) -> None:
    payment = await failed(books.suite)
    attempt = await books.suite.newest_attempt(payment.id)
    books.lists.rows = [listed(attempt.reference)]
    result = await books.run()
    assert (result.breaks, result.healed) == (1, 0)
    (one,) = await books.breaks()
    assert (one.kind, one.status) == ("late", "open")
    assert one.summary.endswith("when it was asked, the gateway said not_found")
    assert await uses(books.suite, payment) == []
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.FAILED


async def test_late_money_of_another_amount_is_held(books: Books) -> None:
    payment = await failed(books.suite)
    attempt = await books.suite.newest_attempt(payment.id)
    books.lists.rows = [replace(listed(attempt.reference), amount=HALF)]
    known = {"tx-late": paid(gateway_transaction_id="tx-late", amount=HALF)}
    books.lists.always(Operation.LOOK_UP, by_transaction(known, NOBODY_PAYS))
    await books.run()
    assert await books.found() == [("late", "healed")]
    assert await uses(books.suite, payment) == ["held"]


async def test_a_second_success_goes_back(books: Books) -> None:
    payment = await bought(books.suite)
    row = await books.lists_sale(payment)
    books.lists.rows.append(replace(row, transaction_id="tx-second"))
    known = {"tx-second": paid(gateway_transaction_id="tx-second")}
    books.lists.always(Operation.LOOK_UP, by_transaction(known, paid()))
    await books.run()
    assert await books.found() == [("duplicate", "healed")]
    assert await uses(books.suite, payment) == ["kept", "surplus"]
    assert await surplus_of(books.suite, payment) == [(PRICE, "pending")]
    assert await broken_promises(books.suite.witness) == []


async def test_a_second_success_that_the_gateway_denies_sends_nothing_back(books: Books) -> None:
    payment = await bought(books.suite)
    row = await books.lists_sale(payment)
    books.lists.rows.append(replace(row, transaction_id="tx-second"))
    books.lists.always(Operation.LOOK_UP, by_transaction({"tx-second": NOBODY_PAYS}, paid()))
    await books.run()
    assert await books.found() == [("duplicate", "open")]
    assert await books.suite.refunds(payment.id) == []


@pytest.mark.parametrize(("known", "difference"), [(None, 800), (1000, -200), (500, 300)])
async def test_a_fee_that_is_learned_later_is_entered_with_its_difference(
    books: Books, known: int | None, difference: int
) -> None:
    payment = await books.suite.create()
    fee = Money("UGX", known) if known else None
    books.lists.script("eversend", Operation.LOOK_UP, paid(fee=fee))
    await books.suite.check_next(payment.id)
    await books.lists_sale(payment, fee=Money("UGX", 800))
    await books.run()
    (one,) = await books.breaks()
    assert (one.kind, one.status) == ("fee", "healed")
    assert one.summary.endswith(f"{Money('UGX', difference)} was entered")
    assert await books.suite.balance("expense:gateway_fees") == 800
    assert await books.suite.balance("clearing:eversend") == PRICE.minor - 800
    assert (await books.suite.captures(payment.id))[0].fee == Money("UGX", 800)
    assert await broken_promises(books.suite.witness) == []
    assert (await books.run("run-2")).breaks == 0


async def test_that_there_is_no_fee_is_put_on_record_without_an_entry(books: Books) -> None:
    payment = await bought(books.suite)
    await books.lists_sale(payment, fee=Money("UGX", 0))
    await books.run()
    assert await books.found() == [("fee", "healed")]
    assert (await books.suite.captures(payment.id))[0].fee == Money("UGX", 0)
    assert await books.suite.balance("expense:gateway_fees") == 0
    assert (await books.run("run-2")).breaks == 0


async def test_a_fee_in_another_currency_is_left_to_people(books: Books) -> None:
    payment = await bought(books.suite)
    await books.lists_sale(payment, fee=Money("USD", 30))
    await books.run()
    assert await books.found() == [("fee", "open")]
    assert await books.suite.balance("expense:gateway_fees") == 0


async def test_a_refund_made_at_the_gateway_is_put_on_record(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows.append(return_row(Subject.REFUND, charge, "rf-1", amount=HALF))
    await books.run()
    assert await books.found() == [("refunded_there", "healed")]
    (refund,) = await books.suite.refunds(payment.id)
    assert (refund.amount, refund.requested_by) == (HALF, "gateway")
    assert refund.status is RefundStatus.SUCCEEDED
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.PARTIALLY_REFUNDED
    assert (await books.suite.membership()).tier == "pro"

    books.lists.rows.append(return_row(Subject.REFUND, charge, "rf-2", amount=HALF))
    await books.run("run-2")
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.REFUNDED
    assert (await books.suite.membership()).tier == "free"
    assert await books.suite.balance("clearing:eversend") == 0
    assert await broken_promises(books.suite.witness) == []
    assert (await books.run("run-3")).breaks == 0


async def test_a_refund_there_of_more_than_is_left_is_left_to_people(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows.append(return_row(Subject.REFUND, charge, "rf-1", amount=HALF))
    books.lists.rows.append(return_row(Subject.REFUND, charge, "rf-2"))
    await books.run()
    assert sorted(await books.found()) == [("refunded_there", "healed"), ("refunded_there", "open")]
    assert (await books.suite.payment(payment.id)).refunded_minor == HALF.minor
    (one,) = await books.breaks(status=BreakStatus.OPEN)
    assert one.summary.endswith("only UGX 17,500 is left to go back")


async def test_a_refund_there_that_may_be_our_own_is_left_until_ours_is_known(
    books: Books,
) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.always(Operation.REFUND, refund_reply(Answer.UNKNOWN, gateway_refund_id=""))
    books.lists.always(Operation.LOOK_UP_REFUND, refund_reply(Answer.NOT_FOUND))
    await books.suite.refund(payment, HALF)
    await books.suite.work_on_refunds()
    books.lists.rows.append(return_row(Subject.REFUND, charge, "rf-1", amount=HALF))
    await books.run()
    assert await books.found() == [("refunded_there", "open")]
    assert len(await books.suite.refunds(payment.id)) == 1


async def test_a_refund_of_ours_that_failed_and_was_made_there_by_hand_is_the_same_refund(
    books: Books,
) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.always(Operation.REFUND, refund_reply(Answer.NOT_CREATED, gateway_refund_id=""))
    refund = await books.suite.refund(payment)
    await books.suite.work_on_refunds()
    books.lists.rows.append(return_row(Subject.REFUND, charge, "rf-by-hand"))
    await books.run()
    (same,) = await books.suite.refunds(payment.id)
    assert (same.id, same.status) == (refund.id, RefundStatus.SUCCEEDED)
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.REFUNDED
    assert await broken_promises(books.suite.witness) == []


async def test_surplus_that_was_returned_there_by_hand_is_not_returned_again(
    books: Books,
) -> None:
    payment = await cancelled(books.suite)
    await lists_late_money(books, payment)
    await books.run()
    books.lists.always(Operation.REFUND, refund_reply(Answer.NOT_CREATED, gateway_refund_id=""))
    await books.suite.work_on_refunds()
    assert await surplus_of(books.suite, payment) == [(PRICE, "failed")]
    (charge,) = books.lists.rows
    books.lists.rows.append(return_row(Subject.REFUND, charge, "rf-by-hand"))
    await books.run("run-2")
    assert await surplus_of(books.suite, payment) == [(PRICE, "succeeded")]
    assert await books.suite.balance("liability:surplus") == 0
    assert await broken_promises(books.suite.witness) == []


async def test_held_money_that_was_returned_there_is_left_to_people(books: Books) -> None:
    payment = await held(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows.append(return_row(Subject.REFUND, charge, "rf-1"))
    await books.run()
    assert await books.found() == [("refunded_there", "open")]
    assert await books.suite.refunds(payment.id) == []


async def test_a_refund_of_ours_that_ended_unnoticed_is_asked_about(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    refund = await books.suite.refund(payment)
    await books.suite.work_on_refunds()
    (attempt,) = await books.suite.refund_attempts(refund.id)
    books.lists.rows.append(
        return_row(Subject.REFUND, charge, attempt.gateway_refund_id, reference=attempt.reference)
    )
    books.lists.always(Operation.LOOK_UP_REFUND, refund_reply(Answer.SUCCEEDED))
    await books.run()
    assert await books.found() == [("status", "healed")]
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.REFUNDED
    assert len(books.lists.made(Operation.REFUND)) == 1
    assert await broken_promises(books.suite.witness) == []


async def test_a_refund_that_never_left_is_not_sent_by_asking_about_it(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    refund = await books.suite.refund(payment)
    (attempt,) = await books.suite.refund_attempts(refund.id)
    books.lists.rows.append(
        return_row(Subject.REFUND, charge, "rf-strange", reference=attempt.reference)
    )
    await books.run()
    assert await books.found() == [("status", "open")]
    assert books.lists.made(Operation.REFUND) == []


async def test_money_that_is_not_listed_but_known_when_asked_is_not_missing(books: Books) -> None:
    await bought(books.suite)
    books.lists.always(Operation.LOOK_UP, paid())
    await books.run()
    assert await books.found() == [("day_boundary", "healed")]


async def test_money_that_is_neither_listed_nor_known_is_missing_there(books: Books) -> None:
    payment = await bought(books.suite)
    books.lists.always(Operation.LOOK_UP, NOBODY_PAYS)
    await books.run()
    (one,) = await books.breaks()
    assert (one.kind, one.status, one.payment_id) == ("missing_there", "open", payment.id)
    assert str(PRICE) in one.summary


async def test_a_refund_that_is_not_listed_but_known_when_asked_is_not_missing(
    books: Books,
) -> None:
    payment = await bought(books.suite)
    await books.lists_sale(payment)
    await books.suite.refund(payment)
    await money_goes_back(books.suite)
    assert (await books.run()).breaks == 0
    books.lists.always(Operation.LOOK_UP_REFUND, refund_reply(Answer.NOT_FOUND))
    await books.run("run-2")
    assert await books.found() == [("missing_there", "open")]


@pytest.mark.parametrize("listed_at", [-timedelta(minutes=1), timedelta(days=1)])
async def test_what_the_gateway_dates_across_midnight_is_never_missing(
    books: Books, listed_at: timedelta
) -> None:
    payment = await bought(books.suite)
    await books.lists_sale(payment, at=TODAY.start + listed_at)
    await books.run()
    assert await books.found() == [("day_boundary", "healed")]
    assert len(books.lists.made(Operation.LOOK_UP)) == 1
