"""Reconciliation as staff run and read it; part of OperationsService."""

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kit.errors import FieldViolation
from protos.operations.v1 import operations_service_pb2 as pb
from services.payments import validation as v
from services.payments.domain.reconciliation import BreakStatus, Period, StoredBreak
from services.payments.mapping import datetime_of, money, timestamp
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.read_reconciliation import list_breaks
from services.payments.operations.run_reconciliation import (
    LONGEST_PERIOD,
    RunReconciliationCommand,
    run_reconciliation,
)
from services.payments.page_tokens import after_of, page_size, page_token
from services.payments.ports import BreakFilter

_YEARS = range(2000, 3000)
_STATUSES = frozenset(BreakStatus)
_STATUS = v.Field(
    "status", (v.one_of(_STATUSES, f"must be one of: {', '.join(sorted(_STATUSES))}"),)
)
_GATEWAY = v.Field("gateway", (v.at_most(40), v.plain))


async def run(
    deps: Dependencies, request: pb.RunReconciliationRequest
) -> pb.RunReconciliationResponse:
    """Compare our books with a gateway's record."""
    known = v.Field("gateway", (v.required, v.one_of(deps.gateways.names, "is not configured")))
    v.check(request, known, v.IDEMPOTENCY_KEY, further=_period_violations(request))
    start, end = _times(request)
    command = RunReconciliationCommand(
        gateway=request.gateway,
        period=Period(start=datetime_of(start), end=datetime_of(end)),
        idempotency_key=request.idempotency_key,
    )
    result = await run_reconciliation(deps, command)
    return pb.RunReconciliationResponse(
        compared_count=result.compared,
        break_count=result.breaks,
        healed_count=result.healed,
        run_id=str(result.run_id),
        clearing_balances=[money(each) for each in result.clearing],
    )


async def read(
    deps: Dependencies, request: pb.ListReconciliationBreaksRequest
) -> pb.ListReconciliationBreaksResponse:
    """Read a page of breaks."""
    v.check(request, _GATEWAY, _STATUS, v.PAGE_TOKEN)
    filters = ("reconciliation_breaks", request.gateway, request.status)
    size, after = page_size(request.page_size), after_of(request.page_token, filters)
    wanted = BreakFilter(
        gateway=request.gateway or None,
        status=BreakStatus(request.status) if request.status else None,
        before=(after.at, after.id) if after else None,
    )
    found = await list_breaks(deps, wanted, size + 1)
    last = found[size - 1] if len(found) > size else None
    return pb.ListReconciliationBreaksResponse(
        breaks=[_break_message(each) for each in found[:size]],
        next_page_token=page_token(last.found_at, last.id, filters) if last else "",
    )


def _times(request: pb.RunReconciliationRequest) -> tuple[Timestamp, Timestamp]:
    # "from" is a word of the language, so it cannot be read with a dot.
    return getattr(request, "from"), request.to


def _period_violations(request: pb.RunReconciliationRequest) -> list[FieldViolation]:
    start, end = (_time_of(stamp) for stamp in _times(request))
    missing = [
        FieldViolation(field, "must be a time between the years 2000 and 2999")
        for field, at in (("from", start), ("to", end))
        if at is None
    ]
    if start is None or end is None:
        return missing
    if start < end <= start + LONGEST_PERIOD:
        return []
    return [FieldViolation("to", f"must be after from, by at most {LONGEST_PERIOD.days} days")]


def _time_of(stamp: Timestamp) -> datetime | None:
    """Return a time that a gateway can be asked about; an absent one is the year 1970."""
    if v.in_range(stamp):
        return None
    at = datetime_of(stamp)
    return at if at.year in _YEARS else None


def _break_message(each: StoredBreak) -> Any:
    return pb.ReconciliationBreak(
        break_id=str(each.id),
        kind=each.kind,
        gateway=each.gateway,
        reference=each.reference,
        summary=each.summary,
        payment_id=str(each.payment_id or ""),
        gateway_transaction_id=each.transaction_id,
        status=each.status,
        find_time=timestamp(each.found_at),
    )
