"""Every sown break is found and named, once for each cause, and nothing else is."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kit.money import Money
from services.payments.domain.comparison import compare
from services.payments.domain.reconciliation import (
    Books,
    BreakKind,
    Comparison,
    Subject,
)
from tests.reconciliation.sowing import BREAKS, generate
from tests.reconciliation.statements import PERIOD, Field

SEEDS = range(50)
EVERY_KIND = tuple(BreakKind)


def found_in(made: Field) -> Comparison:
    return compare(made.books, made.statement(), PERIOD)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_sown_break_is_found_and_named_and_nothing_else(seed: int) -> None:
    made = generate(seed, sales=200, kinds=EVERY_KIND, each=4)
    breaks = found_in(made).breaks
    assert {(each.kind, each.subject, each.transaction_id) for each in breaks} == made.sown
    assert len(breaks) == len(made.sown)
    assert {kind for kind, _, _ in made.sown} == set(BreakKind)


def test_ten_thousand_rows_that_agree_have_no_break() -> None:
    made = generate(2026, sales=10_000, kinds=(), each=0)
    comparison = found_in(made)
    assert comparison.breaks == ()
    assert comparison.compared > 9_000


def test_ten_thousand_rows_hide_no_break() -> None:
    made = generate(2027, sales=10_000, kinds=EVERY_KIND, each=20)
    breaks = found_in(made).breaks
    assert {(each.kind, each.subject, each.transaction_id) for each in breaks} == made.sown
    assert len(breaks) == len(made.sown)


@pytest.mark.parametrize("kind", list(BreakKind))
def test_there_are_breaks_of_every_kind_to_sow(kind: BreakKind) -> None:
    for sow in BREAKS[kind]:
        made = generate(7, sales=0, kinds=(), each=0)
        sow(made)
        (*_, one) = sorted(made.sown, key=lambda each: each[0] is kind)
        assert one[0] is kind


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_rows_in_another_order_give_the_same_breaks(seed: int) -> None:
    made = generate(seed, sales=20, kinds=EVERY_KIND, each=2)
    seen = {frozenset((each.kind, each.transaction_id) for each in found_in(made).breaks)}
    for pile in (made.attempts, made.captures, made.refunds, made.rows):
        made.chance.shuffle(pile)
    seen.add(frozenset((each.kind, each.transaction_id) for each in found_in(made).breaks))
    assert len(seen) == 1


def test_a_break_says_by_how_much_two_amounts_differ() -> None:
    made = generate(1, sales=0, kinds=(), each=0)
    sale = made.sale()
    less = Money(sale.capture.amount.currency, sale.capture.amount.minor - 500)
    books = Books(attempts=[sale.attempt], captures=[sale.capture])
    (one,) = compare(books, [replace(sale.row, amount=less)], PERIOD).breaks
    assert str(less) in one.summary
    assert str(sale.capture.amount) in one.summary
    assert one.summary.endswith(str(less - sale.capture.amount))
    assert (one.payment_id, one.reference) == (sale.attempt.payment_id, sale.attempt.reference)


def test_a_period_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    made = generate(1, sales=0, kinds=(), each=0)
    sale = made.sale()
    for at, compared in (
        (PERIOD.start, 1),
        (PERIOD.end - timedelta(microseconds=1), 1),
        (PERIOD.start - timedelta(microseconds=1), 0),
        (PERIOD.end, 0),
    ):
        books = Books(attempts=[sale.attempt], captures=[replace(sale.capture, captured_at=at)])
        comparison = compare(books, [replace(sale.row, at=at)], PERIOD)
        assert (comparison.compared, comparison.breaks) == (compared, ())


def test_what_is_listed_nowhere_near_the_period_but_known_when_asked_is_only_dated_apart() -> None:
    made = generate(1, sales=0, kinds=(), each=0)
    sale = made.sale()
    books = Books(attempts=[sale.attempt], captures=[sale.capture])
    (one,) = compare(books, [replace(sale.row, at=None)], PERIOD).breaks
    assert (one.kind, one.subject) == (BreakKind.DAY_BOUNDARY, Subject.CHARGE)
