"""Handles stored callbacks with today's code: parsed anew, attributed anew, applied anew."""

from dataclasses import dataclass, replace
from datetime import timedelta

from gateway_adapters.callbacks import CallbackUnreadableError, CallbackVerifier
from kit.errors import ServiceError
from services.payments.domain.attempts import Attempt
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.events import Delivery
from services.payments.domain.evidence import Answer
from services.payments.domain.reconciliation import Period
from services.payments.domain.refund_reports import RefundOrder, RefundQuery, RefundReport
from services.payments.operations.apply_gateway_event import apply_gateway_event
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import GatewayDescription, Gateways
from services.payments.ports.gateways import NotListed, SettlementPage, TransactionPage
from time_machine.log import StoredCallback

_LEASE = timedelta(minutes=1)


class OnlyLookUps:
    """Gateways that are asked and never told: a fold in a scratch schema must move nothing."""

    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways
        self.silent = 0

    @property
    def names(self) -> list[str]:
        """Every configured gateway."""
        return list(self._gateways.names)

    async def describe(self) -> dict[str, GatewayDescription]:
        """Return what the reachable gateways can do."""
        return dict(await self._gateways.describe())

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        """Look an attempt up at its gateway."""
        report = await self._gateways.get_charge(attempt)
        self.silent += report.answer in (Answer.UNKNOWN, Answer.NOT_SENT)
        return report

    async def get_refund(self, gateway: str, query: RefundQuery) -> RefundReport:
        """Look a refund up at its gateway."""
        return await self._gateways.get_refund(gateway, query)

    async def create_charge(self, gateway: str, order: ChargeOrder) -> ChargeReport:  # noqa: ARG002 - the port's signature
        """Refuse."""
        return ChargeReport(answer=Answer.NOT_SENT)

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:  # noqa: ARG002 - the port's signature
        """Refuse."""
        return ChargeReport(answer=Answer.NOT_SENT)

    async def submit_action(self, attempt: Attempt, order: ChargeOrder, otp: str) -> ChargeReport:  # noqa: ARG002 - the port's signature
        """Refuse."""
        return ChargeReport(answer=Answer.NOT_SENT)

    async def create_refund(self, gateway: str, order: RefundOrder) -> RefundReport:  # noqa: ARG002 - the port's signature
        """Refuse."""
        return RefundReport(answer=Answer.NOT_SENT)

    async def list_transactions(
        self, gateway: str, period: Period, page_token: str
    ) -> TransactionPage | NotListed:
        """Read one page of what a gateway recorded in a period."""
        return await self._gateways.list_transactions(gateway, period, page_token)

    async def list_settlements(
        self, gateway: str, period: Period, page_token: str
    ) -> SettlementPage | NotListed:
        """Read one page of what a gateway paid out in a period."""
        return await self._gateways.list_settlements(gateway, period, page_token)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What today's parser makes of a stored body. `differs`: in words, empty when it does not."""

    delivery: Delivery
    differs: str


def read_again(callback: StoredCallback, verifier: CallbackVerifier | None) -> Reading:
    """Parse a stored body with today's parser, and say how the reading differs from the stored.

    Without a parser, its gateway is not configured any more, and the stored reading counts.
    """
    stored = Delivery(
        gateway=callback.gateway,
        event_key=callback.event_key,
        event_type=callback.event_type,
        reference=callback.reference,
        gateway_transaction_id=callback.gateway_transaction_id,
        raw_body=callback.raw_body,
        headers=callback.headers,
        received_at=callback.received_at,
    )
    if verifier is None:
        return Reading(delivery=stored, differs="")
    headers = [(key.encode(), value.encode()) for key, value in callback.headers.items()]
    try:
        parsed = verifier.parse(callback.raw_body, headers)
    except CallbackUnreadableError:
        return Reading(delivery=stored, differs="")
    today = replace(
        stored,
        event_type=parsed.event_type,
        reference=parsed.reference,
        gateway_transaction_id=parsed.gateway_transaction_id,
    )
    changed = [
        f"{name}: {getattr(stored, name)!r} is read as {getattr(today, name)!r}"
        for name in ("event_type", "reference", "gateway_transaction_id")
        if getattr(stored, name) != getattr(today, name)
    ]
    return Reading(delivery=today, differs="; ".join(changed))


async def fold(deps: Dependencies, callback: StoredCallback, reading: Reading) -> str:
    """Handle one callback in the scratch tables; return how it ended there."""
    async with deps.storage.work() as work:
        await work.events.add(callback.id, reading.delivery, callback.request_id)
        due = await work.events.claim_due(deps.clock.now(), _LEASE, 1)
    if not due:
        return "not due"
    try:
        await apply_gateway_event(deps, due[0])
    except ServiceError as error:
        return error.reason.lower()
    async with deps.storage.work() as work:
        event = await work.events.lock(callback.id)
    return event.status if event else "lost"
