"""GET /api/tiers: what can be bought, and what it costs."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kit.errors import FieldViolation, InvalidRequestError
from kit.money import EXPONENTS, Money
from protos.common.v1.billing_cycle_pb2 import (
    BILLING_CYCLE_ANNUAL,
    BILLING_CYCLE_MONTHLY,
    BillingCycle,
)
from protos.memberships.v1.membership_pb2 import Tier
from protos.memberships.v1.memberships_service_pb2 import ListTiersResponse
from services.bff.payments_client import PaymentsClient

# Prices change rarely, and a payment is priced anew by the payments service whatever a page shows.
_CACHE_CONTROL = "public, max-age=60"
_MONTHS_IN_A_YEAR = 12
_CYCLE_PREFIX = "BILLING_CYCLE_"


def tier_routes(payments: PaymentsClient, default_currency: str) -> list[Route]:
    """Return the routes of the price book; `default_currency` (ISO 4217) when none is asked for."""

    async def list_tiers(request: Request) -> Response:
        currency = _asked_currency(request, default_currency)
        response = await payments.list_tiers(currency)
        return JSONResponse(
            tiers_document(currency, response), headers={"cache-control": _CACHE_CONTROL}
        )

    return [Route("/api/tiers", list_tiers)]


def tiers_document(currency: str, response: ListTiersResponse) -> dict[str, object]:
    """Return the price book as JSON; amounts as exact decimal text and as minor units."""
    return {
        "currency": currency,
        "currencies": list(response.currency_codes),
        "price_book_version": response.price_book_version,
        "tiers": [_tier_document(tier) for tier in response.tiers],
    }


def _asked_currency(request: Request, default: str) -> str:
    currency = request.query_params.get("currency", default).upper()
    if currency not in EXPONENTS:
        violation = FieldViolation("currency", 'must be an ISO 4217 code, for example "UGX"')
        raise InvalidRequestError([violation])
    return currency


def _tier_document(tier: Tier) -> dict[str, object]:
    prices = {
        price.billing_cycle: Money(price.amount.currency_code, price.amount.amount_minor)
        for price in tier.prices
    }
    return {
        "tier": tier.tier,
        "display_name": tier.display_name,
        "features": list(tier.features),
        "prices": [
            {"billing_cycle": _cycle_name(cycle), "amount": _money_document(amount)}
            for cycle, amount in prices.items()
        ],
        "annual_savings": _annual_savings(prices),
    }


def _annual_savings(prices: Mapping["BillingCycle.ValueType", Money]) -> dict[str, object] | None:
    """Return what a year saves against twelve months, or None where it saves nothing."""
    monthly, annual = prices.get(BILLING_CYCLE_MONTHLY), prices.get(BILLING_CYCLE_ANNUAL)
    if monthly is None or annual is None:
        return None
    twelve_months = monthly * _MONTHS_IN_A_YEAR
    saved = twelve_months - annual
    if saved.minor <= 0:
        return None
    # Hundredths of a percent, rounded to the nearest: 1667 is 16.67 %.
    basis_points = (saved.minor * 20_000 + twelve_months.minor) // (2 * twelve_months.minor)
    return {"amount": _money_document(saved), "basis_points": basis_points}


def _cycle_name(cycle: "BillingCycle.ValueType") -> str:
    return BillingCycle.Name(cycle).removeprefix(_CYCLE_PREFIX).lower()


def _money_document(money: Money) -> dict[str, object]:
    return {
        "currency": money.currency,
        "amount": format(money.to_major(), "f"),
        "amount_minor": money.minor,
    }
