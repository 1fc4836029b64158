"""Charges and abilities, between the messages of `gateways.v1` and our dataclasses."""

import re
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gateway_adapters.charges import (
    ApprovePrompt,
    Charge,
    ChargeOrder,
    ChargeQuery,
    EnterOtp,
    Failure,
    Method,
    OpenPage,
    Outcome,
)
from gateway_adapters.gateway import Abilities, Capability
from gateway_adapters.request_checks import Checks
from kit.errors import InvalidRequestError
from kit.money import Money
from protos.common.v1 import money_pb2, payment_method_pb2
from protos.gateways.v1 import charge_pb2
from protos.gateways.v1 import gateway_service_pb2 as pb

_OTP = re.compile(r"[0-9]{4,8}", re.ASCII)

_METHODS = {
    payment_method_pb2.PAYMENT_METHOD_CARD: Method.CARD,
    payment_method_pb2.PAYMENT_METHOD_MOBILE_MONEY: Method.MOBILE_MONEY,
    payment_method_pb2.PAYMENT_METHOD_EXPRESS: Method.EXPRESS,
}


def read_charge_order(request: pb.CreateChargeRequest) -> ChargeOrder:
    """Read a charge to create. Raises `InvalidRequestError` with everything that is wrong."""
    checks = Checks()
    method = _METHODS.get(request.payment_method)
    checks.reference(request.reference, "reference")
    amount = checks.amount(request.amount, "amount")
    checks.require(method, "payment_method", "must be given")
    checks.text(request.description, "description")
    checks.url(request.return_url, "return_url")
    payer = checks.customer(request.customer, reachable=method is Method.MOBILE_MONEY)
    if checks.violations or amount is None or method is None:
        raise InvalidRequestError(checks.violations)
    return ChargeOrder(
        reference=request.reference,
        amount=amount,
        method=method,
        payer=payer,
        return_url=request.return_url,
        description=request.description,
        option=request.payment_option,
        network=request.mobile_money_network,
    )


def read_charge_query(request: pb.GetChargeRequest) -> ChargeQuery:
    """Read which charge to look up. Raises `InvalidRequestError`."""
    checks = Checks()
    reference, transaction = request.reference, request.gateway_transaction_id
    checks.require(reference or transaction, "reference", "this or the gateway's id must be given")
    checks.reference(reference, "reference", required=False)
    checks.identifier(transaction, "gateway_transaction_id")
    checks.finish()
    return ChargeQuery(reference=reference, gateway_transaction_id=transaction)


def read_otp(request: pb.SubmitChargeActionRequest) -> str:
    """Read the payer's one-time password. Raises `InvalidRequestError`."""
    checks = Checks()
    checks.require(_OTP.fullmatch(request.otp), "otp", "4 to 8 digits")
    checks.identifier(request.otp_state, "otp_state", required=True)
    checks.finish()
    return request.otp


def write_abilities(name: str, abilities: Abilities) -> pb.DescribeGatewayResponse:
    """Write what a gateway can do."""
    return pb.DescribeGatewayResponse(
        gateway=name,
        capabilities=[_write_capability(each) for each in abilities.capabilities],
        can_cancel=abilities.can_cancel,
        can_refund=abilities.can_refund,
        can_look_up=True,
        can_list_settlements=abilities.can_list_settlements,
    )


def write_outcome(outcome: Outcome) -> charge_pb2.Outcome.ValueType:
    """Write an outcome."""
    return charge_pb2.Outcome.Value(f"OUTCOME_{outcome.name}")


def write_charge(charge: Charge | None) -> charge_pb2.Charge | None:
    """Write what a gateway knows about a charge; None stays absent."""
    if charge is None:
        return None
    return charge_pb2.Charge(
        reference=charge.reference,
        gateway_transaction_id=charge.gateway_transaction_id,
        amount=write_money(charge.amount),
        fee=write_money(charge.fee),
        next_action=_write_action(charge),
        failure=write_failure(charge.failure),
        gateway_status=charge.gateway_status,
        expire_time=write_time(charge.expire_time),
    )


def write_failure(failure: Failure | None) -> charge_pb2.ChargeFailure | None:
    """Write why something failed; None stays absent."""
    if failure is None:
        return None
    return charge_pb2.ChargeFailure(code=failure.code, detail=failure.detail)


def write_money(money: Money | None) -> money_pb2.Money | None:
    """Write an amount; None stays absent."""
    if money is None:
        return None
    return money_pb2.Money(currency_code=money.currency, amount_minor=money.minor)


def write_time(at: datetime | None) -> Timestamp | None:
    """Write a time; None stays absent."""
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def _write_action(charge: Charge) -> charge_pb2.ChargeAction | None:
    match charge.next_action:
        case OpenPage(url=url):
            return charge_pb2.ChargeAction(redirect_url=url)
        case ApprovePrompt(phone_number=phone_number):
            return charge_pb2.ChargeAction(prompt_phone_number=phone_number)
        case EnterOtp(state=state):
            return charge_pb2.ChargeAction(otp_state=state)
        case None:
            return None


def _write_capability(capability: Capability) -> pb.Capability:
    return pb.Capability(
        payment_method=payment_method_pb2.PaymentMethod.Value(
            f"PAYMENT_METHOD_{capability.method.name}"
        ),
        currency_code=capability.currency,
        country_codes=sorted(capability.countries),
        flow=charge_pb2.Flow.Value(f"FLOW_{capability.flow.name}"),
        payment_options=capability.options,
    )
