"""The status tables of the front page equal what the servers answer."""

from collections.abc import Mapping

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from starlette.routing import Route

from gateway_adapters.registry import REGISTRY
from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.user_tokens import TokenRules, UserTokens
from protos.common.v1.customer_pb2 import Customer
from protos.common.v1.money_pb2 import Money
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_MOBILE_MONEY
from protos.gateways.v1 import gateway_service_pb2 as gateways
from services.bff.app import BffOptions, Surroundings
from services.bff.app import build_app as build_bff
from services.bff.payments_client import PaymentsClient
from tests.docs.markdown import document, named
from tests.docs.servers import adapter_server, ask, payments_server, published_services
from webhook_receiver.admission import Admission
from webhook_receiver.app import build_app as build_receiver
from webhook_receiver.body import BodyLimits
from webhook_receiver.figures import DeliveryFigures
from webhook_receiver.rate_limit import RateLimit
from webhook_receiver.recorder import GrpcRecorder
from webhook_receiver.routes import WebhookEndpoint

README = document("README.md")
SERVICES = {service.full_name: service for service in published_services()}
GATEWAY_SERVICE = "gateways.v1.GatewayService"
_ORDER = gateways.CreateChargeRequest(
    reference="documents0001",
    amount=Money(currency_code="UGX", amount_minor=1000),
    payment_method=PAYMENT_METHOD_MOBILE_MONEY,
    customer=Customer(email="a@b.test", phone_number="+256772123456", country_code="UG"),
)


def _a_day_of_settlements() -> gateways.ListSettlementsRequest:
    request = gateways.ListSettlementsRequest(to=Timestamp(seconds=1_700_086_400))
    # The name is a word of the language.
    getattr(request, "from").FromSeconds(1_700_000_000)
    return request


# Calls that a gateway refuses only when there is nothing else wrong with them.
_VALID: Mapping[str, Message] = {
    "CreateCharge": _ORDER,
    "SubmitChargeAction": gateways.SubmitChargeActionRequest(
        charge=_ORDER, otp_state="pin-1", otp="123456"
    ),
    "CreateRefund": gateways.CreateRefundRequest(
        refund_reference="documents0002",
        charge_reference=_ORDER.reference,
        gateway_transaction_id="1",
        amount=_ORDER.amount,
        customer=_ORDER.customer,
    ),
    "ListSettlements": _a_day_of_settlements(),
}


def test_every_published_service_has_a_table() -> None:
    written = {name for heading in README.headings() for name in named(heading)}
    assert written == SERVICES.keys()


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {GATEWAY_SERVICE}))
async def test_the_status_of_every_call_is_what_the_payments_server_answers(name: str) -> None:
    written = {named(rpc)[0]: status for rpc, status, _ in README.table(f"`{name}`")}
    async with payments_server() as channel:
        answered = {
            method.name: (await ask(channel, method)).status for method in SERVICES[name].methods
        }
    assert written == answered


@pytest.mark.parametrize("gateway", sorted(REGISTRY))
async def test_the_status_of_every_call_is_what_the_gateways_adapter_answers(gateway: str) -> None:
    column = 1 + sorted(REGISTRY).index(gateway)
    written = {named(row[0])[0]: row[column] for row in README.table(f"`{GATEWAY_SERVICE}`")}
    answered = {}
    async with adapter_server(gateway) as channel:
        for method in SERVICES[GATEWAY_SERVICE].methods:
            request = _VALID[method.name].SerializeToString() if method.name in _VALID else b""
            answered[method.name] = (await ask(channel, method, request)).status
    assert written == answered


async def test_the_http_routes_marked_as_working_are_those_that_there_are() -> None:
    written = {
        (process, named(route)[0])
        for route, process, status in README.table("HTTP")
        if status == "works"
    }
    channel, clock = ServiceChannel("127.0.0.1:1", "documents-token"), SystemClock()
    try:
        surroundings = Surroundings(
            payments=PaymentsClient(channel, timeout=1, gateway_timeout=1),
            tokens=UserTokens(TokenRules(algorithms={}), clock),
            clock=clock,
        )
        bff = build_bff(surroundings, BffOptions())
        webhooks = WebhookEndpoint(
            verifiers={},
            admission=Admission(rate_limit=RateLimit(clock, per_second=1, burst=1)),
            recorder=GrpcRecorder(channel, timeout=1),
            limits=BodyLimits(max_bytes=1, request_seconds=1),
            clock=clock,
            figures=DeliveryFigures(clock),
        )
        apps = {"bff": bff, "webhook_receiver": build_receiver(webhooks)}
        served = {
            (process, f"{method} {route.path}")
            for process, app in apps.items()
            for route in app.routes
            if isinstance(route, Route)
            for method in (route.methods or set()) - {"HEAD"}
        }
    finally:
        await channel.close()
    assert written == served


def test_no_route_is_marked_with_another_word() -> None:
    assert {status for _, _, status in README.table("HTTP")} <= {"works", "later"}
