"""Every RPC and route for the owner, another member, staff, nobody, and one service as another.

The cells come from the descriptors and from the table of routes: a new call is a new row here, and
fails until it says what it needs.
"""

import contextlib
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message_factory import GetMessageClass

from kit.clock import SystemClock
from kit.errors import ServiceError
from kit.status import from_rpc_error
from kit.tokens_issue import issue_token
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_ANNUAL, BILLING_CYCLE_MONTHLY
from protos.common.v1.customer_pb2 import Customer
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_CARD
from protos.memberships.v1 import memberships_service_pb2 as memberships
from protos.operations.v1 import operations_service_pb2 as operations
from protos.payments.v1 import gateway_events_service_pb2 as events
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import PAYMENT_STATUS_COMPLETED
from services.payments.access import ALLOWED_CALLERS
from services.payments.domain.evidence import Answer
from tests.bff.conftest import SECRET, bff_in_front_of, logged_in
from tests.bff.real_service import CALLERS, RealService, authorized, real_serving
from tests.bff.test_hostile_requests import DOCUMENT
from tests.bff.test_openapi import EXAMPLES
from tests.databases import DatabaseServer
from tests.operations.fakes import Operation, reply

SERVICES: tuple[ServiceDescriptor, ...] = tuple(
    service
    for module in (pb, events, memberships, operations)
    for service in module.DESCRIPTOR.services_by_name.values()
)
METHODS = [method for service in SERVICES for method in service.methods]
PURCHASE: dict[str, Any] = {
    "tier": "pro",
    "billing_cycle": BILLING_CYCLE_MONTHLY,
    "payment_method": PAYMENT_METHOD_CARD,
    "currency_code": "UGX",
    "customer": Customer(email="alice@creators.test"),
}
# What a request needs besides ids and keys; the fields of a method that is not named need nothing.
NEEDED: Mapping[str, dict[str, Any]] = {
    "CreatePayment": PURCHASE,
    "QuoteUpgrade": {
        "tier": "pro",
        "billing_cycle": BILLING_CYCLE_MONTHLY,
        "currency_code": "UGX",
    },
    "ListTiers": {"currency_code": "UGX"},
    "SubmitPaymentAction": {"otp": "123456"},
    "RefundPayment": {"reason": "a test"},
}
ADMISSION = {
    "SERVICE_TOKEN_INVALID",
    "CALLER_NOT_ALLOWED",
    "USER_TOKEN_REQUIRED",
    "USER_TOKEN_INVALID",
    "NOT_YOUR_ACCOUNT",
    "NOT_FOR_MEMBERS",
}
STAFF_ONLY = {"RefundPayment"}
BEFORE_LOGGING_IN = {"/memberships.v1.MembershipsService/ListTiers"}
# Written out once more, so that a change of the allow-list is a change of this expectation too.
SERVED = {
    "payments.v1.PaymentsService": {"bff", "platform", "operator"},
    "memberships.v1.MembershipsService": {"bff", "platform", "operator"},
    "payments.v1.GatewayEventsService": {"webhook-receiver"},
    "operations.v1.OperationsService": {"operator"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A server in which alice has a payment that is complete, one that is open, and a refund."""

    service: RealService
    ids: Mapping[str, str]

    async def ask(
        self, method: MethodDescriptor, metadata: tuple[tuple[str, str], ...], **fields: str
    ) -> ServiceError | None:
        """Make one call; return how it failed."""
        return await ask(self.service.channel, method, metadata, {**self.ids, **fields})


async def ask(
    channel: grpc.aio.Channel,
    method: MethodDescriptor,
    metadata: tuple[tuple[str, str], ...],
    ids: Mapping[str, str],
) -> ServiceError | None:
    path = f"/{method.containing_service.full_name}/{method.name}"
    wanted = {
        field.name: ids[field.name] for field in method.input_type.fields if field.name in ids
    }
    if any(field.name == "idempotency_key" for field in method.input_type.fields):
        wanted["idempotency_key"] = uuid.uuid4().hex
    request: Any = GetMessageClass(method.input_type)(**{**NEEDED.get(method.name, {}), **wanted})
    read: Any = GetMessageClass(method.output_type).FromString
    write: Any = type(request).SerializeToString
    try:
        if method.server_streaming:
            stream = channel.unary_stream(path, write, read)(request, metadata=metadata, timeout=20)
            await stream.read()
            stream.cancel()
        else:
            await channel.unary_unary(path, write, read)(request, metadata=metadata, timeout=20)
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error)
    return None


@pytest.fixture(scope="module")
async def world(postgres: DatabaseServer, database_template: str) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        name = await stack.enter_async_context(postgres.temporary_database(database_template))
        service = await stack.enter_async_context(real_serving(postgres.database(name)))
        yield World(service=service, ids=await furnished(service))


async def furnished(service: RealService) -> Mapping[str, str]:
    """Make alice's payments and refund, as staff would."""
    staff = authorized("operator")
    for gateway in ("eversend", "flutterwave"):
        service.gateways.script(gateway, Operation.LOOK_UP, reply(Answer.SUCCEEDED))
    bought = await service.payments.CreatePayment(
        pb.CreatePaymentRequest(user_id="alice", idempotency_key="paid", **PURCHASE),
        metadata=staff,
    )
    paid_id = bought.payment.payment_id
    verified = await service.payments.VerifyPayment(
        pb.VerifyPaymentRequest(payment_id=paid_id), metadata=staff
    )
    assert verified.payment.status == PAYMENT_STATUS_COMPLETED
    refund = await service.payments.RefundPayment(
        pb.RefundPaymentRequest(
            payment_id=paid_id,
            amount={"currency_code": "UGX", "amount_minor": 1000},  # type: ignore[arg-type]  # as protobuf allows
            reason="a test",
            idempotency_key="refund",
        ),
        metadata=staff,
    )
    annual = PURCHASE | {"billing_cycle": BILLING_CYCLE_ANNUAL}
    still_open = await service.payments.CreatePayment(
        pb.CreatePaymentRequest(user_id="alice", idempotency_key="open", **annual), metadata=staff
    )
    return {
        "user_id": "alice",
        "payment_id": still_open.payment.payment_id,
        "refund_id": refund.refund.refund_id,
    }


def for_member(user_id: str, caller: str = "bff") -> tuple[tuple[str, str], ...]:
    return authorized(caller, x_user_token=issue_token(SECRET, user_id, SystemClock()))


def path_of(method: MethodDescriptor) -> str:
    return f"/{method.containing_service.full_name}/{method.name}"


def offered_to(caller: str) -> list[MethodDescriptor]:
    return [
        method for method in METHODS if caller in SERVED[str(method.containing_service.full_name)]
    ]


def named(methods: list[MethodDescriptor]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("method", methods, ids=[method.name for method in methods])


def takes(method: MethodDescriptor, field: str) -> bool:
    return field in method.input_type.fields_by_name


ABOUT_A_PAYMENT = [method for method in offered_to("bff") if takes(method, "payment_id")]
ABOUT_A_THING = [m for m in offered_to("bff") if takes(m, "payment_id") or takes(m, "refund_id")]
ABOUT_A_MEMBER = [method for method in offered_to("bff") if takes(method, "user_id")]


def test_every_call_is_in_the_matrix() -> None:
    assert ALLOWED_CALLERS == SERVED
    mine = {method.name for method in ABOUT_A_THING + ABOUT_A_MEMBER}
    open_to_all = {path.rpartition("/")[2] for path in BEFORE_LOGGING_IN}
    # An invoice is published and not offered yet: there is none that could be another's.
    assert {method.name for method in offered_to("bff")} == mine | open_to_all | {"GetInvoice"}


@named(METHODS)
@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer unknown-token-of-nobody"])
async def test_nobody_is_served(
    world: World, method: MethodDescriptor, authorization: str | None
) -> None:
    metadata = () if authorization is None else (("authorization", authorization),)
    refusal = await world.ask(method, metadata)

    assert refusal is not None
    assert refusal.reason == "SERVICE_TOKEN_INVALID"


@named(METHODS)
@pytest.mark.parametrize("caller", sorted(CALLERS))
async def test_a_service_is_not_served_as_another(
    world: World, method: MethodDescriptor, caller: str
) -> None:
    refusal = await world.ask(method, authorized(caller))

    reason = refusal.reason if refusal else ""
    if method not in offered_to(caller):
        assert reason == "CALLER_NOT_ALLOWED"
    elif caller == "bff" and path_of(method) not in BEFORE_LOGGING_IN:
        assert reason == "USER_TOKEN_REQUIRED"
    else:
        assert reason not in ADMISSION


@named(METHODS)
@pytest.mark.parametrize("caller", sorted(CALLERS))
async def test_a_forged_member_is_refused_whoever_brings_it(
    world: World, method: MethodDescriptor, caller: str
) -> None:
    refusal = await world.ask(method, authorized(caller, x_user_token="forged"))

    assert refusal is not None
    offered = method in offered_to(caller)
    assert refusal.reason == ("USER_TOKEN_INVALID" if offered else "CALLER_NOT_ALLOWED")


@named(ABOUT_A_THING)
@pytest.mark.parametrize("caller", ["bff", "operator", "platform"])
async def test_another_members_thing_answers_exactly_like_a_missing_one(
    world: World, method: MethodDescriptor, caller: str
) -> None:
    missing_id = str(uuid.uuid4())
    field = "payment_id" if takes(method, "payment_id") else "refund_id"
    others = await world.ask(method, for_member("bob", caller))
    missing = await world.ask(method, for_member("bob", caller), **{field: missing_id})

    assert others is not None
    assert missing is not None
    assert others.reason in {"PAYMENT_NOT_FOUND", "REFUND_NOT_FOUND", "NOT_FOR_MEMBERS"}
    assert (others.reason == "NOT_FOR_MEMBERS") == (method.name in STAFF_ONLY)
    assert (others.code, others.reason, others.metadata, others.violations) == (
        missing.code,
        missing.reason,
        missing.metadata,
        missing.violations,
    )
    assert others.message.replace(world.ids[field], "…") == missing.message.replace(missing_id, "…")


@named(ABOUT_A_THING)
async def test_the_owner_and_staff_find_what_they_ask_about(
    world: World, method: MethodDescriptor
) -> None:
    owner = await world.ask(method, for_member("alice"))
    staff = await world.ask(method, authorized("operator"))

    for refusal in (owner, staff):
        assert refusal is None or "NOT_FOUND" not in refusal.reason
    assert (owner is not None and owner.reason == "NOT_FOR_MEMBERS") == (method.name in STAFF_ONLY)


@named(ABOUT_A_MEMBER)
async def test_a_member_acts_for_nobody_else(world: World, method: MethodDescriptor) -> None:
    for_alice = await world.ask(method, for_member("bob"), user_id="alice")
    for_himself = await world.ask(method, for_member("bob"), user_id="bob")

    if for_alice is not None and for_alice.reason == "NOT_YET_OFFERED":
        return
    assert for_alice is not None
    assert for_alice.reason == "NOT_YOUR_ACCOUNT"
    assert for_himself is None


async def test_a_list_without_a_filter_is_the_members_own(world: World) -> None:
    alices = await world.service.payments.ListPayments(
        pb.ListPaymentsRequest(), metadata=for_member("alice")
    )
    carols = await world.service.payments.ListPayments(
        pb.ListPaymentsRequest(), metadata=for_member("carol")
    )

    assert {payment.user_id for payment in alices.payments} == {"alice"}
    assert list(carols.payments) == []


@pytest.fixture(scope="module")
async def pages(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the BFF in front of the real payments server."""
    async with bff_in_front_of(world.service.port) as client:
        yield client


ROUTES = [
    (method.upper(), path)
    for path, item in DOCUMENT["paths"].items()
    for method in item
    if path.startswith("/api/payments/{id}")
]


async def route(
    pages: httpx.AsyncClient, method: str, path: str, payment_id: str, user_id: str
) -> httpx.Response:
    headers = logged_in(user_id, idempotency_key=uuid.uuid4().hex)
    request = pages.build_request(
        method, path.replace("{id}", payment_id), headers=headers, json=EXAMPLES.get(path)
    )
    response = await pages.send(request, stream=True)
    if response.headers["content-type"].startswith("text/event-stream"):
        await response.aclose()
    else:
        await response.aread()
    return response


@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_route_to_anothers_payment_answers_exactly_like_one_to_nowhere(
    world: World, pages: httpx.AsyncClient, method: str, path: str
) -> None:
    owner = await route(pages, method, path, world.ids["payment_id"], "alice")
    others = await route(pages, method, path, world.ids["payment_id"], "bob")
    missing = await route(pages, method, path, str(uuid.uuid4()), "bob")

    assert owner.status_code != 404
    assert others.status_code == missing.status_code == 404
    documents = [{**each.json(), "request_id": ""} for each in (others, missing)]
    assert documents[0] == documents[1]
    varying = {"x-request-id", "date"}
    headers = [
        {name: value for name, value in each.headers.items() if name not in varying}
        for each in (others, missing)
    ]
    assert headers[0] == headers[1]


async def test_routes_without_an_id_are_about_the_member_alone(
    world: World, pages: httpx.AsyncClient
) -> None:
    alices = (await pages.get("/api/payments", headers=logged_in("alice"))).json()
    dans = (await pages.get("/api/payments", headers=logged_in("dan"))).json()
    alice = (await pages.get("/api/membership", headers=logged_in("alice"))).json()
    dan = (await pages.get("/api/membership", headers=logged_in("dan"))).json()

    assert world.ids["payment_id"] in {each["payment_id"] for each in alices["payments"]}
    assert dans["payments"] == []
    assert (alice["tier"], dan["tier"]) == ("pro", "free")
