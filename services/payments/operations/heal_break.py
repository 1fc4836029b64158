"""Heals a break if what is missing can be proven; every other one waits for a person."""

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

from kit.errors import ServiceError
from kit.logs import get_logger
from kit.request_scope import about_payment, current_scope, enter_scope
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.reconciliation import Break, BreakKind, Subject
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.heal_charge import heal_charge, heal_fee
from services.payments.operations.heal_chargeback import heal_chargeback
from services.payments.operations.heal_refund import adopt_refund, ask_about_refund
from services.payments.operations.healing import Healing, healed, left_open

_log = get_logger(__name__)

_K, _S = BreakKind, Subject
Healer = Callable[[Dependencies, str, Break], Awaitable[Healing]]


async def _no_difference(_deps: Dependencies, _gateway: str, _found: Break) -> Healing:
    return healed("the money is the same")


_HEALERS: Mapping[tuple[BreakKind, Subject], Healer] = MappingProxyType(
    {
        (_K.LATE, _S.CHARGE): heal_charge,
        (_K.DUPLICATE, _S.CHARGE): heal_charge,
        (_K.FEE, _S.CHARGE): heal_fee,
        (_K.DAY_BOUNDARY, _S.CHARGE): _no_difference,
        (_K.STATUS, _S.REFUND): ask_about_refund,
        (_K.REFUNDED_THERE, _S.REFUND): adopt_refund,
        (_K.CHARGEBACK, _S.CHARGEBACK): heal_chargeback,
    }
)


async def heal_break(deps: Dependencies, gateway: str, found: Break) -> Healing:
    """Work on a break and return how it stands.

    One that cannot be worked on now stays open, and the next run tries again. Raises `ServiceError`
    when the database is away.
    """
    healer = _HEALERS.get((found.kind, found.subject))
    if healer is None:
        return left_open()
    scope = current_scope()
    if found.payment_id is not None:
        about_payment(str(found.payment_id))
    try:
        return await healer(deps, gateway, found)
    except ServiceError:
        raise
    except StaleWriteError:
        return left_open("somebody else is working on it at this moment")
    except Exception as error:  # noqa: BLE001 - one bad row must not stop the run; it is logged and stays open
        _log.error("healing_failed", kind=found.kind, gateway=gateway, exc_info=error)
        return left_open("it could not be healed; the log says why")
    finally:
        enter_scope(scope)
