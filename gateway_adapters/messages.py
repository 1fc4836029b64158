"""Between the messages of `gateways.v1` and our dataclasses; the only reader of a request."""

import re
from urllib.parse import urlsplit

from google.protobuf.timestamp_pb2 import Timestamp

from gateway_adapters.gateway import (
    Abilities,
    ApprovePrompt,
    Capability,
    Charge,
    ChargeOrder,
    ChargeQuery,
    EnterOtp,
    Method,
    OpenPage,
    Outcome,
    Payer,
)
from kit.errors import FieldViolation, InvalidRequestError
from kit.money import Money, MoneyError
from protos.common.v1 import customer_pb2, money_pb2, payment_method_pb2
from protos.gateways.v1 import charge_pb2
from protos.gateways.v1 import gateway_service_pb2 as pb

_REFERENCE = re.compile(r"[A-Za-z0-9]{8,40}", re.ASCII)
_IDENTIFIER = re.compile(r"[\x21-\x7e]{1,128}", re.ASCII)
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_OTP = re.compile(r"[0-9]{4,8}", re.ASCII)
_MAX_TEXT = 100
_MAX_URL = 2000

_METHODS = {
    payment_method_pb2.PAYMENT_METHOD_CARD: Method.CARD,
    payment_method_pb2.PAYMENT_METHOD_MOBILE_MONEY: Method.MOBILE_MONEY,
    payment_method_pb2.PAYMENT_METHOD_EXPRESS: Method.EXPRESS,
}


class _Checks:
    """Collects everything that is wrong with one request."""

    def __init__(self) -> None:
        self.violations: list[FieldViolation] = []

    def require(self, holds: object, field: str, description: str) -> None:
        if not holds:
            self.violations.append(FieldViolation(field, description))

    def finish(self) -> None:
        if self.violations:
            raise InvalidRequestError(self.violations)


def read_charge_order(request: pb.CreateChargeRequest) -> ChargeOrder:
    """Read a charge to create. Raises `InvalidRequestError` with everything that is wrong."""
    checks = _Checks()
    method = _METHODS.get(request.payment_method)
    amount = _read_money(request.amount)
    checks.require(
        _REFERENCE.fullmatch(request.reference), "reference", "8 to 40 ASCII letters and digits"
    )
    checks.require(amount, "amount", "a positive amount in a known currency")
    checks.require(method, "payment_method", "must be given")
    checks.require(
        len(request.description) <= _MAX_TEXT, "description", f"at most {_MAX_TEXT} characters"
    )
    checks.require(_is_url(request.return_url), "return_url", "an absolute http(s) URL, or empty")
    _check_customer(checks, request.customer, required=method is Method.MOBILE_MONEY)
    if checks.violations or amount is None or method is None:
        raise InvalidRequestError(checks.violations)
    return ChargeOrder(
        reference=request.reference,
        amount=amount,
        method=method,
        payer=Payer(
            email=request.customer.email,
            name=request.customer.name,
            phone_number=request.customer.phone_number,
            country=request.customer.country_code,
        ),
        return_url=request.return_url,
        description=request.description,
        option=request.payment_option,
        network=request.mobile_money_network,
    )


def read_charge_query(request: pb.GetChargeRequest) -> ChargeQuery:
    """Read which charge to look up. Raises `InvalidRequestError`."""
    checks = _Checks()
    reference, transaction = request.reference, request.gateway_transaction_id
    checks.require(reference or transaction, "reference", "this or the gateway's id must be given")
    checks.require(
        not reference or _REFERENCE.fullmatch(reference), "reference", "8 to 40 letters and digits"
    )
    checks.require(
        not transaction or _IDENTIFIER.fullmatch(transaction),
        "gateway_transaction_id",
        "at most 128 printable ASCII characters",
    )
    checks.finish()
    return ChargeQuery(reference=reference, gateway_transaction_id=transaction)


def read_otp(request: pb.SubmitChargeActionRequest) -> str:
    """Read the payer's one-time password. Raises `InvalidRequestError`."""
    checks = _Checks()
    checks.require(_OTP.fullmatch(request.otp), "otp", "4 to 8 digits")
    checks.require(
        _IDENTIFIER.fullmatch(request.otp_state), "otp_state", "as the charge's next action has it"
    )
    checks.finish()
    return request.otp


def write_abilities(name: str, abilities: Abilities) -> pb.DescribeGatewayResponse:
    """Write what a gateway can do."""
    return pb.DescribeGatewayResponse(
        gateway=name,
        capabilities=[_write_capability(each) for each in abilities.capabilities],
        can_cancel=abilities.can_cancel,
        can_look_up=True,
    )


def write_outcome(outcome: Outcome) -> charge_pb2.Outcome.ValueType:
    """Write an outcome."""
    return charge_pb2.Outcome.Value(f"OUTCOME_{outcome.name}")


def write_charge(charge: Charge | None) -> charge_pb2.Charge | None:
    """Write what a gateway knows about a charge; None stays absent."""
    if charge is None:
        return None
    message = charge_pb2.Charge(
        reference=charge.reference,
        gateway_transaction_id=charge.gateway_transaction_id,
        amount=_write_money(charge.amount),
        fee=_write_money(charge.fee),
        next_action=_write_action(charge),
        gateway_status=charge.gateway_status,
    )
    if charge.failure:
        message.failure.code = charge.failure.code
        message.failure.detail = charge.failure.detail
    if charge.expire_time:
        expire_time = Timestamp()
        expire_time.FromDatetime(charge.expire_time)
        message.expire_time.CopyFrom(expire_time)
    return message


def _check_customer(checks: _Checks, customer: customer_pb2.Customer, *, required: bool) -> None:
    """Check the payer. `required`: whether phone and country must be given."""
    phone, country = customer.phone_number, customer.country_code
    checks.require(
        _EMAIL.fullmatch(customer.email) and len(customer.email) <= _MAX_TEXT,
        "customer.email",
        f"an e-mail address of at most {_MAX_TEXT} characters",
    )
    checks.require(len(customer.name) <= _MAX_TEXT, "customer.name", f"at most {_MAX_TEXT}")
    checks.require(
        _PHONE.fullmatch(phone) or (not phone and not required),
        "customer.phone_number",
        "E.164 with a leading plus; required for mobile money",
    )
    checks.require(
        _COUNTRY.fullmatch(country) or (not country and not required),
        "customer.country_code",
        "ISO 3166-1 alpha-2 in upper case; required for mobile money",
    )


def _is_url(text: str) -> bool:
    if not text:
        return True
    if len(text) > _MAX_URL or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _read_money(message: money_pb2.Money) -> Money | None:
    try:
        money = Money(message.currency_code, message.amount_minor)
    except MoneyError:
        return None
    return money if money.minor > 0 else None


def _write_money(money: Money | None) -> money_pb2.Money | None:
    if money is None:
        return None
    return money_pb2.Money(currency_code=money.currency, amount_minor=money.minor)


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
