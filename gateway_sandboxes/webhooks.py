"""The webhook sender: first tries and retries on the sandbox's clock, written to a log."""

import asyncio
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Self

import httpx

from gateway_sandboxes.clock import Clock
from gateway_sandboxes.deliveries import Delivery, DeliveryState, Try
from gateway_sandboxes.faults import Faults
from gateway_sandboxes.notices import Dispatch, apply_faults
from gateway_sandboxes.store import Collection, Store

logger = logging.getLogger(__name__)

_MOST_AT_ONCE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How this gateway delivers, as its settings say now.

    `retry_seconds` are the waits before each further try; `accepts` tells which statuses count.
    """

    url: str | None
    timeout_seconds: float
    retry_seconds: tuple[float, ...]
    accepts: Callable[[int], bool]


class Outbox:
    """Sends notices and keeps the log. Enter it to start; leaving it stops every try under way.

    What was waiting when a process died is tried again by the next one.
    """

    def __init__(
        self, store: Store, clock: Clock, faults: Faults, policy: Callable[[], Policy]
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._policy = policy
        self._log = Collection(store, "webhooks", Delivery)
        self._numbers = itertools.count(len(self._log) + 1)
        self._client = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=None)  # noqa: S113 - every try has its own deadline
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._held: set[str] = set()
        self._room = asyncio.Semaphore(_MOST_AT_ONCE)

    async def __aenter__(self) -> Self:
        for delivery in self.deliveries():
            self._schedule(delivery)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_tries()
        await self._client.aclose()

    def deliveries(self) -> list[Delivery]:
        """Return the log, newest last."""
        return list(self._log.values())

    def send(self, dispatch: Dispatch) -> list[Delivery]:
        """Send a notice, faults permitting; tries and retries go on in the background."""
        dispatch = apply_faults(self._faults, dispatch)
        deliveries = [self._record(dispatch) for _ in range(max(1, dispatch.copies))]
        for delivery in deliveries:
            if dispatch.held:
                self._held.add(delivery.id)
            self._schedule(delivery)
        return deliveries

    async def wait_for_tries(self, reference: str) -> None:
        """Wait until the tries that are under way for a reference are over."""
        deliveries = (self._log[delivery_id] for delivery_id in list(self._under_way))
        await self._finish_tries([d for d in deliveries if d.reference == reference])

    async def replay(self, delivery_id: str) -> Delivery | None:
        """Send an old delivery's bytes once more, untouched by faults, and wait for the answer."""
        old = self._log.get(delivery_id)
        if old is None:
            return None
        now, url = self._clock.now(), old.own_url or self._policy().url
        replayed = replace(
            old,
            id=self._next_id(),
            url=url,
            state="waiting" if url else "no_url",
            created_at=now,
            next_try_at=now if url else None,
            tries=(),
            faults=(),
            replay_of=old.id,
        )
        self._log.put(replayed.id, replayed)
        self._schedule(replayed)
        await self._finish_tries([replayed])
        return self._log.get(replayed.id)

    async def clear(self) -> None:
        """Stop every try; the log goes with the store."""
        await self._stop_tries()
        self._held.clear()

    def _next_id(self) -> str:
        return f"wh_{next(self._numbers)}"

    def _record(self, dispatch: Dispatch) -> Delivery:
        own_url = dispatch.notice.url
        now, url = self._clock.now(), own_url or self._policy().url
        leaves = bool(dispatch.copies and url)
        delivery = Delivery(
            id=self._next_id(),
            reference=dispatch.notice.subject.reference,
            event=dispatch.notice.event,
            url=url,
            headers=dispatch.notice.headers,
            body=dispatch.notice.body.decode(),
            state="waiting" if leaves else "no_url" if dispatch.copies else "dropped",
            created_at=now,
            next_try_at=now + timedelta(seconds=dispatch.delay_seconds) if leaves else None,
            faults=dispatch.faults,
            own_url=own_url,
        )
        return self._log.put(delivery.id, delivery)

    def _schedule(self, delivery: Delivery) -> None:
        if delivery.next_try_at is None:
            return
        if delivery.next_try_at <= self._clock.now():
            self._start(delivery.id)
        else:
            self._clock.call_at(delivery.next_try_at, partial(self._start, delivery.id))

    def _start(self, delivery_id: str) -> None:
        """Begin the try that is due; a timer that no longer applies does nothing."""
        delivery = self._log.get(delivery_id)
        if delivery is None or delivery.next_try_at is None or delivery_id in self._under_way:
            return
        if delivery.next_try_at > self._clock.now():
            return
        task = asyncio.create_task(self._try(delivery))
        self._under_way[delivery_id] = task
        task.add_done_callback(partial(self._finished, delivery_id))

    def _finished(self, delivery_id: str, task: asyncio.Task[None]) -> None:
        self._under_way.pop(delivery_id, None)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            logger.error("a webhook try failed inside the sandbox", exc_info=error)
        elif (delivery := self._log.get(delivery_id)) is not None:
            self._schedule(delivery)

    async def _try(self, delivery: Delivery) -> None:
        policy = self._policy()
        async with self._room:
            result = await self._post(delivery, policy)
        tries = (*delivery.tries, result)
        delivered = result.status is not None and policy.accepts(result.status)
        due: datetime | None = None
        if not delivered and len(tries) <= len(policy.retry_seconds):
            due = self._clock.now() + timedelta(seconds=policy.retry_seconds[len(tries) - 1])
        state: DeliveryState = "delivered" if delivered else "waiting" if due else "given_up"
        self._log.put(delivery.id, replace(delivery, tries=tries, state=state, next_try_at=due))
        if delivery.id not in self._held:
            self._release_held()

    async def _post(self, delivery: Delivery, policy: Policy) -> Try:
        at, started = self._clock.now(), time.monotonic()
        status: int | None = None
        error: str | None = None
        try:
            async with asyncio.timeout(policy.timeout_seconds):
                reply = await self._client.post(
                    delivery.url or "", content=delivery.body, headers=delivery.headers
                )
                status = reply.status_code
        except TimeoutError:
            error = f"no answer within {policy.timeout_seconds:g} seconds"
        except (httpx.HTTPError, httpx.InvalidURL) as failure:
            error = f"{type(failure).__name__}: {failure}"
        return Try(at=at, status=status, error=error, seconds=time.monotonic() - started)

    def _release_held(self) -> None:
        """Let the webhooks that were held back follow the one that has overtaken them."""
        for delivery_id in sorted(self._held):
            delivery = self._log[delivery_id]
            if delivery.next_try_at is not None:
                self._log.put(delivery_id, replace(delivery, next_try_at=self._clock.now()))
                self._start(delivery_id)
        self._held.clear()

    async def _finish_tries(self, deliveries: list[Delivery]) -> None:
        tasks = (self._under_way.get(delivery.id) for delivery in deliveries)
        await asyncio.gather(*(task for task in tasks if task is not None))

    async def _stop_tries(self) -> None:
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
