"""GET /api/tiers: what can be bought, and what it costs."""

from collections.abc import Mapping, Sequence

from starlette.responses import Response

from kit.money import EXPONENTS, Money
from protos.common.v1.billing_cycle_pb2 import (
    BILLING_CYCLE_ANNUAL,
    BILLING_CYCLE_MONTHLY,
    BillingCycle,
)
from protos.memberships.v1.membership_pb2 import Tier
from protos.memberships.v1.memberships_service_pb2 import ListTiersResponse
from services.bff.documents import PriceDocument, SavingsDocument, TierDocument, TiersDocument
from services.bff.endpoints import Asked, Endpoint, Parameter, json_answer
from services.bff.mapping import amount_document, cycle_name
from services.bff.payments_client import PaymentsClient
from services.bff.problems import invalid

# Prices change rarely, and a payment is priced anew by the payments service whatever a page shows.
_CACHE_CONTROL = "public, max-age=60"
_MONTHS_IN_A_YEAR = 12


def tier_endpoints(payments: PaymentsClient, default_currency: str) -> Sequence[Endpoint]:
    """Return the endpoint of the price book; `default_currency` (ISO 4217) where none is asked."""

    async def list_tiers(asked: Asked) -> Response:
        currency = _asked_currency(asked, default_currency)
        response = await payments.list_tiers(currency)
        document = tiers_document(currency, response)
        return json_answer(asked, document, cache_control=_CACHE_CONTROL)

    currency = Parameter(
        name="currency",
        description="ISO 4217 code; without one, the default currency.",
        schema={"type": "string", "examples": ["UGX"]},
    )
    return [
        Endpoint(
            method="GET",
            path="/api/tiers",
            summary="What can be bought, and what it costs",
            handle=list_tiers,
            answer=TiersDocument,
            for_everybody=True,
            parameters=[currency],
            problems=[400],
            field_names={"currency_code": "currency"},
        )
    ]


def tiers_document(currency: str, response: ListTiersResponse) -> TiersDocument:
    """Return the price book as JSON; amounts as exact decimal text and as minor units."""
    return TiersDocument(
        currency=currency,
        currencies=list(response.currency_codes),
        price_book_version=response.price_book_version,
        tiers=[_tier_document(tier) for tier in response.tiers],
    )


def _asked_currency(asked: Asked, default: str) -> str:
    currency = asked.request.query_params.get("currency", default).upper()
    if currency not in EXPONENTS:
        raise invalid("currency", 'must be an ISO 4217 code, for example "UGX"')
    return currency


def _tier_document(tier: Tier) -> TierDocument:
    prices = {
        price.billing_cycle: Money(price.amount.currency_code, price.amount.amount_minor)
        for price in tier.prices
    }
    return TierDocument(
        tier=tier.tier,
        display_name=tier.display_name,
        features=list(tier.features),
        prices=[
            PriceDocument(billing_cycle=cycle_name(cycle), amount=amount_document(amount))
            for cycle, amount in prices.items()
        ],
        annual_savings=_annual_savings(prices),
    )


def _annual_savings(prices: Mapping["BillingCycle.ValueType", Money]) -> SavingsDocument | None:
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
    return SavingsDocument(amount=amount_document(saved), basis_points=basis_points)
