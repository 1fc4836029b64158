"""When a gateway is asked again about an attempt, and when a callback is handled again."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from services.payments.domain.events import next_attribution, next_try
from services.payments.domain.schedule import next_check
from tests.unit.factories import NOW

FIRST_SECONDS = [5, 15, 30, 60, 180, 300, 600, 900, 1800, 3600]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def checks(expires_at: datetime | None) -> Iterator[datetime]:
    """Yield the times of all checks of an attempt that was created now."""
    now = NOW
    for number in range(2_000):
        due = next_check(number, now, NOW, expires_at)
        if due is None:
            return
        yield (now := due)
    pytest.fail("the attempt is asked about for ever")


def test_the_first_checks_are_frequent_and_then_rarer() -> None:
    times = [NOW, *checks(None)]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert [wait.total_seconds() for wait in waits[:10]] == FIRST_SECONDS
    assert waits == sorted(waits)
    assert set(waits[10:]) == {HOUR, DAY}


@pytest.mark.parametrize("lifetime", [None, HOUR, DAY, 7 * DAY], ids=str)
def test_checks_end_ten_days_after_the_day_after_the_expiry(lifetime: timedelta | None) -> None:
    end = NOW + (lifetime or HOUR) + DAY
    *_, last = times = list(checks(NOW + lifetime if lifetime else None))
    hourly = [each for each in times[10:] if each <= end]
    assert len(hourly) >= (end - NOW) / HOUR - 4
    assert end + 9 * DAY < last <= end + 11 * DAY


@pytest.mark.parametrize(
    "expires_at",
    [datetime.max.replace(tzinfo=NOW.tzinfo), NOW + 400 * DAY],
    ids=["the end of time", "next year"],
)
def test_a_charge_that_never_expires_is_not_asked_about_for_ever(expires_at: datetime) -> None:
    *_, last = checks(expires_at)
    assert last <= NOW + 42 * DAY


@pytest.mark.parametrize("lifetime", [timedelta(seconds=90), HOUR, DAY, 7 * DAY], ids=str)
def test_a_charge_is_asked_about_within_seconds_of_its_expiry(lifetime: timedelta) -> None:
    expiry = NOW + lifetime
    late = [due - expiry for due in checks(expiry) if due >= expiry]
    assert timedelta(0) < late[0] <= timedelta(seconds=15)


def test_a_charge_that_expired_before_its_creation_is_still_asked_about() -> None:
    *_, last = checks(NOW - DAY)
    assert last > NOW + 9 * DAY


def test_callbacks_are_tried_again_soon_at_first_and_hourly_for_ever() -> None:
    waits = [(next_try(tries, NOW) - NOW).total_seconds() for tries in range(12)]
    assert waits == [1, 2, 5, 15, 60, 300, 900, 3600, 3600, 3600, 3600, 3600]


def test_an_event_that_matches_nothing_is_left_to_people_after_about_three_days() -> None:
    tries, now = 0, NOW
    while (due := next_attribution(tries, now)) is not None:
        assert due == next_try(tries, now)
        tries, now = tries + 1, due
    assert 2.5 * DAY < now - NOW < 3.5 * DAY
