"""RunReconciliation: once per key, to its end even when the caller has gone."""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta

import msgspec

from kit.errors import ServiceError
from kit.logs import get_logger
from kit.request_scope import current_scope, enter_scope
from services.payments.domain.errors import (
    CommitUnknownError,
    idempotency_key_reused,
    request_in_progress,
    run_too_long,
)
from services.payments.domain.ledger import clearing
from services.payments.domain.reconciliation import Period, Run, RunResult
from services.payments.operations.compare_records import compare_records
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.idempotency import encode_answer, fingerprint, scope_of
from services.payments.ports import IdempotencyRecord, IdempotencyScope

_log = get_logger(__name__)

LONGEST_PERIOD = timedelta(days=31)
_LONGEST_RUN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReconciliationCommand:
    """A validated request to compare a gateway's record of a period with ours."""

    gateway: str
    period: Period
    idempotency_key: str


async def run_reconciliation(deps: Dependencies, command: RunReconciliationCommand) -> RunResult:
    """Compare a gateway's record of a period with ours, and heal what is provable.

    Raises `ServiceError`: see RunReconciliation in protos/operations/v1/operations_service.proto.
    """
    job = _Job(
        scope=scope_of("", "RunReconciliation", command.idempotency_key),
        fingerprint=fingerprint(command),
        run=Run(
            id=deps.ids.new_id(),
            gateway=command.gateway,
            period=command.period,
            requested_by=current_scope().caller,
            started_at=deps.clock.now(),
        ),
    )
    answered = await _begin(deps, job)
    if answered is not None:
        return answered
    return await deps.tasks.finish(_work(deps, job))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """A run with the key that it answers."""

    scope: IdempotencyScope
    fingerprint: bytes
    run: Run


async def _begin(deps: Dependencies, job: _Job) -> RunResult | None:
    """Claim the key; return the answer that it already has."""
    try:
        return await _claim(deps, job)
    except CommitUnknownError:
        # An error on commit does not mean "not committed": the key tells.
        async with deps.storage.work() as work:
            record = await work.keys.get(job.scope)
        if record is None or record.owner != job.run.id:
            raise
        return None


async def _claim(deps: Dependencies, job: _Job) -> RunResult | None:
    now = deps.clock.now()
    record = IdempotencyRecord(
        scope=job.scope,
        fingerprint=job.fingerprint,
        owner=job.run.id,
        lease_until=now + _LONGEST_RUN,
        payment_id=job.run.id,
    )
    async with deps.storage.work() as work:
        earlier = await work.keys.get(job.scope)
        if earlier is not None:
            if earlier.fingerprint != job.fingerprint:
                raise idempotency_key_reused()
            if earlier.response is not None:
                return msgspec.json.decode(earlier.response, type=RunResult)
            if earlier.lease_until > now:
                raise request_in_progress()
            # Its process stopped. What it healed stays so, and is no break any more.
            await work.keys.forget(job.scope)
        if not await work.keys.add(record, now):
            raise request_in_progress()
        await work.reconciliation.begin(job.run)
    return None


async def _work(deps: Dependencies, job: _Job) -> RunResult:
    # The caller's deadline is not the run's: every call in it has one of its own.
    enter_scope(replace(current_scope(), deadline=None))
    try:
        async with asyncio.timeout(_LONGEST_RUN.total_seconds()):
            result = await compare_records(deps, job.run)
    except TimeoutError as error:
        await _give_up(deps, job)
        raise run_too_long() from error
    except BaseException:
        await _give_up(deps, job)
        raise
    try:
        return await _finish(deps, job, result)
    except CommitUnknownError:
        # Finishing twice is finishing once.
        return await _finish(deps, job, result)


async def _give_up(deps: Dependencies, job: _Job) -> None:
    """Free the key, so that the same request can be made again at once."""
    try:
        async with deps.storage.work() as work:
            await work.keys.forget(job.scope)
    except ServiceError as error:
        _log.warning("key_not_freed", run_id=str(job.run.id), reason=error.reason)


async def _finish(deps: Dependencies, job: _Job, result: RunResult) -> RunResult:
    async with deps.storage.work() as work:
        balances = await work.ledger.balances(clearing(job.run.gateway))
        result = replace(result, clearing=tuple(balances))
        await work.reconciliation.end(result, deps.clock.now())
        await work.keys.finish(job.scope, job.run.id, encode_answer(result))
    _log.info(
        "reconciled",
        gateway=job.run.gateway,
        run_id=str(job.run.id),
        compared=result.compared,
        breaks=result.breaks,
        healed=result.healed,
    )
    return result
