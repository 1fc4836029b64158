"""GET /api/tiers: the price book as the frontend gets it."""

import httpx
import pytest
from structlog.testing import capture_logs

from kit.errors import ErrorCode, FieldViolation, InvalidRequestError, ServiceError
from kit.settings import NamedSecret
from protos.memberships.v1.membership_pb2 import Tier
from tests.bff.conftest import bff_in_front_of
from tests.bff.scripted import (
    TOKEN,
    ScriptedService,
    price_book,
    priced,
    scripted_serving,
)
from tests.kit.serving import GrpcSetup, grpc_serving

SERVICE = "memberships.v1.MembershipsService"


async def test_the_price_book_is_served_in_the_asked_currency(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["ListTiers"] = price_book(
        Tier(tier="free", display_name="Free", features=["Read"]),
        priced("pro", "KES", 49_900, 499_000),
    )

    response = await bff.get("/api/tiers", params={"currency": "KES"})

    assert response.status_code == 200
    assert [request.currency_code for request in service.requests("ListTiers")] == ["KES"]
    assert response.json() == {
        "currency": "KES",
        "currencies": ["KES", "UGX"],
        "price_book_version": 7,
        "tiers": [
            {
                "tier": "free",
                "display_name": "Free",
                "features": ["Read"],
                "prices": [],
                "annual_savings": None,
            },
            {
                "tier": "pro",
                "display_name": "Pro",
                "features": ["One thing", "Another thing"],
                "prices": [
                    {
                        "billing_cycle": "monthly",
                        "amount": {
                            "currency_code": "KES",
                            "amount": "499.00",
                            "amount_minor": 49_900,
                        },
                    },
                    {
                        "billing_cycle": "annual",
                        "amount": {
                            "currency_code": "KES",
                            "amount": "4990.00",
                            "amount_minor": 499_000,
                        },
                    },
                ],
                "annual_savings": {
                    "amount": {"currency_code": "KES", "amount": "998.00", "amount_minor": 99_800},
                    "basis_points": 1667,
                },
            },
        ],
    }


@pytest.mark.parametrize(("query", "asked"), [({}, "UGX"), ({"currency": "kes"}, "KES")])
async def test_the_currency_has_a_default_and_any_case(
    bff: httpx.AsyncClient, service: ScriptedService, query: dict[str, str], asked: str
) -> None:
    response = await bff.get("/api/tiers", params=query)

    assert response.status_code == 200
    assert response.json()["currency"] == asked
    assert service.requests("ListTiers")[0].currency_code == asked


@pytest.mark.parametrize(
    ("currency", "minor", "text"),
    [
        ("UGX", 25_000, "25000"),
        ("UGX", 80_000_000_000_000, "80000000000000"),
        ("KES", 1, "0.01"),
        ("KES", 49_950, "499.50"),
        ("KWD", 1, "0.001"),
        ("KWD", 12_345, "12.345"),
    ],
)
async def test_amounts_are_exact_decimal_text(
    bff: httpx.AsyncClient,
    service: ScriptedService,
    currency: str,
    minor: int,
    text: str,
) -> None:
    service.answers["ListTiers"] = price_book(priced("pro", currency, minor, minor))

    response = await bff.get("/api/tiers", params={"currency": currency})

    amount = response.json()["tiers"][0]["prices"][0]["amount"]
    assert amount == {"currency_code": currency, "amount": text, "amount_minor": minor}


@pytest.mark.parametrize(
    ("monthly", "annual", "savings"),
    [
        (25_000, 250_000, (50_000, 1667)),
        (25_000, 299_999, (1, 0)),
        (1, 11, (1, 833)),
        (10_000, 60_000, (60_000, 5000)),
        (10_000, 1, (119_999, 10_000)),
        (333, 3_333, (663, 1659)),
    ],
)
async def test_annual_savings_are_exact(
    bff: httpx.AsyncClient,
    service: ScriptedService,
    monthly: int,
    annual: int,
    savings: tuple[int, int],
) -> None:
    service.answers["ListTiers"] = price_book(priced("pro", "UGX", monthly, annual))

    shown = (await bff.get("/api/tiers")).json()["tiers"][0]["annual_savings"]

    assert (shown["amount"]["amount_minor"], shown["basis_points"]) == savings


@pytest.mark.parametrize("annual", [300_000, 300_001])
async def test_a_year_that_saves_nothing_promises_nothing(
    bff: httpx.AsyncClient, service: ScriptedService, annual: int
) -> None:
    service.answers["ListTiers"] = price_book(priced("pro", "UGX", 25_000, annual))

    assert (await bff.get("/api/tiers")).json()["tiers"][0]["annual_savings"] is None


async def test_prices_may_be_cached_for_a_short_time_and_errors_may_not(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    good = await bff.get("/api/tiers")
    service.answers["ListTiers"] = ServiceError(ErrorCode.UNAVAILABLE, "AWAY", "away")
    bad = await bff.get("/api/tiers")

    assert good.headers["cache-control"] == "public, max-age=60"
    assert bad.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "currency", ["", "UG", "UGXX", "ABC", "€", "U\x00X", "UGX,KES", "x" * 2000]
)
async def test_a_currency_that_does_not_exist_is_a_violation(
    bff: httpx.AsyncClient, service: ScriptedService, currency: str
) -> None:
    response = await bff.get("/api/tiers", params={"currency": currency})

    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    (violation,) = response.json()["violations"]
    assert violation["field"] == "currency"
    assert service.requests("ListTiers") == []


async def test_a_currency_without_prices_is_a_violation_of_the_same_field(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["ListTiers"] = InvalidRequestError(
        [FieldViolation("currency_code", "has no prices")]
    )

    response = await bff.get("/api/tiers", params={"currency": "JPY"})

    assert response.status_code == 400
    document = response.json()
    assert document["reason"] == "INVALID_REQUEST"
    assert document["violations"] == [{"field": "currency", "description": "has no prices"}]


async def test_calls_carry_the_service_token_and_the_request_id(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    response = await bff.get("/api/tiers", headers={"x-request-id": "chosen-outside"})

    metadata = service.received[0].metadata
    assert metadata["authorization"] == f"Bearer {TOKEN}"
    assert metadata["x-request-id"] == response.headers["x-request-id"] != "chosen-outside"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (ErrorCode.INVALID_ARGUMENT, 400),
        (ErrorCode.UNAUTHENTICATED, 401),
        (ErrorCode.PERMISSION_DENIED, 403),
        (ErrorCode.NOT_FOUND, 404),
        (ErrorCode.ALREADY_EXISTS, 409),
        (ErrorCode.ABORTED, 409),
        (ErrorCode.FAILED_PRECONDITION, 409),
        (ErrorCode.RESOURCE_EXHAUSTED, 429),
        (ErrorCode.UNIMPLEMENTED, 501),
        (ErrorCode.UNAVAILABLE, 503),
        (ErrorCode.UNKNOWN, 500),
        (ErrorCode.INTERNAL, 500),
    ],
)
async def test_errors_of_the_payments_service_become_problem_documents(
    bff: httpx.AsyncClient, service: ScriptedService, code: ErrorCode, status: int
) -> None:
    service.answers["ListTiers"] = ServiceError(code, "SCRIPTED", "what to do about it")

    response = await bff.get("/api/tiers")

    assert response.status_code == status
    document = response.json()
    assert document["status"] == status
    assert document["request_id"] == response.headers["x-request-id"]
    assert ("what to do about it" in response.text) == (status < 500 or status == 501)


async def test_an_unexpected_error_inside_shows_nothing_of_itself(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    service.answers["ListTiers"] = RuntimeError("database password is hunter2")

    with capture_logs():
        response = await bff.get("/api/tiers")

    assert response.status_code == 500
    assert "hunter2" not in response.text


async def test_prices_in_two_currencies_are_our_error_and_answered_as_one(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    tier = priced("pro", "UGX", 25_000, 250_000)
    tier.prices[1].amount.currency_code = "KES"
    service.answers["ListTiers"] = price_book(tier)

    with capture_logs() as logs:
        response = await bff.get("/api/tiers")

    assert response.status_code == 500
    assert response.json()["title"] == "Internal Server Error"
    assert "http_failed_unexpectedly" in [line["event"] for line in logs]


async def test_a_refused_service_token_is_not_the_browsers_fault() -> None:
    async with (
        scripted_serving(ScriptedService()) as server,
        bff_in_front_of(server.port, token="another-token-for-tests") as bff,
    ):
        response = await bff.get("/api/tiers")

    assert response.status_code == 500
    assert "token" not in response.text


async def test_a_payments_service_that_cannot_answer_is_away_as_well() -> None:
    without_memberships = GrpcSetup(
        service=SERVICE,
        callers=[NamedSecret(name="bff", secret=TOKEN)],
        register=lambda _server: None,
    )
    async with (
        grpc_serving(without_memberships) as server,
        bff_in_front_of(server.port) as bff,
    ):
        response = await bff.get("/api/tiers")

    assert response.status_code == 503
    assert response.json()["reason"] == "PAYMENTS_UNAVAILABLE"


async def test_while_payments_are_away_the_answer_is_503_and_later_200() -> None:
    scripted = ScriptedService()
    async with scripted_serving(scripted) as server:
        port = server.port
    async with bff_in_front_of(port) as bff:
        away = await bff.get("/api/tiers")
        not_ready = await bff.get("/readyz")
        alive = await bff.get("/healthz")
        async with scripted_serving(scripted, port):
            while (await bff.get("/readyz")).status_code != 200:
                pass
            back = await bff.get("/api/tiers")

    assert away.status_code == 503
    assert away.json()["reason"] == "PAYMENTS_UNAVAILABLE"
    assert int(away.headers["retry-after"]) > 0
    assert not_ready.status_code == 503
    assert alive.status_code == 200
    assert back.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api/tiers/", 404),
        ("GET", "/api/nothing", 404),
        ("POST", "/api/tiers", 405),
        ("DELETE", "/healthz", 405),
    ],
)
async def test_other_addresses_and_methods_are_problem_documents(
    bff: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    response = await bff.request(method, path)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status
