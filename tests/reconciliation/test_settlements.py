"""A payout is entered once, closes the clearing account, and names what does not fit."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from kit.money import Money
from services.payments.domain.reconciliation import BookedCapture
from services.payments.domain.reconciliation import Books as BookedBooks
from services.payments.domain.settlement_comparison import compare_settlement
from tests.operations.fakes import Operation, by_transaction
from tests.operations.stories import NOBODY_PAYS, PRICE, arrived, failed, paid, refused, uses
from tests.operations.suite import by_card
from tests.reconciliation.listing import (
    NOTHING,
    TODAY,
    Books,
    line_of,
    settlement,
)
from tests.reconciliation.sowing import generate
from tests.reconciliation.test_healing import lists_late_money
from tests.unit.factories import NOW

FEE = Money("UGX", 900)
LATER = replace(TODAY, start=TODAY.end + timedelta(days=3), end=TODAY.end + timedelta(days=4))
PAID_OUT = LATER.start + timedelta(hours=9)
CLEARING = "clearing:eversend"


async def sold(books: Books, count: int = 3) -> list[Any]:
    """Sell to some members, and let the gateway list it; return what it lists."""
    rows = []
    for number in range(count):
        command = by_card(user_id=f"m{number}", idempotency_key=f"k{number}")
        payment = await arrived(books.suite, await books.suite.create(command), fee=FEE)
        rows.append(await books.lists_sale(payment))
    return rows


async def test_a_payout_of_everything_closes_the_clearing_account(books: Books) -> None:
    rows = await sold(books)
    assert await books.suite.balance(CLEARING) == 3 * (PRICE.minor - FEE.minor)
    books.lists.payouts = [settlement("st-1", [line_of(row) for row in rows], settled_at=PAID_OUT)]
    result = await books.run(period=LATER)
    assert (result.compared, result.breaks) == (4, 0)
    assert result.clearing == (NOTHING,)
    assert await books.suite.balance(CLEARING) == 0
    assert await books.suite.balance("asset:bank") == 3 * (PRICE.minor - FEE.minor)


async def test_a_payout_is_entered_once_however_often_it_is_listed(books: Books) -> None:
    rows = await sold(books)
    books.lists.payouts = [settlement("st-1", [line_of(row) for row in rows], settled_at=PAID_OUT)]
    for number in range(3):
        assert (await books.run(f"run-{number}", period=LATER)).breaks == 0
    (row,) = await books.suite.witness.rows("SELECT * FROM settlements")
    assert (row["settlement_id"], row["net_amount"]) == ("st-1", 3 * (PRICE.minor - FEE.minor))
    assert len(await books.suite.witness.rows("SELECT * FROM settlement_lines")) == 3
    entries = await books.suite.witness.rows(
        "SELECT source FROM journal_entries WHERE kind = 'settlement'"
    )
    assert [each["source"] for each in entries] == ["settlement:eversend:st-1"]


async def test_many_payouts_are_read_page_by_page(books: Books) -> None:
    rows = await sold(books, 5)
    books.lists.payouts = [
        settlement(f"st-{number}", [line_of(row)], settled_at=PAID_OUT)
        for number, row in enumerate(rows)
    ]
    assert (await books.run(period=LATER)).breaks == 0
    assert len(await books.suite.witness.rows("SELECT * FROM settlements")) == 5
    assert await books.suite.balance(CLEARING) == 0


@pytest.mark.parametrize("page", ["", "2"])
async def test_of_an_incomplete_list_of_payouts_nothing_is_entered(books: Books, page: str) -> None:
    rows = await sold(books, 5)
    books.lists.payouts = [
        settlement(f"st-{number}", [line_of(row)], settled_at=PAID_OUT)
        for number, row in enumerate(rows)
    ]
    books.lists.unread = {f"settlements:{page}"}
    assert await refused(books.run(period=LATER)) == "STATEMENT_NOT_READ"
    assert await books.suite.witness.rows("SELECT * FROM settlements") == []


async def test_money_is_looked_after_while_the_payouts_cannot_be_read(books: Books) -> None:
    payment = await failed(books.suite)
    await lists_late_money(books, payment)
    books.lists.unread = {"settlements:"}
    assert await refused(books.run()) == "STATEMENT_NOT_READ"
    assert await books.found() == [("late", "healed")]
    assert await uses(books.suite, payment) == ["kept"]
    books.lists.unread = set()
    assert (await books.run()).breaks == 0


async def test_a_gateway_without_payouts_is_reconciled_all_the_same(books: Books) -> None:
    await sold(books)
    books.lists.lists_settlements = False
    assert (await books.run()).breaks == 0


async def test_the_fee_of_a_payout_is_the_last_word(books: Books) -> None:
    (row,) = await sold(books, 1)
    stamp_duty = replace(line_of(row), fee=FEE + Money("UGX", 50))
    books.lists.payouts = [settlement("st-1", [stamp_duty], settled_at=PAID_OUT)]
    await books.run(period=LATER)
    assert await books.found() == [("fee", "healed")]
    assert await books.suite.balance(CLEARING) == 0
    assert await books.suite.balance("expense:gateway_fees") == 950
    # The statement goes on naming the smaller fee.
    assert (await books.run("run-2")).breaks == 0
    assert (await books.run("run-3", period=LATER)).breaks == 0
    assert await books.suite.balance("expense:gateway_fees") == 950


async def test_a_payout_of_another_gross_names_the_charge_and_the_sum(books: Books) -> None:
    rows = await sold(books)
    lines = [line_of(row) for row in rows]
    lines[1] = replace(lines[1], gross=PRICE - Money("UGX", 5000))
    books.lists.payouts = [settlement("st-1", lines, settled_at=PAID_OUT)]
    result = await books.run(period=LATER)
    (one,) = await books.breaks()
    assert (one.kind, one.status, one.transaction_id) == ("amount", "open", rows[1].transaction_id)
    assert one.summary.startswith("in settlement st-1: ")
    assert one.summary.endswith("it differs by UGX -5,000")
    assert result.clearing == (Money("UGX", 5000),)


async def test_a_charge_in_a_payout_that_is_none_of_ours_is_missing_here(books: Books) -> None:
    rows = await sold(books, 1)
    foreign = replace(line_of(rows[0]), transaction_id="tx-foreign", reference="foreign1")
    lines = [line_of(rows[0]), foreign]
    books.lists.payouts = [settlement("st-1", lines, settled_at=PAID_OUT)]
    result = await books.run(period=LATER)
    (one,) = await books.breaks()
    assert (one.kind, one.transaction_id) == ("missing_here", "tx-foreign")
    assert "st-1" in one.summary
    assert str(PRICE) in one.summary
    assert result.clearing == (FEE - PRICE,)


async def test_what_the_statement_and_a_payout_both_say_is_one_break(books: Books) -> None:
    rows = await sold(books, 1)
    foreign = replace(rows[0], transaction_id="tx-foreign", reference="foreign1")
    books.lists.rows.append(foreign)
    lines = [line_of(rows[0]), line_of(foreign)]
    books.lists.payouts = [settlement("st-1", lines, settled_at=NOW)]
    result = await books.run()
    assert result.breaks == 1
    assert await books.found() == [("missing_here", "open")]


async def test_what_is_open_already_is_not_named_again_by_a_payout_in_other_words(
    books: Books,
) -> None:
    (row,) = await sold(books, 1)
    cheaper = replace(row, amount=PRICE - FEE, fee=NOTHING)
    books.lists.rows = [cheaper]
    line = replace(line_of(row), fee=NOTHING)
    books.lists.payouts = [settlement("st-1", [line], settled_at=NOW)]
    await books.run()
    assert await books.found() == [("amount", "open")]


async def test_late_money_that_a_payout_shows_is_asked_about(books: Books) -> None:
    payment = await failed(books.suite)
    attempt = await books.suite.newest_attempt(payment.id)
    (row,) = await sold(books, 1)
    known = {"tx-late": paid(gateway_transaction_id="tx-late", fee=FEE)}
    books.lists.always(Operation.LOOK_UP, by_transaction(known, NOBODY_PAYS))
    late = replace(line_of(row), transaction_id="tx-late", reference=attempt.reference)
    books.lists.payouts = [settlement("st-1", [line_of(row), late], settled_at=PAID_OUT)]
    await books.run(period=LATER)
    assert await books.found() == [("late", "healed")]
    assert await uses(books.suite, payment) == ["kept"]
    assert await books.suite.balance(CLEARING) == 0


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"net": Money("UGX", 1)}, "amount", "it owed UGX 68,200 and paid out UGX 1"),
        ({"gross": PRICE}, "amount", "its charges add up to UGX 70,000, it says UGX 35,000"),
        ({"fees": NOTHING}, "fee", "fees add up to UGX 1,800, it says UGX 0"),
        ({"refunds": Money("UGX", 7)}, "amount", "it differs by UGX 7"),
    ],
)
async def test_a_payout_that_contradicts_itself_is_named_with_the_sum(
    books: Books, changes: dict[str, Money], kind: str, words: str
) -> None:
    rows = await sold(books, 2)
    lines = [line_of(row) for row in rows]
    books.lists.payouts = [settlement("st-1", lines, settled_at=PAID_OUT, **changes)]
    await books.run(period=LATER)
    (one,) = await books.breaks()
    assert (one.kind, one.status, one.transaction_id) == (kind, "open", "st-1")
    assert words in one.summary


async def test_a_payout_of_nothing_is_on_record_without_an_entry(books: Books) -> None:
    books.lists.payouts = [settlement("st-1", [], settled_at=PAID_OUT)]
    assert (await books.run(period=LATER)).breaks == 0
    assert len(await books.suite.witness.rows("SELECT * FROM settlements")) == 1
    assert await books.suite.witness.rows("SELECT * FROM journal_entries") == []


async def test_fees_that_are_only_exact_together_are_named_with_what_is_missing(
    books: Books,
) -> None:
    rows = await sold(books, 2)
    lines = [line_of(rows[0]), replace(line_of(rows[1]), fee=None)]
    gross, fees = PRICE * 2, FEE * 2 + Money("UGX", 1)
    payout = settlement("st-1", lines, settled_at=PAID_OUT, fees=fees, net=gross - fees)
    books.lists.payouts = [payout]
    result = await books.run(period=LATER)
    (one,) = await books.breaks()
    assert (one.kind, one.transaction_id) == ("fee", "st-1")
    assert one.summary.endswith("it differs by UGX 1")
    assert result.clearing == (Money("UGX", 1),)


@pytest.mark.parametrize("seed", range(20))
def test_a_payout_of_any_sales_that_agree_has_no_break(seed: int) -> None:
    made = generate(seed, sales=0, kinds=(), each=0)
    sales = [
        each for each in (made.sale() for _ in range(300)) if each.capture.amount.currency == "UGX"
    ]
    payout = settlement("st-1", [line_of(each.row) for each in sales])
    captures: list[BookedCapture] = [each.capture for each in sales]
    books = BookedBooks(attempts=[each.attempt for each in sales], captures=captures)
    comparison = compare_settlement(payout, books)
    assert (comparison.compared, comparison.breaks) == (len(sales) + 1, ())
