"""Runs: once a key, never on an incomplete list, and the same difference only once on record."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from kit.errors import ErrorCode, ServiceError
from kit.money import Money
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import BreakStatus, Subject
from services.payments.domain.states import PaymentStatus
from tests.operations.books import broken_promises
from tests.operations.breaking_storage import BreakingStorage, Fault
from tests.operations.fakes import Operation, reply
from tests.operations.stories import PRICE, alerts, bought, failed, paid, refused, uses
from tests.operations.suite import by_card
from tests.reconciliation.listing import TODAY, Books, return_row
from tests.reconciliation.test_healing import listed, lists_late_money


async def test_books_that_agree_have_no_break(books: Books) -> None:
    for number in range(5):
        payment = await bought(
            books.suite, by_card(user_id=f"m{number}", idempotency_key=f"k{number}")
        )
        await books.lists_sale(payment)
    result = await books.run()
    assert (result.compared, result.breaks, result.healed) == (5, 0, 0)
    assert result.clearing == (PRICE * 5,)
    (row,) = await books.suite.witness.rows("SELECT * FROM reconciliation_runs")
    assert (row["id"], row["requested_by"], row["compared_count"]) == (
        result.run_id,
        "operator",
        5,
    )
    assert row["finished_at"] is not None


async def test_the_statement_is_read_a_day_wider_on_both_sides(books: Books) -> None:
    await books.run()
    (window,) = books.lists.windows
    assert window.start == TODAY.start - timedelta(days=1)
    assert window.end == TODAY.end + timedelta(days=1)


async def test_the_same_key_gets_the_same_answer_and_runs_once(books: Books) -> None:
    await lists_late_money(books, await failed(books.suite))
    first = await books.run()
    assert await books.run() == first
    assert len(books.lists.windows) == 1


async def test_a_key_with_another_period_is_refused(books: Books) -> None:
    await books.run()
    other = replace(TODAY, end=TODAY.end + timedelta(days=1))
    assert await refused(books.run(period=other)) == "IDEMPOTENCY_KEY_REUSED"


async def test_a_key_that_is_running_is_refused(books: Books) -> None:
    first = asyncio.create_task(books.run())
    second = asyncio.create_task(books.run())
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    reasons = [each.reason for each in outcomes if isinstance(each, ServiceError)]
    assert reasons == ["REQUEST_IN_PROGRESS"]


@pytest.mark.parametrize("page", ["", "2", "4"])
async def test_an_incomplete_statement_is_never_compared(books: Books, page: str) -> None:
    payments = [
        await bought(books.suite, by_card(user_id=f"m{number}", idempotency_key=f"k{number}"))
        for number in range(5)
    ]
    for payment in payments[:-1]:
        await books.lists_sale(payment)
    await books.lists_sale(payments[-1])
    books.lists.unread = {page}
    with pytest.raises(ServiceError) as raised:
        await books.run()
    assert (raised.value.code, raised.value.reason) == (
        ErrorCode.UNAVAILABLE,
        "STATEMENT_NOT_READ",
    )
    assert await books.breaks() == []
    books.lists.unread = set()
    assert (await books.run()).breaks == 0


async def test_a_statement_whose_pages_go_in_circles_is_never_compared(books: Books) -> None:
    payment = await bought(books.suite)
    await books.lists_sale(payment)
    books.lists.page_size = 0
    assert await refused(books.run()) == "STATEMENT_NOT_READ"


async def test_a_difference_is_on_record_once_however_often_it_is_found(books: Books) -> None:
    books.lists.rows = [listed("foreign1", "tx-foreign")]
    with structlog.testing.capture_logs() as logs:
        results = [await books.run(f"run-{number}") for number in range(3)]
    assert [each.breaks for each in results] == [1, 1, 1]
    assert await books.found() == [("missing_here", "open")]
    assert alerts(logs) == ["reconciliation_break"]


async def test_a_difference_that_is_gone_is_healed_and_one_that_comes_back_is_open_again(
    books: Books,
) -> None:
    books.lists.rows = [row := listed("foreign1", "tx-foreign")]
    await books.run("run-1")
    books.lists.rows = []
    await books.run("run-2")
    assert await books.found() == [("missing_here", "healed")]
    books.lists.rows = [row]
    with structlog.testing.capture_logs() as logs:
        await books.run("run-3")
    assert await books.found() == [("missing_here", "open")]
    assert alerts(logs) == ["reconciliation_break"]


async def test_a_run_says_nothing_about_the_breaks_of_other_days(books: Books) -> None:
    books.lists.rows = [listed("foreign1", "tx-foreign")]
    await books.run("run-1")
    books.lists.rows = []
    tomorrow = replace(
        TODAY, start=TODAY.end + timedelta(days=3), end=TODAY.end + timedelta(days=4)
    )
    await books.run("run-2", period=tomorrow)
    await books.run("run-3", gateway="flutterwave")
    assert await books.found() == [("missing_here", "open")]


async def test_money_under_a_foreign_reference_that_staff_gave_to_a_payment_is_no_break(
    books: Books,
) -> None:
    payment = await books.suite.create()
    attempt = await books.suite.newest_attempt(payment.id)
    books.lists.rows = [listed("foreign1", "tx-foreign")]
    await books.run("run-1")
    event = await books.suite.deliver(
        attempt, reference="foreign1", gateway_transaction_id="tx-foreign"
    )
    await books.suite.handle_events()
    known = paid(reference="foreign1", gateway_transaction_id="tx-foreign")
    books.lists.always(Operation.LOOK_UP, known)
    await books.suite.attribute(event, payment)
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.COMPLETED
    assert (await books.run("run-2")).breaks == 0
    assert await books.found() == [("missing_here", "healed")]


async def test_a_wrong_reference_that_nobody_vouched_for_is_named(books: Books) -> None:
    payment = await bought(books.suite)
    await books.lists_sale(payment, reference="foreign1")
    await books.run()
    (one,) = await books.breaks()
    assert (one.kind, one.status, one.payment_id) == ("wrong_reference", "open", payment.id)


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"amount": Money("UGX", 30_000)}, "amount", "it differs by UGX -5,000"),
        ({"amount": Money("KES", 35_000)}, "currency", "KES 350.00"),
        ({"answer": Answer.FAILED}, "status", "the gateway says failed"),
        ({"answer": Answer.PENDING}, "status", "the gateway says pending"),
    ],
)
async def test_what_cannot_be_proven_stays_open_with_a_sentence_and_an_alert(
    books: Books, changes: dict[str, object], kind: str, words: str
) -> None:
    payment = await bought(books.suite)
    await books.lists_sale(payment, **changes)
    with structlog.testing.capture_logs() as logs:
        await books.run()
    (one,) = await books.breaks()
    assert (one.kind, one.status, one.payment_id) == (kind, "open", payment.id)
    assert words in one.summary
    assert alerts(logs) == ["reconciliation_break"]
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.COMPLETED


async def test_a_refund_there_that_is_not_done_yet_is_looked_at_again_by_later_runs(
    books: Books,
) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    pending = return_row(Subject.REFUND, charge, "rf-1", answer=Answer.PENDING)
    books.lists.rows.append(pending)
    await books.run("run-1")
    assert await books.found() == [("refunded_there", "open")]
    books.lists.rows[-1] = replace(pending, answer=Answer.SUCCEEDED)
    later = replace(TODAY, start=TODAY.end + timedelta(days=9), end=TODAY.end + timedelta(days=10))
    await books.run("run-2", period=later)
    assert await books.found() == [("refunded_there", "healed")]
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.REFUNDED


async def test_a_refund_there_that_fails_after_all_is_no_break_any_more(books: Books) -> None:
    payment = await bought(books.suite)
    charge = await books.lists_sale(payment)
    pending = return_row(Subject.REFUND, charge, "rf-1", answer=Answer.PENDING)
    books.lists.rows.append(pending)
    await books.run("run-1")
    books.lists.rows[-1] = replace(pending, answer=Answer.FAILED)
    later = replace(TODAY, start=TODAY.end + timedelta(days=9), end=TODAY.end + timedelta(days=10))
    await books.run("run-2", period=later)
    assert await books.found() == [("refunded_there", "healed")]
    assert await books.suite.refunds(payment.id) == []


async def test_many_rows_are_read_page_by_page(books: Books) -> None:
    payment = await bought(books.suite)
    row = await books.lists_sale(payment)
    books.lists.page_size = 100
    books.lists.rows += [
        replace(row, transaction_id=f"try-{number}", answer=Answer.FAILED, amount=None)
        for number in range(2500)
    ]
    result = await books.run()
    assert (result.compared, result.breaks) == (2501, 0)


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "lost"])
@pytest.mark.parametrize("unit", range(1, 12))
async def test_wherever_a_commit_breaks_a_repeated_run_ends_with_the_money_counted_once(
    books: Books, unit: int, *, stored: bool
) -> None:
    payment = await failed(books.suite)
    await lists_late_money(books, payment)
    storage = BreakingStorage(books.deps.storage, {unit: Fault(stored=stored)})
    process = replace(books, suite=books.suite.process(storage=storage))
    answers = [await asyncio.gather(process.run(), return_exceptions=True) for _ in range(3)]
    results = [each for (each,) in answers if not isinstance(each, BaseException)]
    assert len(results) >= 2
    assert results[0] == results[-1]
    assert storage.opened >= unit
    assert await uses(books.suite, payment) == ["kept"]
    assert await books.breaks(status=BreakStatus.OPEN) == []
    assert await broken_promises(books.suite.witness) == []


async def test_two_runs_at_once_heal_once(books: Books) -> None:
    payment = await failed(books.suite)
    await lists_late_money(books, payment)
    await asyncio.gather(*(books.run(f"run-{number}") for number in range(4)))
    assert await books.found() == [("late", "healed")]
    assert len(await books.suite.captures(payment.id)) == 1
    assert (await books.suite.payment(payment.id)).status is PaymentStatus.COMPLETED


async def test_a_gateway_that_does_not_answer_about_missing_money_leaves_it_open(
    books: Books,
) -> None:
    await bought(books.suite)
    books.lists.always(Operation.LOOK_UP, reply(Answer.UNKNOWN))
    result = await books.run()
    assert (result.breaks, result.healed) == (1, 0)
    assert [each.status for each in await books.breaks()] == [BreakStatus.OPEN]
