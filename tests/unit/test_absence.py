"""When "not found" becomes proof: three times, well apart, after the quiet time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain.absence import NEVER_ABSENT, Absence
from tests.unit.factories import NOW

MINUTE = timedelta(seconds=60)
TICK = timedelta(microseconds=1)
THREE_TIMES = Absence(count=3, last_at=NOW)


def seen_at(*moments: timedelta) -> Absence:
    """Return the absence after a "not found" at each of these moments from now."""
    absence = NEVER_ABSENT
    for moment in moments:
        absence = absence.again(NOW + moment)
    return absence


def test_not_found_counts_each_time_that_is_a_minute_after_the_last_that_counted() -> None:
    assert seen_at(timedelta(0)) == Absence(count=1, last_at=NOW)
    assert seen_at(timedelta(0), MINUTE) == Absence(count=2, last_at=NOW + MINUTE)
    assert seen_at(timedelta(0), MINUTE - TICK) == Absence(count=1, last_at=NOW)


def test_look_ups_in_quick_succession_count_once_however_many_there_are() -> None:
    assert seen_at(*(timedelta(seconds=second) for second in range(60))).count == 1


def test_what_did_not_count_does_not_push_the_next_one_away() -> None:
    assert seen_at(timedelta(0), timedelta(seconds=59), MINUTE).count == 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_fewer_than_three_prove_nothing_however_long_ago_it_was_sent(count: int) -> None:
    absence = Absence(count=count, last_at=NOW)
    assert not absence.proves(NOW - timedelta(days=400), NOW)


def test_three_prove_it_once_the_quiet_time_is_over() -> None:
    assert THREE_TIMES.proves(NOW, NOW)
    assert not THREE_TIMES.proves(NOW, NOW - TICK)


def test_three_prove_nothing_while_the_request_may_still_be_on_its_way() -> None:
    quiet_since = NOW - timedelta(minutes=15)
    assert not THREE_TIMES.proves(NOW - timedelta(minutes=14), quiet_since)


@given(st.lists(st.integers(0, 3600), max_size=40))
def test_a_count_of_n_takes_at_least_a_minute_between_each(seconds: list[int]) -> None:
    seconds.sort()
    absence = seen_at(*(timedelta(seconds=second) for second in seconds))
    spread = (seconds[-1] - seconds[0]) if seconds else 0
    assert absence.count <= (spread // 60 + 1 if seconds else 0)
    assert absence.count == 0 or absence.last_at is not None
