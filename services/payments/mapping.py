"""Between the domain's dataclasses and the published protobuf messages. Nothing is decided here."""

from datetime import UTC, datetime

from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp

from kit.money import Money
from protos.common.v1 import billing_cycle_pb2, money_pb2, payment_method_pb2
from protos.memberships.v1 import membership_pb2
from protos.payments.v1 import payment_pb2, refund_pb2, timeline_pb2
from services.payments.domain.attempts import Attempt
from services.payments.domain.audit import AuditEntry, AuditKind
from services.payments.domain.ledger import JournalEntry
from services.payments.domain.membership import Membership, MembershipStatus
from services.payments.domain.payment import (
    ActionKind,
    BillingCycle,
    Failure,
    NextAction,
    Payment,
    PaymentMethod,
)
from services.payments.domain.pricing import PriceBook, Quote, Tier
from services.payments.domain.refunds import Refund, RefundStatus
from services.payments.domain.states import PaymentStatus

CYCLES = {
    billing_cycle_pb2.BILLING_CYCLE_MONTHLY: BillingCycle.MONTHLY,
    billing_cycle_pb2.BILLING_CYCLE_ANNUAL: BillingCycle.ANNUAL,
}
CYCLES_TO_PROTO = {cycle: number for number, cycle in CYCLES.items()}
METHODS = {
    payment_method_pb2.PAYMENT_METHOD_CARD: PaymentMethod.CARD,
    payment_method_pb2.PAYMENT_METHOD_MOBILE_MONEY: PaymentMethod.MOBILE_MONEY,
    payment_method_pb2.PAYMENT_METHOD_EXPRESS: PaymentMethod.EXPRESS,
}
METHODS_TO_PROTO = {method: number for number, method in METHODS.items()}
STATUSES_TO_PROTO = {
    status: payment_pb2.PaymentStatus.Value(f"PAYMENT_STATUS_{status.name}")
    for status in PaymentStatus
}
STATUSES = {number: status for status, number in STATUSES_TO_PROTO.items()}
_MEMBERSHIP_STATUSES = {
    status: membership_pb2.MembershipStatus.Value(f"MEMBERSHIP_STATUS_{status.name}")
    for status in MembershipStatus
}
_REFUND_STATUSES = {
    status: refund_pb2.RefundStatus.Value(f"REFUND_STATUS_{status.name}") for status in RefundStatus
}
_KINDS = {
    kind: timeline_pb2.TimelineEntryKind.Value(f"TIMELINE_ENTRY_KIND_{kind.name}")
    for kind in AuditKind
}

_NO_CYCLE = billing_cycle_pb2.BILLING_CYCLE_UNSPECIFIED

# What the member reads. An unknown outcome is told as what it is.
_STATUS_MESSAGES = {
    PaymentStatus.PENDING: "We are starting your payment.",
    PaymentStatus.PROCESSING: "We are confirming your payment with the provider.",
    PaymentStatus.COMPLETED: "Your payment is complete and your membership is active.",
    PaymentStatus.FAILED: "The payment did not go through. No money was taken.",
    PaymentStatus.CANCELLED: "The payment was cancelled. Money that still arrives goes back.",
    PaymentStatus.EXPIRED: "The payment was not made in time. You can try again.",
    PaymentStatus.PARTIALLY_REFUNDED: "Part of your payment was refunded.",
    PaymentStatus.REFUNDED: "Your payment was refunded.",
    PaymentStatus.DISPUTED: "Your bank is looking into this payment.",
    PaymentStatus.CHARGED_BACK: "Your bank returned this payment to you.",
}
_ACTION_MESSAGES = {
    ActionKind.REDIRECT: "Finish your payment on the provider's page.",
    ActionKind.PHONE_PROMPT: "Approve the payment on your phone.",
    ActionKind.OTP: "Enter the one-time password that was sent to you.",
}


def money(amount: Money) -> money_pb2.Money:
    """Return an amount as a message."""
    return money_pb2.Money(currency_code=amount.currency, amount_minor=amount.minor)


def timestamp(at: datetime | None) -> Timestamp | None:
    """Return a time as a message; None stays absent."""
    if at is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(at)
    return stamp


def datetime_of(stamp: Timestamp) -> datetime:
    """Return the time of a message, in UTC."""
    return stamp.ToDatetime(tzinfo=UTC)


def payment_message(payment: Payment) -> payment_pb2.Payment:
    """Return a payment as callers see it."""
    return payment_pb2.Payment(
        payment_id=str(payment.id),
        user_id=payment.user_id,
        tier=payment.purchase.tier,
        previous_tier=payment.previous_tier,
        billing_cycle=CYCLES_TO_PROTO[payment.purchase.billing_cycle],
        amount=money(payment.amount),
        payment_method=METHODS_TO_PROTO[payment.purchase.payment_method],
        gateway=payment.gateway,
        gateway_reference=payment.gateway_reference,
        status=STATUSES_TO_PROTO[payment.status],
        next_action=_next_action(payment.next_action),
        failure=_failure(payment.failure),
        refunded_amount=money(payment.refunded),
        version=payment.version,
        create_time=timestamp(payment.created_at),
        update_time=timestamp(payment.updated_at),
        complete_time=timestamp(payment.completed_at),
        held_for_review=payment.review_reason is not None,
        status_message=_status_message(payment),
    )


def _failure(failure: Failure | None) -> payment_pb2.PaymentFailure | None:
    if failure is None:
        return None
    return payment_pb2.PaymentFailure(
        code=failure.code, message=failure.message, fail_time=timestamp(failure.at)
    )


def _status_message(payment: Payment) -> str:
    if payment.review_reason is not None:
        return "Your payment arrived and is being looked at by our team."
    if payment.status is PaymentStatus.FAILED and payment.failure:
        return payment.failure.message
    if payment.status is PaymentStatus.PROCESSING:
        default = _STATUS_MESSAGES[payment.status]
        return _ACTION_MESSAGES.get(payment.next_action.kind, default)
    return _STATUS_MESSAGES[payment.status]


def _next_action(action: NextAction) -> payment_pb2.NextAction:
    if action.kind is ActionKind.REDIRECT:
        return payment_pb2.NextAction(redirect_url=action.value)
    if action.kind is ActionKind.PHONE_PROMPT:
        return payment_pb2.NextAction(
            phone_prompt=payment_pb2.PhonePrompt(
                masked_phone_number=action.value, expire_time=timestamp(action.expires_at)
            )
        )
    if action.kind is ActionKind.OTP:
        return payment_pb2.NextAction(
            otp=payment_pb2.OneTimePassword(masked_destination=action.value)
        )
    return payment_pb2.NextAction(none=Empty())


def timeline_entry(entry: AuditEntry) -> timeline_pb2.TimelineEntry:
    """Return one line of history as support sees it."""
    return timeline_pb2.TimelineEntry(
        time=timestamp(entry.at),
        kind=_KINDS[entry.kind],
        actor=entry.actor,
        action=entry.action,
        summary=entry.reason,
        rule=entry.rule,
        from_status=entry.from_status or "",
        to_status=entry.to_status or "",
        request_id=entry.request_id,
        details=dict(entry.details),
    )


def attempt_summary(attempt: Attempt) -> timeline_pb2.AttemptSummary:
    """Return one attempt as support sees it."""
    return timeline_pb2.AttemptSummary(
        attempt_id=str(attempt.id),
        gateway=attempt.gateway,
        gateway_reference=attempt.reference,
        gateway_transaction_id=attempt.gateway_transaction_id,
        outcome=attempt.outcome,
        amount=money(attempt.amount),
        create_time=timestamp(attempt.created_at),
        next_check_time=timestamp(attempt.next_check_at),
    )


def membership_message(membership: Membership) -> membership_pb2.Membership:
    """Return what a member has."""
    cycle = membership.billing_cycle
    return membership_pb2.Membership(
        user_id=membership.user_id,
        tier=membership.tier,
        status=_MEMBERSHIP_STATUSES[membership.status],
        billing_cycle=CYCLES_TO_PROTO[cycle] if cycle else _NO_CYCLE,
        current_period_start_time=timestamp(membership.period_start),
        current_period_end_time=timestamp(membership.period_end),
    )


def tier_messages(book: PriceBook, currency: str) -> list[membership_pb2.Tier]:
    """Return the tiers with their prices in one currency, cheapest first."""
    return [_tier(tier, currency) for tier in sorted(book.tiers, key=lambda tier: tier.rank)]


def _tier(tier: Tier, currency: str) -> membership_pb2.Tier:
    return membership_pb2.Tier(
        tier=tier.name,
        display_name=tier.display_name,
        features=tier.features,
        prices=[
            membership_pb2.TierPrice(
                billing_cycle=CYCLES_TO_PROTO[cycle], amount=money(tier.prices[cycle, currency])
            )
            for cycle in BillingCycle
            if (cycle, currency) in tier.prices
        ],
    )


def quote_message(quote: Quote) -> membership_pb2.UpgradeQuote:
    """Return what an upgrade costs."""
    return membership_pb2.UpgradeQuote(
        price=money(quote.price),
        annual_savings=money(quote.savings),
        annual_savings_basis_points=quote.savings_basis_points,
        proration_credit=money(quote.credit),
        amount_due=money(quote.due),
        next_renewal_time=timestamp(quote.renews_at),
    )


def refund_message(refund: Refund) -> refund_pb2.Refund:
    """Return a refund as callers see it."""
    return refund_pb2.Refund(
        refund_id=str(refund.id),
        payment_id=str(refund.payment_id),
        amount=money(refund.amount),
        reason=refund.reason,
        status=_REFUND_STATUSES[refund.status],
        create_time=timestamp(refund.created_at),
        update_time=timestamp(refund.updated_at),
        purpose=refund.purpose,
        gateway=refund.gateway,
        failure=_failure(refund.failure),
    )


def journal_message(entry: JournalEntry) -> timeline_pb2.JournalEntry:
    """Return an entry of the double-entry journal as finance sees it."""
    return timeline_pb2.JournalEntry(
        entry_id=str(entry.id),
        kind=entry.kind,
        summary=entry.summary,
        time=timestamp(entry.at),
        lines=[
            timeline_pb2.JournalLine(account=line.account, amount=money(line.amount))
            for line in entry.lines
        ],
    )
