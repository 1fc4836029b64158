"""What the operations need of the gateways, each behind its adapter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.payment import PaymentMethod
from services.payments.domain.reconciliation import Period, Settlement, Transaction
from services.payments.domain.refund_reports import RefundOrder, RefundQuery, RefundReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing that a gateway can charge. `countries` empty: any. `options`: may be asked for."""

    method: PaymentMethod
    currency: str
    countries: frozenset[str]
    flow: Flow
    options: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayDescription:
    """What one gateway can do."""

    name: str
    capabilities: Sequence[Capability]
    can_cancel: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NotListed:
    """A list, or a page of one, that could not be read: never to be taken for an empty one.

    `offered`: whether the gateway has such a list at all. `detail`: for operators.
    """

    detail: str
    offered: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage:
    """One page of a gateway's statement; `next_page_token` is empty on the last one."""

    transactions: Sequence[Transaction]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementPage:
    """One page of a gateway's settlements; `next_page_token` is empty on the last one."""

    settlements: Sequence[Settlement]
    next_page_token: str = ""


class Gateways(Protocol):
    """The gateways, each behind its adapter. None of these raises for a failed call."""

    async def describe(self) -> Mapping[str, GatewayDescription]:
        """Return what the reachable gateways can do, by name."""
        ...

    @property
    def names(self) -> Sequence[str]:
        """Every configured gateway, reachable or not."""
        ...

    async def create_charge(self, gateway: str, order: ChargeOrder) -> ChargeReport:
        """Create a charge."""
        ...

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        """Look an attempt up by our own stored reference."""
        ...

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:
        """Close an attempt; SUCCEEDED only when the gateway acknowledged it."""
        ...

    async def submit_action(self, attempt: Attempt, order: ChargeOrder, otp: str) -> ChargeReport:
        """Hand in the one-time password that the attempt waits for."""
        ...

    async def create_refund(self, gateway: str, order: RefundOrder) -> RefundReport:
        """Send money back."""
        ...

    async def get_refund(self, gateway: str, query: RefundQuery) -> RefundReport:
        """Look a refund up by our own stored reference."""
        ...

    async def list_transactions(
        self, gateway: str, period: Period, page_token: str
    ) -> TransactionPage | NotListed:
        """Read one page of what a gateway recorded in a period."""
        ...

    async def list_settlements(
        self, gateway: str, period: Period, page_token: str
    ) -> SettlementPage | NotListed:
        """Read one page of what a gateway paid out in a period, oldest first."""
        ...
