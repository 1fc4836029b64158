"""What is left to refund, and when a refund is sent and asked about again."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice, pairwise
from uuid import UUID

import pytest

from kit.money import Money
from services.payments.domain.captures import Capture, CaptureUse
from services.payments.domain.refunds import (
    Refund,
    RefundAttemptOutcome,
    RefundPurpose,
    RefundStatus,
    next_look_up,
    next_sending,
)
from services.payments.operations.refund_payment import left_of
from tests.unit.factories import NOW, PRICE, make_capture, make_refund, make_refund_attempt

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
UNDER_WAY = [
    RefundAttemptOutcome.SENDING,
    RefundAttemptOutcome.ACCEPTED,
    RefundAttemptOutcome.UNKNOWN,
]


def ugx(minor: int) -> Money:
    return Money("UGX", minor)


@pytest.mark.parametrize(
    ("capture", "left"),
    [
        (make_capture(), 35_000),
        (make_capture(amount=ugx(40_000), excess=ugx(5_000)), 35_000),
        (make_capture(use=CaptureUse.SURPLUS, excess=PRICE), 0),
        (make_capture(use=CaptureUse.HELD, held_because="underpaid"), 0),
    ],
    ids=["kept", "overpaid", "surplus", "held"],
)
def test_only_what_bought_something_is_refunded_on_request(capture: Capture, left: int) -> None:
    assert left_of(capture, []) == ugx(left)


@pytest.mark.parametrize(
    ("refunds", "left"),
    [
        ([make_refund(amount=ugx(5_000))], 30_000),
        ([make_refund(amount=ugx(5_000)), make_refund(amount=ugx(30_000))], 0),
        ([make_refund(amount=ugx(5_000), status=RefundStatus.PROCESSING)], 30_000),
        ([make_refund(amount=ugx(5_000), status=RefundStatus.SUCCEEDED)], 30_000),
        ([make_refund(amount=ugx(5_000), status=RefundStatus.FAILED)], 35_000),
        ([make_refund(amount=ugx(5_000), purpose=RefundPurpose.SURPLUS)], 35_000),
        ([make_refund(amount=ugx(5_000), capture_id=UUID(int=99))], 35_000),
    ],
    ids=["pending", "several", "accepted", "done", "failed", "of surplus", "of other money"],
)
def test_what_is_going_back_is_not_left(refunds: Sequence[Refund], left: int) -> None:
    assert left_of(make_capture(), refunds) == ugx(left)


def test_what_never_left_is_sent_again_soon_at_first_and_hourly_for_ever() -> None:
    waits = [(next_sending(tries, NOW) - NOW).total_seconds() for tries in range(9)]
    assert waits == [5, 15, 60, 300, 900, 3600, 3600, 3600, 3600]


def look_ups(outcome: RefundAttemptOutcome) -> Iterator[datetime]:
    """Yield the times of all look-ups of an attempt that was sent now and stays as it is."""
    now, attempt = NOW, make_refund_attempt(outcome=outcome, sent_at=NOW)
    while (due := next_look_up(attempt, now)) is not None:
        yield due
        now, attempt = due, replace(attempt, checks=attempt.checks + 1)


@pytest.mark.parametrize("outcome", UNDER_WAY)
def test_a_refund_that_may_have_left_is_asked_about_at_least_daily_for_ever(
    outcome: RefundAttemptOutcome,
) -> None:
    times = [NOW, *islice(look_ups(outcome), 500)]
    waits = [later - earlier for earlier, later in pairwise(times)]
    first = [wait.total_seconds() for wait in waits[:11]]
    assert first == [2, 5, 15, 30, 60, 180, 300, 600, 900, 1800, 3600]
    assert waits == sorted(waits)
    assert set(waits[11:]) == {HOUR, DAY}
    hourly = [each for each in times if each < NOW + 2 * DAY]
    assert len(hourly) > 48


def test_a_failed_refund_is_still_asked_about_daily_for_ten_days() -> None:
    times = list(look_ups(RefundAttemptOutcome.FAILED))
    assert times == [NOW + day * DAY for day in range(1, 11)]


def test_a_refund_that_succeeded_is_not_asked_about_again() -> None:
    assert list(look_ups(RefundAttemptOutcome.SUCCEEDED)) == []


@pytest.mark.parametrize("outcome", RefundAttemptOutcome)
def test_what_was_never_sent_is_never_asked_about(outcome: RefundAttemptOutcome) -> None:
    assert next_look_up(make_refund_attempt(outcome=outcome), NOW) is None
