"""The BFF's real application on a real port, in front of a scripted payments service."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.settings import NamedSecret
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_ANNUAL, BILLING_CYCLE_MONTHLY
from protos.common.v1.money_pb2 import Money
from protos.memberships.v1.membership_pb2 import Tier, TierPrice
from protos.memberships.v1.memberships_service_pb2 import ListTiersRequest, ListTiersResponse
from protos.memberships.v1.memberships_service_pb2_grpc import (
    add_MembershipsServiceServicer_to_server,
)
from services.bff.app import build_app
from services.bff.payments_client import PaymentsClient
from tests.kit.serving import GrpcSetup, grpc_serving, http_serving

SERVICE = "memberships.v1.MembershipsService"
TOKEN = "bff-service-token-for-tests"


def priced(tier: str, currency: str, monthly: int, annual: int) -> Tier:
    """Make a tier; prices in minor units."""
    return Tier(
        tier=tier,
        display_name=tier.title(),
        features=["One thing", "Another thing"],
        prices=[
            TierPrice(billing_cycle=cycle, amount=Money(currency_code=currency, amount_minor=minor))
            for cycle, minor in ((BILLING_CYCLE_MONTHLY, monthly), (BILLING_CYCLE_ANNUAL, annual))
        ],
    )


def price_book(*tiers: Tier) -> ListTiersResponse:
    return ListTiersResponse(tiers=tiers, price_book_version=7, currency_codes=["KES", "UGX"])


class ScriptedMemberships:
    """A memberships service that remembers what it was asked and answers as a test tells it to."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew: nothing asked, one plain price book."""
        self.asked: list[ListTiersRequest] = []
        self.metadata: list[dict[str, str]] = []
        self.answer: ListTiersResponse | Exception = price_book(
            Tier(tier="free", display_name="Free"), priced("pro", "UGX", 25_000, 250_000)
        )

    def __getattr__(self, name: str) -> Any:
        """Offer the other methods that registering the service looks for."""
        if name[:1].isupper():
            return self.ListTiers
        raise AttributeError(name)

    async def ListTiers(  # noqa: N802 - the name in the proto
        self, request: ListTiersRequest, context: Any
    ) -> ListTiersResponse:
        self.metadata.append(dict(context.invocation_metadata()))
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def memberships_setup(memberships: ScriptedMemberships, port: int = 0) -> GrpcSetup:
    return GrpcSetup(
        service=SERVICE,
        callers=[NamedSecret(name="bff", secret=TOKEN)],
        register=lambda server: add_MembershipsServiceServicer_to_server(
            memberships,  # type: ignore[arg-type]  # only ListTiers is scripted
            server.server,
        ),
        port=port,
    )


@contextlib.asynccontextmanager
async def bff_in_front_of(
    payments_port: int, token: str = TOKEN
) -> AsyncIterator[httpx.AsyncClient]:
    channel = ServiceChannel(f"127.0.0.1:{payments_port}", token)
    app = build_app(PaymentsClient(channel, timeout=5), SystemClock(), default_currency="UGX")
    async with (
        http_serving(app) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client,
    ):
        yield client
    await channel.close()


@pytest.fixture(scope="session")
async def running() -> AsyncIterator[tuple[httpx.AsyncClient, ScriptedMemberships]]:
    scripted = ScriptedMemberships()
    async with (
        grpc_serving(memberships_setup(scripted)) as server,
        bff_in_front_of(server.port) as client,
    ):
        yield client, scripted


@pytest.fixture
def bff(running: tuple[httpx.AsyncClient, ScriptedMemberships]) -> httpx.AsyncClient:
    return running[0]


@pytest.fixture
def memberships(
    running: tuple[httpx.AsyncClient, ScriptedMemberships],
) -> ScriptedMemberships:
    """Return the service behind `bff`, with nothing asked and nothing scripted."""
    running[1].forget()
    return running[1]
