"""When an attempt is looked up: often at first, then less, and long after it should be over."""

from datetime import datetime, timedelta

from services.payments.domain.attempts import Attempt

_SECONDS = (5, 15, 30, 60, 180, 300, 600, 900, 1800, 3600)
_HOURLY = timedelta(hours=1)
_DAILY = timedelta(days=1)
# Late mobile-money and bank confirmations have been reported hours later (Flutterwave contract,
# gotchas); a success found after that is still honoured for ten days.
_HOURLY_FOR = timedelta(hours=24)
_DAILY_FOR = timedelta(days=10)
_GRACE = timedelta(seconds=15)
_ASSUMED_LIFETIME = timedelta(hours=1)
# A gateway that names a later expiry, or the end of all time, is not asked for ever.
_LONGEST_LIFETIME = timedelta(days=30)
_SWEEPS = (
    timedelta(minutes=1),
    timedelta(minutes=15),
    timedelta(hours=2),
    timedelta(hours=24),
    timedelta(days=3),
)


def next_check(attempt: Attempt, now: datetime) -> datetime | None:
    """Return when to ask the gateway about an attempt again, or None when its story is over.

    One that may still take money is asked about until its end is known, daily if need be.
    """
    expires_at, created_at = attempt.expires_at, attempt.created_at
    due = _next_check(attempt.checks, now, created_at, expires_at)
    if due is None and attempt.unsettled:
        due = now + _DAILY
    # Soon after the charge stops being payable there is something to find out.
    if due is None or expires_at is None:
        return due
    lapsed = min(expires_at, created_at + _LONGEST_LIFETIME) + _GRACE
    return min(due, lapsed) if now < lapsed else due


def next_sweep(paid_at: datetime, now: datetime) -> datetime | None:
    """Return when to look for a second success under a paid reference, or None for never more.

    A page can be open in two tabs, and a bank transfer can come late (Flutterwave contract, A3.4).
    """
    return next((paid_at + after for after in _SWEEPS if paid_at + after > now), None)


def _next_check(
    checks: int, now: datetime, created_at: datetime, expires_at: datetime | None
) -> datetime | None:
    if checks < len(_SECONDS):
        return now + timedelta(seconds=_SECONDS[checks])
    end = min(expires_at or created_at + _ASSUMED_LIFETIME, created_at + _LONGEST_LIFETIME)
    if now < end + _HOURLY_FOR:
        return now + _HOURLY
    return now + _DAILY if now < end + _HOURLY_FOR + _DAILY_FOR else None
