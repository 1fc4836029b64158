"""What makes two requests the same, and the answer that a repeated one gets."""

import re
from dataclasses import Field, fields, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from kit.money import Money
from kit.request_scope import RequestScope, enter_scope
from services.payments.domain.payment import (
    ActionKind,
    BillingCycle,
    Customer,
    Failure,
    NextAction,
    Payment,
    PaymentMethod,
)
from services.payments.domain.states import PaymentStatus
from services.payments.operations.attribute_event import AttributeEventCommand
from services.payments.operations.cancel_payment import CancelPaymentCommand
from services.payments.operations.create_payment import CreatePaymentCommand
from services.payments.operations.idempotency import (
    decode_answer,
    encode_answer,
    fingerprint,
    scope_of,
)
from services.payments.operations.refund_payment import RefundPaymentCommand, RetryRefundCommand
from services.payments.operations.resolve_review import ResolveReviewCommand, ReviewDecision
from services.payments.operations.retry_payment import RetryPaymentCommand
from services.payments.operations.submit_action import SubmitActionCommand
from services.payments.ports import IdempotencyScope
from tests.unit.factories import NOW, make_payment, make_purchase

COMMAND = CreatePaymentCommand(
    user_id="member-1",
    tier="pro",
    billing_cycle=BillingCycle.MONTHLY,
    payment_method=PaymentMethod.CARD,
    currency="UGX",
    customer=make_purchase().customer,
    return_url="https://creators.example/return",
    idempotency_key="key-1",
    payment_option="",
    mobile_money_network="",
)
OTHER_VALUES: dict[type, Any] = {
    str: "something else",
    BillingCycle: BillingCycle.ANNUAL,
    PaymentMethod: PaymentMethod.EXPRESS,
    UUID: UUID(int=99),
    Money: Money("UGX", 2),
    ReviewDecision: ReviewDecision.REFUND,
}


def changed(value: Any, field: Field[Any]) -> Any:
    return replace(value, **{field.name: OTHER_VALUES[type(getattr(value, field.name))]})


COMMAND_FIELDS = [field for field in fields(CreatePaymentCommand) if field.name != "customer"]


@pytest.mark.parametrize("field", COMMAND_FIELDS, ids=lambda field: field.name)
def test_every_field_of_a_creation_is_in_its_fingerprint(field: Field[Any]) -> None:
    assert fingerprint(changed(COMMAND, field)) != fingerprint(COMMAND)


@pytest.mark.parametrize("field", fields(Customer), ids=lambda field: field.name)
def test_every_field_of_the_customer_is_in_the_fingerprint(field: Field[Any]) -> None:
    other = replace(COMMAND, customer=changed(COMMAND.customer, field))
    assert fingerprint(other) != fingerprint(COMMAND)


@pytest.mark.parametrize("field", fields(CancelPaymentCommand), ids=lambda field: field.name)
def test_every_field_of_a_cancellation_is_in_its_fingerprint(field: Field[Any]) -> None:
    command = CancelPaymentCommand(payment_id=UUID(int=1), idempotency_key="key-1")
    assert fingerprint(changed(command, field)) != fingerprint(command)


RETRY = RetryPaymentCommand(
    payment_id=UUID(int=1), idempotency_key="key-1", payment_method=PaymentMethod.CARD
)
OTHER_COMMANDS: list[Any] = [
    RETRY,
    SubmitActionCommand(payment_id=UUID(int=1), otp="123456", idempotency_key="key-1"),
    RefundPaymentCommand(
        payment_id=UUID(int=1), amount=Money("UGX", 1), reason="why", idempotency_key="key-1"
    ),
    RetryRefundCommand(refund_id=UUID(int=1), idempotency_key="key-1"),
    ResolveReviewCommand(
        payment_id=UUID(int=1),
        decision=ReviewDecision.GRANT,
        reason="why",
        idempotency_key="key-1",
    ),
    AttributeEventCommand(event_id=UUID(int=1), payment_id=UUID(int=2), idempotency_key="key-1"),
]


@pytest.mark.parametrize(
    ("command", "field"),
    [(command, field) for command in OTHER_COMMANDS for field in fields(command)],
    ids=lambda each: each.name if isinstance(each, Field) else type(each).__name__,
)
def test_every_field_of_the_other_commands_is_in_their_fingerprints(
    command: Any, field: Field[Any]
) -> None:
    assert fingerprint(changed(command, field)) != fingerprint(command)


def test_a_retry_by_the_same_method_is_another_request_than_one_by_a_named_method() -> None:
    assert fingerprint(replace(RETRY, payment_method=None)) != fingerprint(RETRY)


def test_a_refund_of_everything_is_another_request_than_one_of_an_amount() -> None:
    everything = RefundPaymentCommand(
        payment_id=UUID(int=1), amount=None, reason="why", idempotency_key="key-1"
    )
    part = replace(everything, amount=Money("UGX", 35_000))
    assert fingerprint(everything) != fingerprint(part)


def test_the_same_amount_of_another_currency_is_another_refund() -> None:
    amounts = (Money("UGX", 500), Money("KES", 500), Money("UGX", 50_000))
    one = RefundPaymentCommand(
        payment_id=UUID(int=1), amount=None, reason="why", idempotency_key="key-1"
    )
    assert len({fingerprint(replace(one, amount=amount)) for amount in amounts}) == 3


def test_a_value_that_moves_to_the_next_field_is_another_request() -> None:
    one = replace(COMMAND, payment_option="MTN")
    other = replace(COMMAND, mobile_money_network="MTN")
    assert fingerprint(one) != fingerprint(other)


def test_equal_requests_have_one_fingerprint_of_256_bits() -> None:
    again = replace(COMMAND, customer=replace(COMMAND.customer))
    assert fingerprint(again) == fingerprint(COMMAND)
    assert len(fingerprint(COMMAND)) == 32


def test_a_key_is_unique_for_the_caller_the_member_and_the_method() -> None:
    enter_scope(RequestScope(request_id="r", caller="bff"))
    assert scope_of("member-1", "CreatePayment", "key-1") == IdempotencyScope(
        caller="bff", user_id="member-1", method="CreatePayment", key="key-1"
    )


FULL = make_payment(
    status=PaymentStatus.DISPUTED,
    version=2**40,
    completed_at=NOW + timedelta(microseconds=1),
    updated_at=NOW + timedelta(days=1),
    gateway="flutterwave",
    gateway_reference="cp0001",
    gateway_transaction_id="tx-1",
    next_action=NextAction(
        kind=ActionKind.REDIRECT, value="https://pay.example/?a=1&b=é", expires_at=NOW
    ),
    failure=Failure(code="declined", message='Désolé “ñ” \U0001f4b8 \\ " \u2028', at=NOW),
    refunded_minor=34_999,
    review_reason="underpaid",
    verification_count=7,
    last_verified_at=NOW,
    webhook_count=3,
    webhook_received_at=NOW,
    period_start=NOW,
    period_end=NOW + timedelta(days=31),
)


@pytest.mark.parametrize("payment", [make_payment(), FULL], ids=["new", "full"])
def test_a_stored_answer_is_the_payment_without_loss(payment: Payment) -> None:
    assert decode_answer(encode_answer(payment)) == payment


def test_the_full_example_has_a_value_in_every_field_that_may_be_empty() -> None:
    empty = make_payment()
    same = [
        field.name
        for field in fields(Payment)
        if getattr(FULL, field.name) == getattr(empty, field.name)
    ]
    assert same == ["id", "purchase", "previous_tier", "idempotency_key", "created_at"]


@pytest.mark.parametrize("payment", [make_payment(), FULL], ids=["new", "full"])
def test_a_stored_answer_stays_the_same_bytes(payment: Payment) -> None:
    stored = encode_answer(payment)
    assert encode_answer(payment) == stored
    assert encode_answer(decode_answer(stored)) == stored


def test_a_stored_answer_keeps_times_in_utc_to_the_microsecond() -> None:
    assert re.search(rb'"created_at":"2026-03-14T15:09:26\.535897Z"', encode_answer(FULL))
    decoded = decode_answer(encode_answer(FULL)).created_at
    assert decoded == datetime.fromisoformat("2026-03-14T15:09:26.535897+00:00")
