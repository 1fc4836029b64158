"""A chargeback moves the payment with it: disputed, won back, or charged back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.money import Money
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import Subject
from services.payments.domain.states import PaymentStatus
from tests.operations.fakes import Operation, by_transaction
from tests.operations.stories import (
    PRICE,
    bought,
    fully_refunded,
    money_goes_back,
    paid,
    uses,
)
from tests.reconciliation.listing import TODAY, Books, return_row
from tests.reconciliation.test_healing import HALF

_S = PaymentStatus


def decide(books: Books, answer: Answer) -> None:
    """Let the payer's bank decide the chargeback that is listed last."""
    books.lists.rows[-1] = replace(books.lists.rows[-1], answer=answer)


async def test_an_opened_chargeback_disputes_the_payment_and_keeps_the_tier(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows.append(return_row(Subject.CHARGEBACK, charge, "cb-1", answer=Answer.PENDING))
    await books.run()
    assert await books.found() == [("chargeback", "healed")]
    assert (await books.suite.payment(payment.id)).status is _S.DISPUTED
    assert (await books.suite.membership()).tier == "pro"
    assert (await books.run("run-2")).breaks == 0


@pytest.mark.parametrize("refunded", [None, HALF])
async def test_a_chargeback_that_is_won_gives_the_payment_its_status_back(
    books: Books, refunded: Money | None
) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    if refunded is not None:
        await books.suite.refund(payment, refunded)
        await money_goes_back(books.suite)
    before = await books.suite.payment(payment.id)
    books.lists.rows.append(return_row(Subject.CHARGEBACK, charge, "cb-1", answer=Answer.PENDING))
    await books.run()
    decide(books, Answer.FAILED)
    await books.run("run-2")
    after = await books.suite.payment(payment.id)
    assert (after.status, after.completed_at) == (before.status, before.completed_at)
    assert (await books.suite.moves(payment.id))[-2:] == ["disputed", str(before.status)]
    assert await books.suite.balance("expense:chargebacks") == 0


@pytest.mark.parametrize("was_disputed", [True, False])
async def test_a_lost_chargeback_is_entered_once_and_ends_the_tier(
    books: Books, *, was_disputed: bool
) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows.append(return_row(Subject.CHARGEBACK, charge, "cb-1", answer=Answer.PENDING))
    if was_disputed:
        await books.run()
    decide(books, Answer.SUCCEEDED)
    result = await books.run("run-2")
    assert (result.breaks, result.healed) == (1, 1)
    assert (await books.suite.payment(payment.id)).status is _S.CHARGED_BACK
    assert (await books.suite.moves(payment.id))[-2:] == ["disputed", "charged_back"]
    assert (await books.suite.membership()).tier == "free"
    assert (await books.run("run-3")).breaks == 0
    assert await books.suite.balance("expense:chargebacks") == PRICE.minor
    assert await books.suite.balance("clearing:eversend") == 0
    assert (await books.suite.facts(payment.id))[-1] == "payment.charged_back"


async def test_a_chargeback_of_what_was_refunded_is_left_to_people(books: Books) -> None:
    payment = await fully_refunded(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows.append(return_row(Subject.CHARGEBACK, charge, "cb-1"))
    await books.run(period=replace(TODAY, end=TODAY.end + timedelta(days=2)))
    assert ("chargeback", "open") in await books.found()
    assert (await books.suite.payment(payment.id)).status is _S.REFUNDED
    assert await books.suite.balance("expense:chargebacks") == 0


async def test_a_chargeback_of_surplus_does_not_touch_the_payment(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows.append(second := replace(charge, transaction_id="tx-second"))
    known = {"tx-second": paid(gateway_transaction_id="tx-second")}
    books.lists.always(Operation.LOOK_UP, by_transaction(known, paid()))
    await books.run()
    assert await uses(books.suite, payment) == ["kept", "surplus"]
    books.lists.rows.append(return_row(Subject.CHARGEBACK, second, "cb-1"))
    await books.run("run-2")
    assert ("chargeback", "open") in await books.found()
    assert (await books.suite.payment(payment.id)).status is _S.COMPLETED
    assert (await books.suite.membership()).tier == "pro"


async def test_a_chargeback_of_somebody_elses_charge_is_named(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    foreign = replace(charge, transaction_id="tx-foreign", reference="foreign1")
    books.lists.rows.append(return_row(Subject.CHARGEBACK, foreign, "cb-1"))
    await books.run()
    (one,) = await books.breaks()
    assert (one.kind, one.status, one.payment_id) == ("chargeback", "open", None)


async def test_of_two_chargebacks_the_graver_decides(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows += [
        return_row(Subject.CHARGEBACK, charge, "cb-1", answer=Answer.PENDING),
        return_row(Subject.CHARGEBACK, charge, "cb-2", answer=Answer.FAILED),
    ]
    for key in ("run-1", "run-2"):
        await books.run(key)
        assert (await books.suite.payment(payment.id)).status is _S.DISPUTED
    assert await books.found() == [("chargeback", "healed")]


async def test_the_decision_about_a_chargeback_of_long_ago_is_still_seen(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    books.lists.rows.append(return_row(Subject.CHARGEBACK, charge, "cb-1", answer=Answer.PENDING))
    await books.run()
    decide(books, Answer.SUCCEEDED)
    later = replace(TODAY, start=TODAY.end + timedelta(days=40), end=TODAY.end + timedelta(days=41))
    await books.run("run-2", period=later)
    assert (await books.suite.payment(payment.id)).status is _S.CHARGED_BACK
