"""What a gateway answers about its records, as its adapter would report it."""

from proofs.crash.gateways.records import Charge, SentRefund, Stage
from services.payments.domain.attempts import Flow
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, NextAction
from services.payments.domain.refund_reports import RefundReport


def charge_report(
    charge: Charge, *, created: bool = False, transaction_id: str = ""
) -> ChargeReport:
    """Return what the gateway says of a charge. `created`: in answer to its creation.

    `transaction_id`: which of its transactions is asked about; the first when it has no such one.
    """
    if charge.transactions:
        return _paid(charge, transaction_id)
    if created:
        return _created(charge)
    answer = Answer.FAILED if charge.failure_code else Answer.NOT_FOUND
    if charge.stage is Stage.PAYABLE and charge.flow is Flow.PROMPT:
        answer = Answer.PENDING
    return ChargeReport(
        answer=answer,
        reference=charge.reference,
        amount=charge.amount,
        failure_code=charge.failure_code,
        expires_at=charge.expires_at,
    )


def refund_report(refund: SentRefund) -> RefundReport:
    """Return what the gateway says of a refund."""
    answer = Answer.PENDING
    if refund.arrived or refund.failed:
        answer = Answer.FAILED if refund.failed else Answer.SUCCEEDED
    return RefundReport(
        answer=answer,
        gateway_refund_id=f"rf-{refund.reference}",
        amount=refund.amount,
        failure_code="refund_failed" if refund.failed else "",
    )


def _paid(charge: Charge, transaction_id: str) -> ChargeReport:
    first, *further = charge.transactions
    asked = next((each for each in further if each.id == transaction_id), first)
    return ChargeReport(
        answer=Answer.SUCCEEDED,
        reference=charge.reference,
        gateway_transaction_id=asked.id,
        amount=asked.amount,
        further_transaction_ids=tuple(each.id for each in further),
    )


def _created(charge: Charge) -> ChargeReport:
    if charge.flow is Flow.HOSTED:
        action = NextAction(kind=ActionKind.REDIRECT, value=charge.link)
    elif charge.stage is Stage.AWAITS_OTP:
        action = NextAction(kind=ActionKind.OTP)
    else:
        action = NextAction(kind=ActionKind.PHONE_PROMPT)
    return ChargeReport(
        answer=Answer.REQUIRES_ACTION,
        reference=charge.reference,
        amount=charge.amount,
        action=action,
        link=charge.link if charge.flow is Flow.HOSTED else "",
        action_state="otp" if charge.stage is Stage.AWAITS_OTP else "",
        expires_at=charge.expires_at,
    )
