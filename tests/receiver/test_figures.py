"""Deliveries are counted by gateway, event type and result, with their latencies."""

import asyncio
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from tests.receiver.conftest import Receiver
from tests.receiver.deliveries import signed
from tests.receiver.scripted_payments import ScriptedPayments
from webhook_receiver.figures import DeliveryFigures, Kind

PAID = Kind(gateway="flutterwave", event_type="charge.completed", result="recorded")
REFUSED = Kind(gateway="flutterwave", event_type="", result="refused")


class _Minutes:
    """A clock whose waits end when the test lets a minute pass."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self.passed = asyncio.Semaphore(0)

    def now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.asked.put_nowait(seconds)
        await self.passed.acquire()


def _figures() -> DeliveryFigures:
    return DeliveryFigures(_Minutes())


def test_counts_and_latencies_are_by_kind_most_frequent_first() -> None:
    figures = _figures()
    for milliseconds in range(1, 101):
        figures.count(PAID, milliseconds / 1000)
    figures.count(REFUSED, 0.0004)

    assert figures.taken() == [
        {
            "gateway": "flutterwave",
            "event_type": "charge.completed",
            "result": "recorded",
            "count": 100,
            "p50_ms": 50.0,
            "p99_ms": 100.0,
            "slowest_ms": 100.0,
        },
        {
            "gateway": "flutterwave",
            "event_type": "",
            "result": "refused",
            "count": 1,
            "p50_ms": 0.4,
            "p99_ms": 0.4,
            "slowest_ms": 0.4,
        },
    ]


@pytest.mark.parametrize(
    ("milliseconds", "p50", "p99"),
    [([3.0], 3.0, 3.0), ([1, 1, 300], 1.0, 300.0), ([20_000.0], 20_000.0, 20_000.0)],
)
def test_a_percentile_is_a_bound_that_so_many_were_not_slower_than(
    milliseconds: list[float], p50: float, p99: float
) -> None:
    figures = _figures()
    for each in milliseconds:
        figures.count(PAID, each / 1000)
    (taken,) = figures.taken()

    assert (taken["p50_ms"], taken["p99_ms"]) == (p50, p99)


def test_what_was_taken_is_not_counted_again() -> None:
    figures = _figures()
    figures.count(PAID, 0.001)

    assert len(figures.taken()) == 1
    assert figures.taken() == []


def test_event_types_are_the_sender_s_words_and_cannot_fill_the_memory() -> None:
    figures = _figures()
    for number in range(5000):
        figures.count(Kind(gateway="eversend", event_type=f"t{number}", result="recorded"), 0.001)
    taken = figures.taken()

    assert len(taken) == 101
    assert sum(int(str(each["count"])) for each in taken) == 5000
    assert taken[0]["event_type"] == "other"


async def test_they_are_logged_every_minute_and_once_more_at_the_end() -> None:
    clock = _Minutes()
    figures = DeliveryFigures(clock)
    with capture_logs() as logs:
        logging = asyncio.create_task(figures.log_every_minute())
        figures.count(PAID, 0.001)
        first = await clock.asked.get()
        clock.passed.release()
        second = await clock.asked.get()
        figures.count(REFUSED, 0.001)
        logging.cancel()
        await asyncio.gather(logging, return_exceptions=True)

    assert (first, second) == (60.0, 60.0)
    assert [line["figures"][0]["result"] for line in logs] == ["recorded", "refused"]


async def test_every_answer_is_counted_and_strangers_words_are_not_names(
    receiver: Receiver, payments: ScriptedPayments
) -> None:
    receiver.webhooks.figures.taken()
    await receiver.deliver("flutterwave", signed("flutterwave"))
    await receiver.deliver("flutterwave", [])
    await receiver.client.post("/webhooks/nobody")
    taken = receiver.webhooks.figures.taken()

    assert {(each["gateway"], each["event_type"], each["result"]) for each in taken} == {
        ("flutterwave", "charge.completed", "recorded"),
        ("flutterwave", "", "refused"),
        ("", "", "unknown_gateway"),
    }
    assert len(payments.received) == 1
