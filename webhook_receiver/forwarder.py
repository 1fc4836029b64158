"""Deliveries by way of the spool: into it when the payments service is away, out of it after."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Final

from kit.clock import Clock
from kit.http_health import Readiness
from kit.ids import Ids
from kit.logs import get_logger
from kit.request_scope import RequestScope, enter_scope
from webhook_receiver.recorder import Delivery, Recorder, RecorderUnavailableError, Recording
from webhook_receiver.spool import Spool, Spooled, SpoolError, SpoolFullError

_BATCH: Final = 50
_FIRST_WAIT: Final = 0.2
_LONGEST_WAIT: Final = 10.0
# When a delivery that the service refused is offered again.
_SET_ASIDE: Final = timedelta(minutes=5)
# How often the spool is looked into without a new delivery: what was set aside may be due.
_LOOK_SECONDS: Final = 30.0
# A disk that takes longer is no safer place than the gateway's own repetition.
_DISK_SECONDS: Final = 5.0
_HALF: Final = 0.5

_log = get_logger(__name__)


class SpoolingRecorder:
    """Stores deliveries at the service, or keeps them in the spool when that fails.

    `service`: with a short deadline of its own. New deliveries go straight to the service also
    while older ones wait in the spool: each is a hint to ask the gateway, so their order means
    nothing, and a member who pays now must not wait for the backlog.
    """

    def __init__(self, service: Recorder, spool: Spool) -> None:
        self._service = service
        self._spool = spool
        self._half_full = False

    async def record(self, delivery: Delivery) -> Recording:
        """Store a delivery. Raises `RecorderUnavailableError` when neither could take it."""
        try:
            return await self._service.record(delivery)
        except RecorderUnavailableError as error:
            return await self._keep(delivery, error)

    async def readiness(self) -> Readiness:
        """Whether the service or the spool would take a delivery now."""
        service = await self._service.readiness()
        facts = {**service.facts, "spool": self._spool_state()}
        return Readiness(ready=service.ready or self._spool.fullness < 1, facts=facts)

    async def _keep(self, delivery: Delivery, cause: RecorderUnavailableError) -> Recording:
        try:
            async with asyncio.timeout(_DISK_SECONDS):
                await self._spool.put(delivery)
        except SpoolFullError:
            _log.error("spool_full", alert=True, rows=self._spool.rows, bytes=self._spool.bytes)
            raise cause from None
        except (SpoolError, TimeoutError) as error:
            _log.error("spool_failed", alert=True, error=str(error) or "the disk is too slow")
            raise cause from error
        _log.warning("delivery_spooled", reason=cause.reason, event_key=delivery.event_key)
        self._watch_half()
        return Recording.SPOOLED

    def _watch_half(self) -> None:
        was, self._half_full = self._half_full, self._spool.fullness >= _HALF
        if self._half_full and not was:
            _log.error(
                "spool_half_full", alert=True, rows=self._spool.rows, bytes=self._spool.bytes
            )

    def _spool_state(self) -> str:
        if self._spool.fullness >= 1:
            return "full"
        if self._spool.fullness >= _HALF:
            return "half full"
        return "holding" if self._spool.rows else "empty"


class Forwarder:
    """Sends what is in the spool to the service, oldest first, until the spool is empty.

    A delivery leaves the spool after the service has answered. A crash in between sends it again,
    which the service answers with "duplicate": it stores each gateway's event key once.
    """

    def __init__(self, spool: Spool, service: Recorder, clock: Clock, ids: Ids) -> None:
        self._spool = spool
        self._service = service
        self._clock = clock
        self._ids = ids

    async def run(self) -> None:
        """Forward until cancelled."""
        wait = _FIRST_WAIT
        while True:
            self._spool.filled.clear()
            try:
                found = await self._forward_batch()
            except (RecorderUnavailableError, SpoolError) as error:
                _log.warning("spool_waits", rows=self._spool.rows, error=str(error))
                await self._clock.sleep(self._ids.jitter(wait))
                wait = min(wait * 2, _LONGEST_WAIT)
                continue
            wait = _FIRST_WAIT
            if not found:
                await self._until_filled()

    async def _until_filled(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_SECONDS):
                await self._spool.filled.wait()

    async def _forward_batch(self) -> bool:
        """Send what is oldest; False when nothing was there to send."""
        batch = await self._spool.oldest(_BATCH, self._clock.now())
        sent: list[Spooled] = []
        try:
            for spooled in batch:
                sent += await self._forward(spooled)
        finally:
            if sent:
                await self._spool.remove(sent)
        return bool(batch)

    async def _forward(self, spooled: Spooled) -> list[Spooled]:
        """Send one delivery; return it unless the service does not want it."""
        delivery = spooled.delivery
        enter_scope(RequestScope(request_id=delivery.request_id))
        try:
            recording = await self._service.record(delivery)
        except RecorderUnavailableError as error:
            if not error.about_delivery:
                raise
            _log.error(
                "spooled_delivery_refused",
                alert=True,
                reason=error.reason,
                gateway=delivery.gateway,
            )
            await self._spool.set_aside(spooled, self._clock.now() + _SET_ASIDE)
            return []
        _log.info("delivery_forwarded", outcome=recording.value, gateway=delivery.gateway)
        return [spooled]
