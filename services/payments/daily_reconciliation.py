"""Has the worker reconcile the day before with every gateway, once a day."""

from datetime import timedelta

from kit.errors import ServiceError
from kit.logs import get_logger
from kit.request_scope import RequestScope, enter_scope, new_request_id
from services.payments.domain.reconciliation import Period
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.run_reconciliation import (
    RunReconciliationCommand,
    run_reconciliation,
)

_log = get_logger(__name__)

_LOOK_EVERY_SECONDS = 3600.0
_DAY = timedelta(days=1)
# Gateways list the last minutes of a day late.
_PATIENCE = timedelta(hours=2)


async def reconcile_daily(deps: Dependencies) -> None:
    """Reconcile every day until cancelled."""
    while True:
        await deps.clock.sleep(_LOOK_EVERY_SECONDS)
        for gateway in deps.gateways.names:
            await reconcile_yesterday(deps, gateway)


async def reconcile_yesterday(deps: Dependencies, gateway: str) -> None:
    """Reconcile the last day that is over, unless that was done; what goes wrong is tried again.

    The key is the day's, so several workers and many looks make one run.
    """
    enter_scope(RequestScope(request_id=new_request_id(), caller="worker"))
    now = deps.clock.now() - _PATIENCE
    end = now.replace(hour=0, minute=0, second=0, microsecond=0)
    command = RunReconciliationCommand(
        gateway=gateway,
        period=Period(start=end - _DAY, end=end),
        idempotency_key=f"daily:{gateway}:{end - _DAY:%Y-%m-%d}",
    )
    try:
        await run_reconciliation(deps, command)
    except ServiceError as error:
        _log.warning("reconciliation_postponed", gateway=gateway, reason=error.reason)
    except Exception as error:  # noqa: BLE001 - a defect here must not stop the worker; it is logged and tried again
        _log.error("reconciliation_failed", gateway=gateway, exc_info=error, alert=True)
