"""ListReconciliationBreaks: what the reconciler found, newest first."""

from collections.abc import Sequence

from services.payments.domain.reconciliation import StoredBreak
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import BreakFilter


async def list_breaks(deps: Dependencies, wanted: BreakFilter, limit: int) -> Sequence[StoredBreak]:
    """Read at most `limit` breaks."""
    async with deps.storage.work() as work:
        return await work.reconciliation.page(wanted, limit)
