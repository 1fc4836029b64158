"""Gateways that only say what they can do: enough for routing, which never charges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import PaymentMethod
from services.payments.domain.reconciliation import Period
from services.payments.domain.refund_reports import RefundOrder, RefundQuery, RefundReport
from services.payments.ports import (
    Capability,
    GatewayDescription,
    NotListed,
    SettlementPage,
    TransactionPage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedGateways:
    """Implements the port `Gateways`. `away`: configured gateways whose adapters do not answer."""

    capabilities: Mapping[str, Sequence[Capability]]
    away: frozenset[str] = field(default_factory=frozenset)

    @property
    def names(self) -> Sequence[str]:
        return list(self.capabilities)

    async def describe(self) -> Mapping[str, GatewayDescription]:
        return {
            name: GatewayDescription(name=name, capabilities=capabilities, can_cancel=True)
            for name, capabilities in self.capabilities.items()
            if name not in self.away
        }

    async def create_charge(self, gateway: str, order: ChargeOrder) -> ChargeReport:
        return ChargeReport(answer=Answer.NOT_SENT, detail=f"{gateway}: {order.reference}")

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        return ChargeReport(answer=Answer.NOT_SENT, detail=attempt.reference)

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:
        return ChargeReport(answer=Answer.NOT_SENT, detail=attempt.reference)

    async def submit_action(self, attempt: Attempt, order: ChargeOrder, otp: str) -> ChargeReport:
        detail = f"{attempt.reference}: {order.reference}, {len(otp)} digits"
        return ChargeReport(answer=Answer.NOT_SENT, detail=detail)

    async def create_refund(self, gateway: str, order: RefundOrder) -> RefundReport:
        return RefundReport(answer=Answer.NOT_SENT, detail=f"{gateway}: {order.reference}")

    async def get_refund(self, gateway: str, query: RefundQuery) -> RefundReport:
        return RefundReport(answer=Answer.NOT_SENT, detail=f"{gateway}: {query.reference}")

    async def list_transactions(
        self, gateway: str, period: Period, page_token: str
    ) -> TransactionPage | NotListed:
        return NotListed(detail=f"{gateway}: no statement of {period} {page_token}")

    async def list_settlements(
        self, gateway: str, period: Period, page_token: str
    ) -> SettlementPage | NotListed:
        return NotListed(detail=f"{gateway}: no settlements of {period} {page_token}")


def offer(
    method: PaymentMethod,
    currency: str,
    *countries: str,
    flow: Flow = Flow.HOSTED,
    options: Sequence[str] = (),
) -> Capability:
    """Return what a gateway can charge; no countries means any."""
    return Capability(
        method=method,
        currency=currency,
        countries=frozenset(countries),
        flow=flow,
        options=frozenset(options),
    )
