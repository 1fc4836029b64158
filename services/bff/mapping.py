"""From the messages of the payments service to the BFF's documents. Nothing is decided here."""

from datetime import UTC
from typing import cast, get_args

from google.protobuf.timestamp_pb2 import Timestamp
from msgspec import UNSET

from kit.money import Money
from protos.common.v1 import money_pb2
from protos.common.v1.billing_cycle_pb2 import BillingCycle
from protos.common.v1.payment_method_pb2 import PaymentMethod
from protos.memberships.v1.membership_pb2 import Membership, MembershipStatus, UpgradeQuote
from protos.payments.v1.payment_pb2 import NextAction, Payment, PaymentStatus
from services.bff.documents import (
    ActionDocument,
    Cycle,
    FailureDocument,
    MembershipDocument,
    MembershipStatusName,
    Method,
    MoneyDocument,
    PaymentDocument,
    PaymentStatusName,
    QuoteBody,
    QuoteDocument,
)
from services.bff.language import Language

CYCLES = {
    cast("Cycle", name): BillingCycle.Value(f"BILLING_CYCLE_{name.upper()}")
    for name in get_args(Cycle)
}
METHODS = {
    cast("Method", name): PaymentMethod.Value(f"PAYMENT_METHOD_{name.upper()}")
    for name in get_args(Method)
}
STATUSES = {
    cast("PaymentStatusName", name): PaymentStatus.Value(f"PAYMENT_STATUS_{name.upper()}")
    for name in get_args(PaymentStatusName)
}
_MEMBERSHIP_STATUSES = {
    MembershipStatus.Value(f"MEMBERSHIP_STATUS_{name.upper()}"): cast("MembershipStatusName", name)
    for name in get_args(MembershipStatusName)
}
_CYCLE_NAMES = {number: name for name, number in CYCLES.items()}
_METHOD_NAMES = {number: name for name, number in METHODS.items()}
_STATUS_NAMES = {number: name for name, number in STATUSES.items()}


def money_document(message: money_pb2.Money) -> MoneyDocument:
    """Return an amount."""
    return amount_document(Money(message.currency_code, message.amount_minor))


def amount_document(money: Money) -> MoneyDocument:
    """Return an amount."""
    return MoneyDocument(
        currency_code=money.currency,
        amount=format(money.to_major(), "f"),
        amount_minor=money.minor,
    )


def cycle_name(cycle: "BillingCycle.ValueType") -> Cycle:
    """Return the word for a billing cycle."""
    return _CYCLE_NAMES[cycle]


def quote_document(body: QuoteBody, quote: UpgradeQuote) -> QuoteDocument:
    """Return what an upgrade costs."""
    return QuoteDocument(
        tier=body.tier,
        billing_cycle=body.billing_cycle,
        price=money_document(quote.price),
        annual_savings=money_document(quote.annual_savings),
        annual_savings_basis_points=quote.annual_savings_basis_points,
        proration_credit=money_document(quote.proration_credit),
        amount_due=money_document(quote.amount_due),
        next_renewal_time=_time(quote.next_renewal_time),
    )


def membership_document(membership: Membership) -> MembershipDocument:
    """Return what a member has."""
    return MembershipDocument(
        tier=membership.tier,
        status=_MEMBERSHIP_STATUSES[membership.status],
        billing_cycle=_CYCLE_NAMES.get(membership.billing_cycle),
        current_period_start_time=_time(membership.current_period_start_time),
        current_period_end_time=_time(membership.current_period_end_time),
    )


def payment_document(payment: Payment, language: Language) -> PaymentDocument:
    """Return a payment as its member sees it: without a word about gateways."""
    return PaymentDocument(
        payment_id=payment.payment_id,
        tier=payment.tier,
        previous_tier=payment.previous_tier,
        billing_cycle=_CYCLE_NAMES.get(payment.billing_cycle),
        amount=money_document(payment.amount),
        refunded_amount=money_document(payment.refunded_amount),
        payment_method=_METHOD_NAMES.get(payment.payment_method),
        status=_STATUS_NAMES[payment.status],
        status_message=_status_message(payment, language),
        held_for_review=payment.held_for_review,
        next_action=_action_document(payment.next_action),
        failure=_failure_document(payment, language),
        version=payment.version,
        create_time=_time(payment.create_time),
        update_time=_time(payment.update_time),
        complete_time=_time(payment.complete_time),
    )


def _status_message(payment: Payment, language: Language) -> str:
    status = _STATUS_NAMES[payment.status]
    if payment.held_for_review:
        return language.payment("held_for_review")
    if status == "failed" and payment.HasField("failure"):
        return language.failure(payment.failure.code)
    action = _action_document(payment.next_action).kind
    if status == "processing" and action != "none":
        return language.payment(action)
    return language.payment(status)


def _failure_document(payment: Payment, language: Language) -> FailureDocument | None:
    if not payment.HasField("failure"):
        return None
    failure = payment.failure
    return FailureDocument(
        code=failure.code,
        message=language.failure(failure.code),
        fail_time=_time(failure.fail_time),
    )


def _action_document(action: NextAction) -> ActionDocument:
    match action.WhichOneof("action"):
        case "redirect_url":
            return ActionDocument(kind="redirect", redirect_url=action.redirect_url)
        case "phone_prompt":
            prompt = action.phone_prompt
            return ActionDocument(
                kind="phone_prompt",
                masked_phone_number=prompt.masked_phone_number,
                expire_time=_time(prompt.expire_time) or UNSET,
            )
        case "otp":
            return ActionDocument(kind="otp", masked_destination=action.otp.masked_destination)
        case _:
            return ActionDocument(kind="none")


def _time(stamp: Timestamp) -> str | None:
    """Return a time as RFC 3339 text in UTC; None when it is absent."""
    if not (stamp.seconds or stamp.nanos):
        return None
    return stamp.ToDatetime(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
