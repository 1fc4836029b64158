"""Which gateways may take a payment, in which order, and which one is tried next."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from kit.errors import InvalidRequestError, ServiceError
from kit.money import Money
from services.payments.domain.attempts import INTERRUPTED, Attempt, AttemptOutcome, Flow
from services.payments.domain.payment import Failure, PaymentMethod, Purchase
from services.payments.ports import Capability, Routing
from services.payments.router import Route, Router, next_route
from tests.unit.described_gateways import DescribedGateways, offer
from tests.unit.factories import NOW, make_attempt, make_purchase

CARD, MOBILE, EXPRESS = PaymentMethod.CARD, PaymentMethod.MOBILE_MONEY, PaymentMethod.EXPRESS
OFFERS: dict[str, list[Capability]] = {
    "flutterwave": [
        offer(MOBILE, "UGX", "UG"),
        offer(MOBILE, "KES", "KE"),
        offer(CARD, "UGX"),
        offer(EXPRESS, "USD", options=["google_pay", "paypal"]),
    ],
    "eversend": [
        offer(MOBILE, "UGX", "UG", flow=Flow.PROMPT),
        offer(MOBILE, "RWF", "RW", flow=Flow.PROMPT),
        offer(CARD, "UGX"),
        offer(EXPRESS, "USD", options=["paypal"]),
    ],
}
PREFERENCES = {MOBILE: ["eversend", "flutterwave"], EXPRESS: ["flutterwave", "eversend"]}


def bought(
    method: PaymentMethod = MOBILE, currency: str = "UGX", country: str = "UG", option: str = ""
) -> Purchase:
    customer = replace(make_purchase().customer, country_code=country)
    return make_purchase(
        payment_method=method,
        amount=Money(currency, 35_000),
        customer=customer,
        payment_option=option,
    )


def router(*away: str, preferences: dict[PaymentMethod, list[str]] | None = None) -> Router:
    gateways = DescribedGateways(capabilities=OFFERS, away=frozenset(away))
    return Router(gateways, Routing(preferences=preferences or PREFERENCES))


async def names(purchase: Purchase, *away: str) -> list[str]:
    return [route.gateway for route in await router(*away).routes(purchase)]


async def test_gateways_come_in_the_order_of_preference() -> None:
    assert await names(bought(MOBILE)) == ["eversend", "flutterwave"]
    assert await names(bought(EXPRESS, "USD", "")) == ["flutterwave", "eversend"]


async def test_without_a_preference_the_configured_order_decides() -> None:
    assert await names(bought(CARD)) == ["flutterwave", "eversend"]


async def test_a_gateway_that_nobody_prefers_still_comes_last_and_an_unknown_one_never() -> None:
    preferring = router(preferences={MOBILE: ["stripe", "eversend"]})
    routes = await preferring.routes(bought(MOBILE))
    assert [route.gateway for route in routes] == ["eversend", "flutterwave"]


async def test_every_route_says_how_its_gateway_reaches_the_payer() -> None:
    assert await router().routes(bought(MOBILE)) == [
        Route(gateway="eversend", flow=Flow.PROMPT),
        Route(gateway="flutterwave", flow=Flow.HOSTED),
    ]


@pytest.mark.parametrize(
    ("purchase", "expected"),
    [
        (bought(MOBILE, "KES", "KE"), ["flutterwave"]),
        (bought(MOBILE, "RWF", "RW"), ["eversend"]),
        (bought(EXPRESS, "USD", "", "google_pay"), ["flutterwave"]),
        (bought(EXPRESS, "USD", "US", "paypal"), ["flutterwave", "eversend"]),
        (bought(CARD, "UGX", "KE"), ["flutterwave", "eversend"]),
        (bought(MOBILE, "UGX", ""), ["eversend", "flutterwave"]),
    ],
    ids=["currency", "other currency", "option", "any country", "card abroad", "no country"],
)
async def test_only_gateways_that_can_take_the_purchase_are_routes(
    purchase: Purchase, expected: list[str]
) -> None:
    assert await names(purchase) == expected


async def test_a_gateway_whose_adapter_is_away_gets_no_new_payment() -> None:
    assert await names(bought(MOBILE), "eversend") == ["flutterwave"]


@pytest.mark.parametrize(
    ("purchase", "away"),
    [
        (bought(MOBILE), ["eversend", "flutterwave"]),
        (bought(MOBILE, "KES", "KE"), ["flutterwave"]),
        (bought(MOBILE, "NGN", "NG"), ["eversend"]),
    ],
    ids=["all are away", "the only one is away", "one that might is away"],
)
async def test_what_an_absent_gateway_might_take_is_unavailable_and_not_invalid(
    purchase: Purchase, away: list[str]
) -> None:
    with pytest.raises(ServiceError) as refused:
        await router(*away).routes(purchase)
    assert (refused.value.code, refused.value.reason) == ("UNAVAILABLE", "GATEWAYS_UNAVAILABLE")


@pytest.mark.parametrize(
    ("purchase", "field", "description"),
    [
        (
            bought(MOBILE, "NGN", "NG"),
            "currency_code",
            "mobile_money is offered in KES, RWF, UGX",
        ),
        (
            bought(MOBILE, "UGX", "KE"),
            "customer.country_code",
            "mobile_money in UGX is offered in: UG",
        ),
        (bought(EXPRESS, "USD", "", "apple_pay"), "payment_option", "is not offered in USD"),
    ],
)
async def test_what_nobody_offers_is_refused_with_what_is_offered(
    purchase: Purchase, field: str, description: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        await router().routes(purchase)
    assert [(each.field, each.description) for each in refused.value.violations] == [
        (field, description)
    ]


async def test_a_method_that_no_gateway_has_is_refused_in_any_currency() -> None:
    gateways = DescribedGateways(capabilities={"eversend": [offer(MOBILE, "UGX", "UG")]})
    with pytest.raises(InvalidRequestError) as refused:
        await Router(gateways, Routing()).routes(bought(CARD))
    assert refused.value.violations[0].description == "card is offered in no currency"


# next_route: E and F are the two gateways, best first. Each attempt is a gateway and what became
# of it: refused, not_sent (nothing left us), lost (the reply was lost), interrupted (we stopped).
E_AND_F = [Route(gateway=name, flow=Flow.HOSTED) for name in "EF"]
OUTCOMES: dict[str, dict[str, object]] = {
    "refused": {"outcome": AttemptOutcome.REJECTED, "next_check_at": None},
    "not_sent": {"outcome": AttemptOutcome.UNDELIVERED, "next_check_at": None},
    "lost": {"outcome": AttemptOutcome.UNDELIVERED, "next_check_at": NOW},
    "interrupted": {"outcome": AttemptOutcome.UNDELIVERED, "next_check_at": NOW},
}


def attempts(*story: str) -> list[Attempt]:
    made = []
    for number, (gateway, what) in enumerate((each.split(" ") for each in story), start=1):
        code = INTERRUPTED if what == "interrupted" else "declined"
        failure = Failure(code=code, message="", at=NOW)
        made.append(make_attempt(number=number, gateway=gateway, failure=failure, **OUTCOMES[what]))
    return made


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ([], "E"),
        (["E refused"], "F"),
        (["E not_sent"], "F"),
        (["E lost"], "F"),
        (["E interrupted"], "E"),
        (["E refused", "F refused"], None),
        (["E not_sent", "F refused"], None),
        (["E lost", "F refused"], "E"),
        (["E lost", "F lost"], "E"),
        (["E refused", "F lost"], "F"),
        (["E lost", "F refused", "E refused"], None),
        (["E lost", "F refused", "E lost"], None),
        (["E interrupted", "E refused"], "F"),
        (["E interrupted", "E interrupted", "E interrupted"], "E"),
        (["E interrupted", "E interrupted", "E interrupted", "E interrupted"], None),
        (["E lost", "F lost", "E refused", "F refused"], None),
    ],
)
def test_the_next_gateway_is_the_best_that_has_not_shown_that_it_refuses(
    story: Sequence[str], expected: str | None
) -> None:
    route = next_route(E_AND_F, attempts(*story))
    assert (route.gateway if route else None) == expected


def test_an_attempt_at_a_gateway_that_is_no_route_any_more_is_ignored() -> None:
    assert next_route(E_AND_F[1:], attempts("E refused")) == E_AND_F[1]
