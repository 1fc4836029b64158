"""Every entry of the journal balances, and says where the money is."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.money import EXPONENTS, Money
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.ledger import (
    BANK,
    CHARGEBACKS,
    FEES,
    HELD,
    REVENUE,
    SURPLUS,
    EntryKind,
    Posting,
    capture_postings,
    chargeback_posting,
    clearing,
    correction_postings,
    refund_postings,
    release_posting,
    settlement_posting,
)
from services.payments.domain.refunds import Refund, RefundPurpose
from tests.unit.factories import PRICE, make_capture, make_refund

EVERSEND = "clearing:eversend"


def ugx(minor: int) -> Money:
    return Money("UGX", minor)


def held(amount: Money) -> Capture:
    return make_capture(
        amount=amount,
        use=CaptureUse.HELD,
        excess=Money(amount.currency, 0),
        held_because="underpaid",
    )


def decided(capture: Capture, use: CaptureUse, excess: Money) -> Capture:
    return replace(capture, use=use, excess=excess, held_because="")


def balances(postings: Iterable[Posting]) -> dict[str, int]:
    """Return what the accounts hold after some postings in one currency, without the empty ones."""
    accounts: Counter[str] = Counter()
    for posting in postings:
        for line in posting.lines:
            accounts[line.account] += line.amount.minor
    return {account: minor for account, minor in accounts.items() if minor}


def require_balanced(postings: Sequence[Posting]) -> None:
    """Check that every posting could be stored: it balances in every currency and has two sides."""
    for posting in postings:
        sums: Counter[str] = Counter()
        for line in posting.lines:
            assert line.amount.minor != 0
            sums[line.amount.currency] += line.amount.minor
        assert len(posting.lines) >= 2
        assert set(sums.values()) == {0}


amounts = st.builds(
    Money, currency=st.sampled_from(sorted(EXPONENTS)), minor=st.integers(1, 10**14)
)


@st.composite
def captures(draw: st.DrawFn) -> Capture:
    """Draw a capture as the database allows it."""
    amount = draw(amounts)
    part = st.integers(0, amount.minor).map(lambda minor: Money(amount.currency, minor))
    use = draw(st.sampled_from(CaptureUse))
    excess = {
        CaptureUse.KEPT: draw(part),
        CaptureUse.SURPLUS: amount,
        CaptureUse.HELD: Money(amount.currency, 0),
    }[use]
    fee = draw(st.none() | part)
    return make_capture(amount=amount, use=use, excess=excess, fee=fee, held_because="")


@st.composite
def corrections(draw: st.DrawFn) -> tuple[Capture, Capture]:
    """Draw held money, and what it is after the gateway corrected it or staff decided."""
    before, after = held(draw(amounts)), draw(captures())
    return before, replace(after, id=before.id, gateway=before.gateway)


@given(captures())
def test_every_capture_balances_and_is_owed_by_its_gateway(capture: Capture) -> None:
    postings = capture_postings(capture)
    require_balanced(postings)
    fee = capture.fee.minor if capture.fee else 0
    accounts = balances(postings)
    assert accounts.get(EVERSEND, 0) == capture.amount.minor - fee
    assert accounts.get(FEES, 0) == fee
    use = capture.use
    assert accounts.get(HELD, 0) == -(capture.amount.minor if use is CaptureUse.HELD else 0)
    assert accounts.get(REVENUE, 0) == -capture.needed.minor
    assert accounts.get(SURPLUS, 0) == -capture.excess.minor


@given(corrections())
def test_every_correction_balances_and_leaves_what_the_corrected_capture_would(
    correction: tuple[Capture, Capture],
) -> None:
    before, after = correction
    first, again = capture_postings(before), correction_postings(before, after)
    require_balanced([*first, *again])
    if before.amount.currency == after.amount.currency:
        fresh = capture_postings(replace(after, fee=None))
        assert balances([*first, *again]) == balances(fresh)


@given(amounts, st.sampled_from(RefundPurpose), st.none() | st.integers(0, 10**6))
def test_every_refund_balances(amount: Money, purpose: RefundPurpose, fee: int | None) -> None:
    refund = make_refund(amount=amount, purpose=purpose)
    taken = None if fee is None else Money(amount.currency, fee)
    postings = refund_postings(refund, "cprefund0001", taken)
    require_balanced(postings)
    assert balances(postings).get(EVERSEND) == -amount.minor - (fee or 0)


@given(amounts)
def test_chargebacks_and_settlements_balance(amount: Money) -> None:
    postings = [
        chargeback_posting("eversend", "cb-1", amount),
        settlement_posting("eversend", "st-1", amount),
    ]
    require_balanced(postings)
    assert balances(postings) == {
        EVERSEND: -2 * amount.minor,
        CHARGEBACKS: amount.minor,
        BANK: amount.minor,
    }


@pytest.mark.parametrize(
    ("capture", "accounts"),
    [
        (make_capture(), {EVERSEND: 35_000, REVENUE: -35_000}),
        (
            make_capture(amount=PRICE * 2, excess=PRICE),
            {EVERSEND: 70_000, REVENUE: -35_000, SURPLUS: -35_000},
        ),
        (
            make_capture(use=CaptureUse.SURPLUS, excess=PRICE),
            {EVERSEND: 35_000, SURPLUS: -35_000},
        ),
        (held(ugx(34_999)), {EVERSEND: 34_999, HELD: -34_999}),
        (make_capture(fee=ugx(490)), {EVERSEND: 34_510, REVENUE: -35_000, FEES: 490}),
        (make_capture(fee=ugx(0)), {EVERSEND: 35_000, REVENUE: -35_000}),
    ],
    ids=["kept", "overpaid", "surplus", "held", "with a fee", "without a fee"],
)
def test_captured_money_is_where_its_use_says(capture: Capture, accounts: dict[str, int]) -> None:
    assert balances(capture_postings(capture)) == accounts


def test_held_money_that_is_granted_becomes_revenue() -> None:
    before = held(ugx(34_000))
    after = decided(before, CaptureUse.KEPT, ugx(0))
    entered = [*capture_postings(before), release_posting(before, after)]
    assert balances(entered) == {EVERSEND: 34_000, REVENUE: -34_000}


def test_held_money_that_is_not_taken_is_owed_to_the_payer() -> None:
    before = held(ugx(34_000))
    after = decided(before, CaptureUse.SURPLUS, ugx(34_000))
    entered = [*capture_postings(before), release_posting(before, after)]
    assert balances(entered) == {EVERSEND: 34_000, SURPLUS: -34_000}


def test_surplus_that_went_back_leaves_nothing_owed_to_anybody() -> None:
    surplus = make_capture(use=CaptureUse.SURPLUS, excess=PRICE)
    refund = make_refund(purpose=RefundPurpose.SURPLUS)
    entered = [*capture_postings(surplus), *refund_postings(refund, "r-1", None)]
    assert balances(entered) == {}


def test_a_requested_refund_takes_back_revenue_and_its_fee_is_ours() -> None:
    entered = [*capture_postings(make_capture()), *refund_postings(make_refund(), "r-1", ugx(500))]
    assert balances(entered) == {EVERSEND: -500, FEES: 500}


@pytest.mark.parametrize("purpose", RefundPurpose)
def test_parts_add_up_to_the_whole(purpose: RefundPurpose) -> None:
    parts = [make_refund(amount=ugx(minor), purpose=purpose) for minor in (1, 34_000, 999)]
    entered = [posting for each in parts for posting in refund_postings(each, "r", None)]
    whole = refund_postings(make_refund(purpose=purpose), "r", None)
    assert balances(entered) == balances(whole)


def test_the_same_thing_always_has_the_same_source_and_other_things_another() -> None:
    def sources() -> list[str]:
        before = held(ugx(34_000))
        other: Refund = make_refund(id=UUID(int=32))
        return [
            posting.source
            for posting in (
                *capture_postings(make_capture(fee=ugx(1))),
                *capture_postings(make_capture(id=UUID(int=22), fee=ugx(1))),
                release_posting(before, make_capture(id=before.id)),
                *correction_postings(before, held(ugx(33_000))),
                *correction_postings(held(ugx(33_000)), held(ugx(32_000))),
                *refund_postings(make_refund(), "r-1", ugx(1)),
                *refund_postings(other, "r-2", ugx(1)),
                chargeback_posting("eversend", "1", PRICE),
                chargeback_posting("flutterwave", "1", PRICE),
                settlement_posting("eversend", "1", PRICE),
                settlement_posting("flutterwave", "1", PRICE),
            )
        ]

    assert len(set(sources())) == len(sources()) == 17
    assert sources() == sources()


def test_every_kind_of_entry_is_made_by_something() -> None:
    before = held(ugx(34_000))
    made = [
        *capture_postings(make_capture(fee=ugx(1))),
        release_posting(before, make_capture()),
        *refund_postings(make_refund(), "r-1", ugx(1)),
        chargeback_posting("eversend", "1", PRICE),
        settlement_posting("eversend", "1", PRICE),
    ]
    assert {posting.kind for posting in made} == set(EntryKind)


def test_each_gateway_has_a_clearing_account_of_its_own() -> None:
    assert clearing("eversend") == EVERSEND
    assert clearing("flutterwave") != EVERSEND
