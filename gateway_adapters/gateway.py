"""The contract of a gateway, in our words: no grpc, no protos, no HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway_adapters.charges import ChargeOrder, ChargeQuery, ChargeReport, Method, Outcome
from gateway_adapters.errors import NotCreatedError
from gateway_adapters.records import Period, RecordPage, SettlementPage
from gateway_adapters.refunds import RefundOrder, RefundQuery, RefundReport


class Flow(StrEnum):
    """How a charge reaches the payer; each is `gateways.v1.Flow` of the same name."""

    HOSTED = "HOSTED"
    PROMPT = "PROMPT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One thing a gateway can charge.

    `countries`: ISO 3166-1 alpha-2; empty means any. `options`: what a payer may narrow the method
    to; empty means nothing can be chosen.
    """

    method: Method
    currency: str
    flow: Flow
    countries: frozenset[str] = frozenset()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a gateway can do. Looking charges up and listing transactions are not optional."""

    capabilities: Sequence[Capability]
    can_cancel: bool
    can_refund: bool
    can_list_settlements: bool


class Gateway(Protocol):
    """One payment gateway.

    Every call raises `NotSentError`, `NotCreatedError` or `OutcomeUnknownError`, and a look-up
    never `NotCreatedError` on the gateway's word: not being able to ask proves nothing.
    """

    @property
    def name(self) -> str:
        """The gateway's name in the registry."""
        ...

    def describe(self) -> Abilities:
        """Say what this gateway can do, without calling it."""
        ...

    async def create_charge(self, order: ChargeOrder) -> ChargeReport:
        """Create a charge. Never sent twice, whatever happens."""
        ...

    async def get_charge(self, query: ChargeQuery) -> ChargeReport:
        """Ask the gateway what it knows about a charge."""
        ...

    async def cancel_charge(self, redirect_url: str) -> Outcome:
        """Close the hosted page at `redirect_url`.

        SUCCEEDED when the gateway says that it can no longer be paid, FAILED when it refuses.
        Raises `NotOfferedError` where there is no such call.
        """
        ...

    async def submit_otp(self, order: ChargeOrder, state: str, otp: str) -> ChargeReport:
        """Hand in what the payer was asked for. `state`: of the charge's `EnterOtp`.

        Raises `NotOfferedError` where there is no such step.
        """
        ...

    async def create_refund(self, order: RefundOrder) -> RefundReport:
        """Send money back. Never sent twice, whatever happens.

        PENDING when the gateway accepted it. Raises `NotOfferedError` where there is no such call.
        """
        ...

    async def get_refund(self, query: RefundQuery) -> RefundReport:
        """Ask the gateway what it knows about a refund; not knowing it is the outcome NOT_FOUND.

        A refund that is found under our reference or the gateway's id and has another amount is an
        `OutcomeUnknownError`. Raises `NotOfferedError` where there is no such call.
        """
        ...

    async def list_transactions(self, period: Period) -> RecordPage:
        """List one page of what the gateway recorded, every try under every reference.

        Raises `NotCreatedError` for a page token that is none of ours, and `OutcomeUnknownError`
        when a single row cannot be read: an incomplete list must not look complete.
        """
        ...

    async def list_settlements(self, period: Period) -> SettlementPage:
        """List one page of what the gateway paid out to the merchant, oldest first.

        Raises as `list_transactions` does, and `NotOfferedError` where there is no such list.
        """
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


def require_capability(abilities: Abilities, order: ChargeOrder) -> Capability:
    """Return the capability that covers an order.

    Raises `NotCreatedError` naming what the gateway lacks.
    """
    by_method = [each for each in abilities.capabilities if each.method is order.method]
    if not by_method:
        raise NotCreatedError("method_not_supported", f"no {order.method} payments here")
    by_currency = [each for each in by_method if each.currency == order.amount.currency]
    if not by_currency:
        currency = order.amount.currency
        raise NotCreatedError("currency_not_supported", f"no {order.method} in {currency} here")
    for capability in by_currency:
        if not capability.countries or order.payer.country in ("", *capability.countries):
            return _with_option(capability, order.option)
    raise NotCreatedError("country_not_supported", "not offered in the payer's country")


def _with_option(capability: Capability, option: str) -> Capability:
    if option and option not in capability.options:
        raise NotCreatedError("payment_option_not_supported", "no such payment option here")
    return capability
