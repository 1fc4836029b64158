"""Callbacks can be listed and handled again; however often, each has its effect once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.payments.domain.evidence import Answer
from services.payments.domain.states import PaymentStatus
from services.payments.operations.replay_events import (
    ReplayEventsCommand,
    list_events,
    replay_events,
)
from services.payments.ports import EventFilter
from tests.operations.fakes import Operation, reply
from tests.operations.stories import refused
from tests.operations.suite import Suite


def again(key: str = "replay-1", **chosen: Any) -> ReplayEventsCommand:
    return replace(ReplayEventsCommand(idempotency_key=key), **chosen)


async def test_handling_a_callback_again_grants_nothing_twice(suite: Suite) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    event_id = await suite.deliver(attempt)
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.handle_events()
    before = await suite.membership()
    for key in ("one", "two", "three"):
        replayed = await replay_events(suite.deps, again(key, event_ids=(event_id,)))
        assert replayed.count == 1
        assert await suite.handle_events() == 1
    assert await suite.membership() == before
    assert len(await suite.captures(payment.id)) == 1
    assert await suite.effects(payment.id) == ["tier_granted"]
    assert (await suite.event_row(event_id))["status"] == "processed"


async def test_a_callback_that_came_to_nothing_counts_when_it_is_handled_again(
    suite: Suite,
) -> None:
    payment = await suite.create()
    attempt = await suite.newest_attempt(payment.id)
    await suite.deliver(attempt)
    await suite.handle_events()
    assert (await suite.payment(payment.id)).status is PaymentStatus.PROCESSING
    suite.gateways.always(Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    await suite.deliver(attempt, key="another payment's", reference="cpnobodys")
    await suite.handle_events()
    replayed = await replay_events(suite.deps, again(payment_id=payment.id))
    assert replayed.count == 1
    await suite.handle_events()
    assert (await suite.payment(payment.id)).status is PaymentStatus.COMPLETED


async def test_a_time_range_has_its_beginning_and_not_its_end(suite: Suite) -> None:
    attempt = await suite.newest_attempt((await suite.create()).id)
    times = []
    for number in range(4):
        times.append(suite.clock.now())
        await suite.deliver(attempt, key=f"event-{number}")
        suite.clock.advance(60)
    await suite.handle_events()
    chosen = again(received_from=times[1], received_before=times[3])
    assert (await replay_events(suite.deps, chosen)).count == 2


async def test_the_same_replay_twice_is_one_and_its_key_serves_no_other(suite: Suite) -> None:
    attempt = await suite.newest_attempt((await suite.create()).id)
    first = await suite.deliver(attempt, key="event-1")
    second = await suite.deliver(attempt, key="event-2")
    await suite.handle_events()
    assert (await replay_events(suite.deps, again(event_ids=(first,)))).count == 1
    await suite.handle_events()
    assert (await replay_events(suite.deps, again(event_ids=(first,)))).count == 1
    assert await suite.handle_events() == 0
    reused = replay_events(suite.deps, again(event_ids=(second,)))
    assert await refused(reused) == "IDEMPOTENCY_KEY_REUSED"


async def test_the_log_is_read_newest_first_page_by_page_and_by_every_filter(
    suite: Suite,
) -> None:
    first = await suite.create()
    attempt = await suite.newest_attempt(first.id)
    for number in range(5):
        await suite.deliver(attempt, key=f"event-{number}")
        suite.clock.advance(1)
    await suite.deliver(attempt, key="strange", reference="cpnobodys", event_type="odd")
    await suite.handle_events()
    page = await list_events(suite.deps, EventFilter(), 4)
    keys = [event.event_key for event in page]
    assert keys == ["strange", "event-4", "event-3", "event-2"]
    last = page[-1]
    rest = await list_events(suite.deps, EventFilter(before=(last.received_at, last.id)), 4)
    assert [event.event_key for event in rest] == ["event-1", "event-0"]
    counts = {
        "status": len(await list_events(suite.deps, EventFilter(status="unattributed"), 10)),
        "type": len(await list_events(suite.deps, EventFilter(event_type="odd"), 10)),
        "payment": len(await list_events(suite.deps, EventFilter(payment_id=first.id), 10)),
        "gateway": len(await list_events(suite.deps, EventFilter(gateway="nobody"), 10)),
    }
    assert counts == {"status": 1, "type": 1, "payment": 5, "gateway": 0}
    soon = suite.clock.now() + timedelta(days=1)
    assert not await list_events(suite.deps, EventFilter(received_from=soon), 10)
