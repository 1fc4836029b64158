"""Which gateways can take a payment, best first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kit.errors import FieldViolation
from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.errors import gateways_unavailable, invalid_fields
from services.payments.domain.payment import PaymentMethod, Purchase
from services.payments.ports import Capability, GatewayDescription, Gateways, Routing

# An attempt that a stopped process left behind says nothing about its gateway, so the same gateway
# may be tried again; but not for ever.
_MAX_ATTEMPTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One gateway that can take the payment, and how it reaches the payer."""

    gateway: str
    flow: Flow


class Router:
    """Chooses by method, currency, country, declared capabilities and health.

    An adapter that cannot be reached describes nothing, and so gets no new payment.
    """

    def __init__(self, gateways: Gateways, routing: Routing) -> None:
        self._gateways = gateways
        self._routing = routing

    async def routes(self, purchase: Purchase) -> Sequence[Route]:
        """Return the gateways that can take the purchase, best first; at least one.

        Raises `InvalidRequestError` when no gateway offers it, and `ServiceError` (UNAVAILABLE)
        when those that might are away.
        """
        described = await self._gateways.describe()
        routes = [
            Route(gateway=name, flow=capability.flow)
            for name in self._preferred(purchase.payment_method)
            if name in described
            for capability in _matching(described[name], purchase)[:1]
        ]
        if not routes and len(described) < len(self._gateways.names):
            raise gateways_unavailable()
        if not routes:
            raise invalid_fields(_violations(described.values(), purchase))
        return routes

    def _preferred(self, method: PaymentMethod) -> Sequence[str]:
        preferred = self._routing.preferences.get(method, ())
        known = self._gateways.names
        return [
            *(name for name in preferred if name in known),
            *(name for name in known if name not in preferred),
        ]


def next_route(routes: Sequence[Route], attempts: Sequence[Attempt]) -> Route | None:
    """Return the gateway to try next, or None when all have shown that they will not take it.

    Only the newest round counts. Every gateway is tried once, best first. One whose reply was lost
    is tried a second time, but only when no other is left.
    """
    newest = max((attempt.round for attempt in attempts), default=1)
    attempts = [attempt for attempt in attempts if attempt.round == newest]
    if len(attempts) >= _MAX_ATTEMPTS:
        return None
    tried: dict[str, list[Attempt]] = {route.gateway: [] for route in routes}
    for attempt in attempts:
        if not attempt.interrupted:
            tried.setdefault(attempt.gateway, []).append(attempt)
    untried = [route for route in routes if not tried[route.gateway]]
    reply_lost = [
        route for route in routes if [each.reply_lost for each in tried[route.gateway]] == [True]
    ]
    return next(iter(untried + reply_lost), None)


def _matching(description: GatewayDescription, purchase: Purchase) -> list[Capability]:
    country, option = purchase.customer.country_code, purchase.payment_option
    return [
        capability
        for capability in description.capabilities
        if capability.method is purchase.payment_method
        and capability.currency == purchase.amount.currency
        and (not capability.countries or not country or country in capability.countries)
        and (not option or option in capability.options)
    ]


def _violations(
    described: Iterable[GatewayDescription], purchase: Purchase
) -> list[FieldViolation]:
    offers = [
        capability
        for description in described
        for capability in description.capabilities
        if capability.method is purchase.payment_method
    ]
    currencies = sorted({offer.currency for offer in offers})
    if purchase.amount.currency not in currencies:
        offered = ", ".join(currencies) or "no currency"
        text = f"{purchase.payment_method} is offered in {offered}"
        return [FieldViolation("currency_code", text)]
    in_currency = [offer for offer in offers if offer.currency == purchase.amount.currency]
    if purchase.payment_option and not any(
        purchase.payment_option in offer.options for offer in in_currency
    ):
        text = f"is not offered in {purchase.amount.currency}"
        return [FieldViolation("payment_option", text)]
    countries = sorted(set().union(*(offer.countries for offer in in_currency)))
    text = f"{purchase.payment_method} in {purchase.amount.currency} is offered in: " + ", ".join(
        countries
    )
    return [FieldViolation("customer.country_code", text)]
