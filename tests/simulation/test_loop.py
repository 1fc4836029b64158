"""Virtual time passes only when nothing is ready, and killed processes never run again."""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from dataclasses import dataclass
from typing import Any

import pytest

from proofs.simulation.chance import Chance
from proofs.simulation.loop import RUNNING, StuckError, VirtualLoop


@dataclass
class Process:
    """Something that can be killed."""

    dead: bool = False


def finish(loop: VirtualLoop, work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end on a loop of its own."""
    try:
        return loop.run_until_complete(work)
    finally:
        loop.close()


def in_order(seed: int) -> list[int]:
    """Return the order in which ten ready tasks ran."""
    loop, ran = VirtualLoop(Chance(seed, 0)), list[int]()

    async def note(number: int) -> None:
        ran.append(number)

    async def main() -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(10):
                tasks.create_task(note(number))

    finish(loop, main())
    return ran


def test_waiting_takes_no_time_of_ours() -> None:
    loop = VirtualLoop(Chance(1, 0))

    async def main() -> list[float]:
        times = []
        for seconds in (0.0, 3600.0, 12 * 86_400.0):
            await asyncio.sleep(seconds)
            times.append(loop.time())
        return times

    assert finish(loop, main()) == [0.0, 3600.0, 3600.0 + 12 * 86_400.0]


def test_timeouts_end_what_waits_too_long() -> None:
    loop = VirtualLoop(Chance(1, 0))

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(20.0):
                await asyncio.sleep(21.0)
        return loop.time()

    assert finish(loop, main()) == 20.0


def test_what_is_ready_runs_in_an_order_that_the_seed_decides() -> None:
    assert in_order(5) == in_order(5)
    assert len({tuple(in_order(seed)) for seed in range(20)}) == 20
    assert all(sorted(in_order(seed)) == list(range(10)) for seed in range(20))


def test_a_killed_process_takes_no_further_step() -> None:
    loop, process, steps = VirtualLoop(Chance(1, 0)), Process(), list[float]()
    context = Context()
    context.run(RUNNING.set, process)

    async def work() -> None:
        try:
            while True:
                await asyncio.sleep(1.0)
                steps.append(loop.time())
        finally:
            steps.append(-1.0)

    async def main() -> None:
        loop.create_task(work(), context=context)
        await asyncio.sleep(3.5)
        process.dead = True
        await asyncio.sleep(3600.0)
        assert steps == [1.0, 2.0, 3.0]

    finish(loop, main())


def test_the_world_goes_on_after_a_process_was_killed() -> None:
    loop, happened = VirtualLoop(Chance(1, 0)), list[float]()

    async def main() -> None:
        loop.after(5.0, lambda: happened.append(loop.time()))
        await loop.passed(6.0)

    finish(loop, main())
    assert happened == [5.0]


def test_tasks_that_only_look_do_not_drive_the_time() -> None:
    loop, looks = VirtualLoop(Chance(1, 0)), list[float]()
    loop.due_at = {"the queue": 500.25}.__getitem__
    loop.first_due = lambda: 500.25

    async def look() -> None:
        loop.seeks("the queue")
        while loop.time() < 502.0:
            looks.append(loop.time())
            await asyncio.sleep(1.0)

    async def oversee() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(look())

    async def main() -> None:
        task = loop.create_task(oversee())
        loop.oversee(task)
        await task

    finish(loop, main())
    assert looks == [0.0, 500.25, 501.25]


def test_a_world_in_which_nothing_can_happen_any_more_says_so() -> None:
    loop = VirtualLoop(Chance(1, 0))

    async def main() -> None:
        await loop.create_future()

    task = loop.create_task(main())
    with pytest.raises(StuckError):
        loop.run_until_complete(task)
    task.get_coro().close()
    loop.set_exception_handler(lambda _loop, _context: None)
    loop.close()
