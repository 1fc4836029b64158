"""Gateways that only say what they can do: enough for routing, which never charges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import PaymentMethod
from services.payments.ports import Capability, GatewayDescription


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
