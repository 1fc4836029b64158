"""Every other request is checked like a creation: keys, ids, filters and deliveries."""

import pytest
from google.protobuf.descriptor import FieldDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from protos.memberships.v1 import memberships_service_pb2
from protos.payments.v1 import gateway_events_service_pb2 as events_pb
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import PAYMENT_STATUS_COMPLETED
from tests.unit.refusals import violations_of

PAYMENT_ID = "018f0000-0000-7000-8000-00000000abcd"
MUTATING = {
    "PaymentsService": {
        "CreatePayment", "SubmitPaymentAction", "RetryPayment", "CancelPayment", "RefundPayment",
    },
    "MembershipsService": {"CancelMembership", "ResumeMembership"},
}  # fmt: skip
READING = {
    # VerifyPayment asks the gateway and is idempotent by nature: it has no parameters.
    "PaymentsService": {
        "GetPayment", "ListPayments", "WatchPayment", "VerifyPayment", "GetRefund", "ListRefunds",
        "ExplainPayment",
    },
    "MembershipsService": {
        "ListTiers", "QuoteUpgrade", "GetMembership", "ListInvoices", "GetInvoice",
    },
}  # fmt: skip
SERVICES: list[ServiceDescriptor] = [
    pb.DESCRIPTOR.services_by_name["PaymentsService"],
    memberships_service_pb2.DESCRIPTOR.services_by_name["MembershipsService"],
]
BY_PAYMENT_ID: dict[str, Message] = {
    "GetPayment": pb.GetPaymentRequest(payment_id=PAYMENT_ID),
    "WatchPayment": pb.WatchPaymentRequest(payment_id=PAYMENT_ID),
    "VerifyPayment": pb.VerifyPaymentRequest(payment_id=PAYMENT_ID),
    "CancelPayment": pb.CancelPaymentRequest(payment_id=PAYMENT_ID, idempotency_key="key-1"),
    "ExplainPayment": pb.ExplainPaymentRequest(payment_id=PAYMENT_ID),
}
NO_IDS = [
    "", "1", "x" * 65, PAYMENT_ID[:-1], PAYMENT_ID + "0", PAYMENT_ID.replace("-", ""),
    f"{{{PAYMENT_ID}}}", f"urn:uuid:{PAYMENT_ID}", f" {PAYMENT_ID}", PAYMENT_ID + "\n",
    PAYMENT_ID.replace("-", "\u2212"), "'; DROP TABLE creators_membership; --",
]  # fmt: skip
TOO_EARLY, TOO_LATE = Timestamp(seconds=-(10**12)), Timestamp(seconds=10**12)
NO_TIMES = [TOO_EARLY, TOO_LATE, Timestamp(nanos=-1), Timestamp(nanos=10**9)]
EVENT = events_pb.RecordGatewayEventRequest(
    gateway="flutterwave",
    event_key="charge.completed:1",
    event_type="charge.completed",
    reference="cp0001",
    gateway_transaction_id="1",
    raw_body=b"\x00\xff{}",
    headers={"user-agent": "a\tb"},
    received_time=Timestamp(seconds=1_773_500_000),
)


def changed(request: Message, **values: object) -> Message:
    """Return a copy of a request with other values."""
    copy = type(request)()
    copy.CopyFrom(request)
    for name in values:
        copy.ClearField(name)
    copy.MergeFrom(type(request)(**values))
    return copy


async def refused_fields(method: str, request: Message) -> list[str]:
    return [violation.field for violation in await violations_of(method, request)]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_call_that_changes_something_has_an_idempotency_key(
    service: ServiceDescriptor,
) -> None:
    methods = service.methods_by_name
    assert MUTATING[service.name] | READING[service.name] == set(methods)
    for name in MUTATING[service.name]:
        key = methods[name].input_type.fields_by_name["idempotency_key"]
        assert key.type == FieldDescriptor.TYPE_STRING
    for name in READING[service.name]:
        assert "idempotency_key" not in methods[name].input_type.fields_by_name


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "key\n", "ключ"])
async def test_a_cancellation_needs_a_key(key: str) -> None:
    request = changed(BY_PAYMENT_ID["CancelPayment"], idempotency_key=key)
    assert await refused_fields("CancelPayment", request) == ["idempotency_key"]


@pytest.mark.parametrize("method", [each for each in BY_PAYMENT_ID if each != "WatchPayment"])
async def test_what_is_no_payment_id_is_refused(method: str) -> None:
    valid = BY_PAYMENT_ID[method]
    assert await refused_fields(method, valid) == []
    assert await refused_fields(method, changed(valid, payment_id=PAYMENT_ID.upper())) == []
    for value in NO_IDS:
        assert await refused_fields(method, changed(valid, payment_id=value)) == ["payment_id"]


@pytest.mark.parametrize("method", [each for each in BY_PAYMENT_ID if each != "WatchPayment"])
async def test_a_field_that_we_do_not_know_is_refused_everywhere(method: str) -> None:
    request = changed(BY_PAYMENT_ID[method])
    request.MergeFromString(b"\x98\x06\x01")
    assert await refused_fields(method, request) == ["#99"]


@pytest.mark.parametrize(
    "request_",
    [
        pb.ListPaymentsRequest(),
        pb.ListPaymentsRequest(
            user_id="member-1", status=PAYMENT_STATUS_COMPLETED, gateway="eversend", page_size=200
        ),
        pb.ListPaymentsRequest(created_after=Timestamp(seconds=1), created_before=Timestamp()),
    ],
    ids=["all", "some", "in a time"],
)
async def test_a_list_with_sound_filters_is_accepted(request_: pb.ListPaymentsRequest) -> None:
    assert await refused_fields("ListPayments", request_) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", "x" * 101),
        ("user_id", "a\x00"),
        ("gateway", "x" * 41),
        ("gateway", "a\nb"),
        ("status", 99),
        ("status", -1),
        ("page_size", -1),
        ("page_token", "x"),
        ("page_token", "A" * 501),
        *(("created_after", time) for time in NO_TIMES),
        *(("created_before", time) for time in NO_TIMES),
    ],
)
async def test_a_list_with_a_hostile_filter_is_refused(field: str, value: object) -> None:
    request = changed(pb.ListPaymentsRequest(), **{field: value})
    assert await refused_fields("ListPayments", request) == [field]


async def test_a_delivery_is_accepted_as_its_bytes_are() -> None:
    assert await refused_fields("RecordGatewayEvent", EVENT) == []
    empty = {"event_type": "", "reference": "", "gateway_transaction_id": "", "raw_body": b""}
    assert await refused_fields("RecordGatewayEvent", changed(EVENT, **empty)) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gateway", ""),
        ("gateway", "x" * 41),
        ("event_key", ""),
        ("event_key", "x" * 201),
        ("event_key", "a\x00"),
        ("event_type", "x" * 201),
        ("reference", "x" * 201),
        ("reference", "a\nb"),
        ("gateway_transaction_id", "x" * 201),
        ("raw_body", b"x" * (64 * 1024 + 1)),
        ("headers", {str(number): "" for number in range(21)}),
        ("headers", {"x" * 101: ""}),
        ("headers", {"a": "x" * 501}),
        ("headers", {"a": "\x00"}),
        ("headers", {"\x00": "a"}),
        *(("received_time", time) for time in NO_TIMES),
    ],
)
async def test_a_delivery_that_could_not_be_stored_is_refused(field: str, value: object) -> None:
    request = changed(EVENT, **{field: value})
    assert await refused_fields("RecordGatewayEvent", request) == [field]
