"""What every adapter must do with a request besides sending it. Part of the shared suite."""

from collections.abc import Callable

import pytest

from kit.errors import ErrorCode
from protos.common.v1.payment_method_pb2 import (
    PAYMENT_METHOD_EXPRESS,
    PAYMENT_METHOD_UNSPECIFIED,
    PaymentMethod,
)
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import (
    FLOW_UNSPECIFIED,
)
from tests.adapters.proofs import assert_proves
from tests.adapters.rig import Rig


def _no_reference(request: pb.CreateChargeRequest) -> None:
    request.reference = "short"


def _odd_reference(request: pb.CreateChargeRequest) -> None:
    request.reference = "cp-with-dashes-01"


def _no_amount(request: pb.CreateChargeRequest) -> None:
    request.ClearField("amount")


def _negative(request: pb.CreateChargeRequest) -> None:
    request.amount.amount_minor = -1


def _odd_currency(request: pb.CreateChargeRequest) -> None:
    request.amount.currency_code = "ugx"


def _no_method(request: pb.CreateChargeRequest) -> None:
    request.payment_method = PAYMENT_METHOD_UNSPECIFIED


def _no_email(request: pb.CreateChargeRequest) -> None:
    request.customer.email = "amina"


def _odd_phone(request: pb.CreateChargeRequest) -> None:
    request.customer.phone_number = "0772123456"


def _odd_country(request: pb.CreateChargeRequest) -> None:
    request.customer.country_code = "Uganda"


def _odd_return(request: pb.CreateChargeRequest) -> None:
    request.return_url = "javascript:alert(1)"


def _long_description(request: pb.CreateChargeRequest) -> None:
    request.description = "x" * 101


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (_no_reference, "reference"),
        (_odd_reference, "reference"),
        (_no_amount, "amount"),
        (_negative, "amount"),
        (_odd_currency, "amount"),
        (_no_method, "payment_method"),
        (_no_email, "customer.email"),
        (_odd_phone, "customer.phone_number"),
        (_odd_country, "customer.country_code"),
        (_odd_return, "return_url"),
        (_long_description, "description"),
    ],
)
async def test_a_malformed_request_names_its_field_and_creates_nothing(
    rig: Rig, reference: str, spoil: Callable[[pb.CreateChargeRequest], None], field: str
) -> None:
    order = rig.case.order(reference)
    spoil(order)
    error = await rig.adapter.failure("CreateCharge", order)
    assert_proves(error, "NOT_CREATED")
    assert error.code is ErrorCode.INVALID_ARGUMENT
    assert [violation.field for violation in error.violations] == [field]
    assert (await rig.sandbox.ask("transactions"))["transactions"] == []


async def test_everything_that_is_wrong_is_said_at_once(rig: Rig, reference: str) -> None:
    order = rig.case.order(reference)
    for spoil in (_no_reference, _no_amount, _no_method, _no_email):
        spoil(order)
    error = await rig.adapter.failure("CreateCharge", order)
    named = [violation.field for violation in error.violations]
    assert named == ["reference", "amount", "payment_method", "customer.email"]


async def test_a_look_up_needs_something_to_look_up(rig: Rig) -> None:
    error = await rig.adapter.failure("GetCharge", pb.GetChargeRequest())
    assert error.code is ErrorCode.INVALID_ARGUMENT


async def test_an_amount_that_the_gateway_has_no_way_to_charge_is_refused_unsent(
    rig: Rig, reference: str
) -> None:
    order = rig.case.order(reference)
    order.amount.currency_code, order.amount.amount_minor = "KWD", 1_000
    error = await rig.adapter.failure("CreateCharge", order)
    assert_proves(error, "NOT_CREATED")
    assert error.metadata["code"] == "currency_not_supported"
    assert (await rig.sandbox.ask("transactions"))["transactions"] == []


async def test_the_gateway_describes_what_it_can_charge(rig: Rig, reference: str) -> None:
    described = await rig.adapter.call("DescribeGateway", pb.DescribeGatewayRequest())
    assert described.gateway == rig.case.name
    assert described.can_look_up
    assert described.can_refund
    assert not described.can_charge_token
    order = rig.case.order(reference)
    fitting = [
        capability
        for capability in described.capabilities
        if capability.payment_method == order.payment_method
        and capability.currency_code == order.amount.currency_code
    ]
    assert len(fitting) == 1
    assert all(capability.flow != FLOW_UNSPECIFIED for capability in described.capabilities)
    kinds = [(c.payment_method, c.currency_code) for c in described.capabilities]
    assert len(kinds) == len(set(kinds))


async def test_a_method_that_is_not_described_is_refused_unsent(rig: Rig, reference: str) -> None:
    described = await rig.adapter.call("DescribeGateway", pb.DescribeGatewayRequest())
    offered = {(c.payment_method, c.currency_code) for c in described.capabilities}
    order = rig.case.order(reference)
    order.customer.phone_number, order.customer.country_code = "+254712345678", "KE"
    order.amount.currency_code, order.amount.amount_minor = "TZS", 500_000
    order.payment_method = PAYMENT_METHOD_EXPRESS
    assert (PaymentMethod.PAYMENT_METHOD_EXPRESS, "TZS") not in offered
    error = await rig.adapter.failure("CreateCharge", order)
    assert_proves(error, "NOT_CREATED")
    assert (await rig.sandbox.ask("transactions"))["transactions"] == []


async def test_charging_a_token_is_published_and_not_built(rig: Rig) -> None:
    error = await rig.adapter.failure("ChargeToken", pb.ChargeTokenRequest())
    assert error.code is ErrorCode.UNIMPLEMENTED
    assert error.reason == "NOT_YET_OFFERED"


async def test_a_caller_without_the_right_token_is_refused(rig: Rig, reference: str) -> None:
    async with rig.another(token="another-services-token") as adapter:
        error = await adapter.failure("CreateCharge", rig.case.order(reference))
    assert error.code is ErrorCode.UNAUTHENTICATED
    assert await rig.sandbox.created(reference) == 0


async def test_no_error_carries_a_secret_or_personal_data(rig: Rig, reference: str) -> None:
    order = rig.case.refused(reference)
    error = await rig.adapter.failure("CreateCharge", order)
    said = f"{error.message} {error.metadata}"
    secrets = [str(value) for value in rig.case.settings.values()]
    personal = [order.customer.email, order.customer.name, order.customer.phone_number]
    assert not [value for value in (*secrets, *personal) if value and value in said]
