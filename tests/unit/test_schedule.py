"""When a gateway is asked again about an attempt, and when a callback is handled again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, pairwise

import pytest

from services.payments.domain.attempts import UNSETTLED_OUTCOMES, AttemptOutcome
from services.payments.domain.events import next_attribution, next_try
from services.payments.domain.schedule import next_check, next_sweep
from tests.unit.factories import NOW, make_attempt

FIRST_SECONDS = [5, 15, 30, 60, 180, 300, 600, 900, 1800, 3600]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
THE_END_OF_TIME = datetime.max.replace(tzinfo=NOW.tzinfo)
LIFETIMES = [None, HOUR, DAY, 7 * DAY]
UNSETTLED = sorted(UNSETTLED_OUTCOMES)
GIVEN_UP = sorted(set(AttemptOutcome) - UNSETTLED_OUTCOMES - {AttemptOutcome.SUCCEEDED})


def checks(expires_at: datetime | None, outcome: AttemptOutcome) -> Iterator[datetime]:
    """Yield the times of all checks of an attempt that was created now and stays as it is."""
    now = NOW
    for number in range(2_000):
        attempt = make_attempt(outcome=outcome, checks=number, expires_at=expires_at)
        due = next_check(attempt, now)
        if due is None:
            return
        yield (now := due)


@pytest.mark.parametrize("outcome", AttemptOutcome)
def test_the_first_checks_are_frequent_and_then_rarer(outcome: AttemptOutcome) -> None:
    times = [NOW, *islice(checks(None, outcome), 60)]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert [wait.total_seconds() for wait in waits[:10]] == FIRST_SECONDS
    assert waits == sorted(waits)
    assert set(waits[10:]) == {HOUR, DAY}


@pytest.mark.parametrize("outcome", GIVEN_UP)
@pytest.mark.parametrize("lifetime", LIFETIMES, ids=str)
def test_what_was_given_up_is_asked_about_until_ten_days_after_the_day_after_its_expiry(
    lifetime: timedelta | None, outcome: AttemptOutcome
) -> None:
    end = NOW + (lifetime or HOUR) + DAY
    *_, last = times = list(checks(NOW + lifetime if lifetime else None, outcome))
    hourly = [each for each in times[10:] if each <= end]
    assert len(hourly) >= (end - NOW) / HOUR - 4
    assert end + 9 * DAY < last <= end + 11 * DAY


@pytest.mark.parametrize("outcome", UNSETTLED)
@pytest.mark.parametrize("lifetime", LIFETIMES, ids=str)
def test_what_may_still_take_money_is_asked_about_at_least_daily_for_ever(
    lifetime: timedelta | None, outcome: AttemptOutcome
) -> None:
    times = list(islice(checks(NOW + lifetime if lifetime else None, outcome), 1_000))
    assert len(times) == 1_000
    assert max(later - earlier for earlier, later in pairwise(times)) == DAY


@pytest.mark.parametrize("outcome", GIVEN_UP)
@pytest.mark.parametrize(
    "expires_at", [THE_END_OF_TIME, NOW + 400 * DAY], ids=["the end of time", "next year"]
)
def test_a_charge_that_was_given_up_and_never_expires_is_not_asked_about_for_ever(
    expires_at: datetime, outcome: AttemptOutcome
) -> None:
    *_, last = checks(expires_at, outcome)
    assert last <= NOW + 42 * DAY


@pytest.mark.parametrize("outcome", UNSETTLED)
def test_a_charge_that_never_expires_and_may_take_money_is_asked_about_daily_in_the_end(
    outcome: AttemptOutcome,
) -> None:
    *_, before, last = islice(checks(THE_END_OF_TIME, outcome), 1_500)
    assert last - before == DAY


@pytest.mark.parametrize("outcome", UNSETTLED)
@pytest.mark.parametrize("lifetime", [timedelta(seconds=90), HOUR, DAY, 7 * DAY], ids=str)
def test_a_charge_is_asked_about_within_seconds_of_its_expiry(
    lifetime: timedelta, outcome: AttemptOutcome
) -> None:
    expiry = NOW + lifetime
    late = next(due - expiry for due in checks(expiry, outcome) if due >= expiry)
    assert timedelta(0) < late <= timedelta(seconds=15)


@pytest.mark.parametrize("outcome", GIVEN_UP)
def test_a_charge_that_expired_before_its_creation_is_still_asked_about(
    outcome: AttemptOutcome,
) -> None:
    *_, last = checks(NOW - DAY, outcome)
    assert last > NOW + 9 * DAY


def test_a_paid_page_is_swept_five_times_in_three_days_and_then_left() -> None:
    times = [NOW]
    while (due := next_sweep(NOW, times[-1])) is not None and len(times) < 10:
        times.append(due)
    waits = [each - NOW for each in times[1:]]
    assert waits == [timedelta(minutes=1), timedelta(minutes=15), 2 * HOUR, DAY, 3 * DAY]


def test_a_sweep_that_was_missed_is_not_made_up_for_but_the_next_one_is_kept() -> None:
    assert next_sweep(NOW, NOW + HOUR) == NOW + 2 * HOUR
    assert next_sweep(NOW, NOW + 3 * DAY) is None


def test_callbacks_are_tried_again_soon_at_first_and_hourly_for_ever() -> None:
    waits = [(next_try(tries, NOW) - NOW).total_seconds() for tries in range(12)]
    assert waits == [1, 2, 5, 15, 60, 300, 900, 3600, 3600, 3600, 3600, 3600]


def test_an_event_that_matches_nothing_is_left_to_people_after_about_three_days() -> None:
    tries, now = 0, NOW
    while (due := next_attribution(tries, now)) is not None:
        assert due == next_try(tries, now)
        tries, now = tries + 1, due
    assert 2.5 * DAY < now - NOW < 3.5 * DAY
