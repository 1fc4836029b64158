"""A payments server whose answers a test writes: every method that the BFF could use."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp

from kit.clock import SystemClock
from kit.interceptors import AccessPolicy
from kit.server import GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from kit.settings import NamedSecret
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_ANNUAL, BILLING_CYCLE_MONTHLY
from protos.common.v1.money_pb2 import Money
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_CARD
from protos.memberships.v1 import memberships_service_pb2 as memberships
from protos.memberships.v1.membership_pb2 import (
    MEMBERSHIP_STATUS_ACTIVE,
    Membership,
    Tier,
    TierPrice,
    UpgradeQuote,
)
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import PAYMENT_STATUS_PROCESSING, NextAction, Payment

SERVICES: tuple[ServiceDescriptor, ...] = (
    memberships.DESCRIPTOR.services_by_name["MembershipsService"],
    pb.DESCRIPTOR.services_by_name["PaymentsService"],
)
TOKEN = "bff-service-token-for-tests"
PAYMENT_ID = "01890a5d-ac96-774b-bcce-b302099a8057"

Answer = Message | Exception | Callable[[Any], Any]
"""A message, an error, or a function of the request (for streams a generator)."""


def money(minor: int, currency: str = "UGX") -> Money:
    return Money(currency_code=currency, amount_minor=minor)


def priced(tier: str, currency: str, monthly: int, annual: int) -> Tier:
    """Make a tier; prices in minor units."""
    return Tier(
        tier=tier,
        display_name=tier.title(),
        features=["One thing", "Another thing"],
        prices=[
            TierPrice(billing_cycle=cycle, amount=money(minor, currency))
            for cycle, minor in ((BILLING_CYCLE_MONTHLY, monthly), (BILLING_CYCLE_ANNUAL, annual))
        ],
    )


def price_book(*tiers: Tier) -> memberships.ListTiersResponse:
    return memberships.ListTiersResponse(
        tiers=tiers, price_book_version=7, currency_codes=["KES", "UGX"]
    )


def payment(**changes: Any) -> Payment:
    """Make a payment that waits for its member on a hosted page."""
    values: dict[str, Any] = {
        "payment_id": PAYMENT_ID,
        "user_id": "alice",
        "tier": "pro",
        "previous_tier": "free",
        "billing_cycle": BILLING_CYCLE_MONTHLY,
        "amount": money(25_000),
        "refunded_amount": money(0),
        "payment_method": PAYMENT_METHOD_CARD,
        "gateway": "flutterwave",
        "gateway_reference": "cp-secret-reference",
        "status": PAYMENT_STATUS_PROCESSING,
        "next_action": NextAction(redirect_url="https://pay.example/1"),
        "version": 3,
        "create_time": Timestamp(seconds=1_790_000_000, nanos=123_456_789),
        "update_time": Timestamp(seconds=1_790_000_001),
        "status_message": "From the service.",
    }
    return Payment(**(values | changes))


def _usual_answers() -> dict[str, Answer]:
    return {
        "ListTiers": price_book(
            Tier(tier="free", display_name="Free"), priced("pro", "UGX", 25_000, 250_000)
        ),
        "QuoteUpgrade": memberships.QuoteUpgradeResponse(
            quote=UpgradeQuote(
                price=money(250_000),
                annual_savings=money(50_000),
                annual_savings_basis_points=1667,
                proration_credit=money(0),
                amount_due=money(250_000),
                next_renewal_time=Timestamp(seconds=1_800_000_000),
            )
        ),
        "GetMembership": memberships.GetMembershipResponse(
            membership=Membership(user_id="alice", tier="free", status=MEMBERSHIP_STATUS_ACTIVE)
        ),
        "GetInvoice": memberships.GetInvoiceResponse(pdf=b"%PDF-1.7"),
        "ListPayments": pb.ListPaymentsResponse(payments=[payment()], next_page_token="next"),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One call as the server got it."""

    method: str
    request: Any
    metadata: dict[str, str]


class ScriptedService:
    """Remembers what it was asked, and answers as a test tells it to."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start anew: nothing asked, and the usual answers."""
        self.received: list[Received] = []
        self.answers = _usual_answers()
        self.watching = 0

    def requests(self, method: str) -> list[Any]:
        """Return the requests of a method, in order."""
        return [each.request for each in self.received if each.method == method]

    def handlers(self, service: ServiceDescriptor) -> grpc.GenericRpcHandler:
        """Return what serves every method of a service."""
        return grpc.method_handlers_generic_handler(
            service.full_name, {method.name: self._handler(method) for method in service.methods}
        )

    def _handler(self, method: MethodDescriptor) -> "grpc.RpcMethodHandler[Any, Any]":
        request_type: Any = GetMessageClass(method.input_type)
        response_type: Any = GetMessageClass(method.output_type)

        async def unary(request: Any, context: Any) -> Any:
            self._remember(method, request, context)
            return self._answer(method, response_type, request)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            self._remember(method, request, context)
            self.watching += 1
            try:
                async for each in self._answer(method, response_type, request):
                    yield response_type(payment=each)
            finally:
                self.watching -= 1

        kinds: Any = grpc
        make = (
            kinds.unary_stream_rpc_method_handler
            if method.server_streaming
            else (kinds.unary_unary_rpc_method_handler)
        )
        behaviour = stream if method.server_streaming else unary
        handler: grpc.RpcMethodHandler[Any, Any] = make(
            behaviour, request_type.FromString, lambda message: message.SerializeToString()
        )
        return handler

    def _remember(self, method: MethodDescriptor, request: Any, context: Any) -> None:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata()}
        self.received.append(Received(method=method.name, request=request, metadata=metadata))

    def _answer(self, method: MethodDescriptor, response_type: Any, request: Any) -> Any:
        answer = self.answers.get(method.name)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return response_type(payment=payment())
        return answer if isinstance(answer, Message) else answer(request)


@contextlib.asynccontextmanager
async def scripted_serving(service: ScriptedService, port: int = 0) -> AsyncIterator[GrpcServer]:
    """Serve as the payments server does; the server, with its `port`."""
    callers = [NamedSecret(name="bff", secret=TOKEN)]
    policy = AccessPolicy(
        tokens=ServiceTokens(callers),
        allowed={each.full_name: frozenset({"bff"}) for each in SERVICES},
    )
    options = ServerOptions(
        listen=f"127.0.0.1:{port}",
        service_names=[each.full_name for each in SERVICES],
        domain="payments.v1",
        policy=policy,
        drain_seconds=0.2,
        max_rpcs=10_000,
    )
    server = GrpcServer(options, SystemClock())
    server.server.add_generic_rpc_handlers([service.handlers(each) for each in SERVICES])
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
