"""Reads what adapters answer: a failed call becomes an answer, never an exception."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kit.errors import ErrorCode, ServiceError
from kit.logs import get_logger
from kit.money import Money, MoneyError
from protos.common.v1 import money_pb2
from protos.gateways.v1 import charge_pb2, gateway_service_pb2
from services.payments.domain.attempts import Flow
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import NO_ACTION, ActionKind, NextAction
from services.payments.domain.reconciliation import (
    Settlement,
    SettlementLine,
    Subject,
    Transaction,
)
from services.payments.domain.refund_reports import RefundReport
from services.payments.mapping import METHODS, datetime_of
from services.payments.ports import (
    Capability,
    GatewayDescription,
    NotListed,
    SettlementPage,
    TransactionPage,
)

_log = get_logger(__name__)

_DOMAIN = "gateways.v1"

_OUTCOMES: dict[int, Answer] = {
    charge_pb2.OUTCOME_SUCCEEDED: Answer.SUCCEEDED,
    charge_pb2.OUTCOME_PENDING: Answer.PENDING,
    charge_pb2.OUTCOME_REQUIRES_ACTION: Answer.REQUIRES_ACTION,
    charge_pb2.OUTCOME_FAILED: Answer.FAILED,
    charge_pb2.OUTCOME_NOT_FOUND: Answer.NOT_FOUND,
}
# Only these words, in the adapters' own domain, prove anything about a failed call.
_FAILURES = {"NOT_SENT": Answer.NOT_SENT, "NOT_CREATED": Answer.NOT_CREATED}
_FLOWS = {charge_pb2.FLOW_HOSTED: Flow.HOSTED, charge_pb2.FLOW_PROMPT: Flow.PROMPT}
_SUBJECTS: dict[int, Subject] = {
    gateway_service_pb2.TRANSACTION_KIND_CHARGE: Subject.CHARGE,
    gateway_service_pb2.TRANSACTION_KIND_REFUND: Subject.REFUND,
    gateway_service_pb2.TRANSACTION_KIND_CHARGEBACK: Subject.CHARGEBACK,
}


def description_of(
    name: str, reply: gateway_service_pb2.DescribeGatewayResponse
) -> GatewayDescription:
    """Return what an adapter says that its gateway can do."""
    return GatewayDescription(
        name=name,
        can_cancel=reply.can_cancel,
        capabilities=[
            Capability(
                method=METHODS[each.payment_method],
                currency=each.currency_code,
                countries=frozenset(each.country_codes),
                flow=_FLOWS[each.flow],
                options=frozenset(each.payment_options),
            )
            for each in reply.capabilities
            if each.payment_method in METHODS and each.flow in _FLOWS
        ],
    )


@dataclass(frozen=True, slots=True)
class _Failed:
    """What a failed call proves, with the adapter's code and whether operators must act."""

    answer: Answer
    code: str
    alert: bool


def _read_failure(gateway: str, error: ServiceError) -> _Failed:
    """Return what the typed detail of a failed call proves; without one, nothing."""
    typed = error.metadata.get("domain") == _DOMAIN
    answer = _FAILURES.get(error.reason, Answer.UNKNOWN) if typed else Answer.UNKNOWN
    alert = error.metadata.get("operator_alert") == "true"
    if alert:
        _log.error("gateway_needs_operator", gateway=gateway, detail=error.message, alert=True)
    return _Failed(answer, error.metadata.get("code", "") if typed else "", alert)


def failed_charge(gateway: str, error: ServiceError) -> ChargeReport:
    """Return what a failed call about a charge proves."""
    failed = _read_failure(gateway, error)
    return ChargeReport(
        answer=failed.answer,
        failure_code=failed.code,
        detail=error.message,
        operator_alert=failed.alert,
    )


def failed_refund(gateway: str, error: ServiceError) -> RefundReport:
    """Return what a failed call about a refund proves."""
    failed = _read_failure(gateway, error)
    return RefundReport(
        answer=failed.answer,
        failure_code=failed.code,
        detail=error.message,
        operator_alert=failed.alert,
    )


def refund_report(reply: Any) -> RefundReport:
    """Return what an answer about a refund says."""
    answer = _OUTCOMES.get(reply.outcome, Answer.UNKNOWN)
    amount = getattr(reply, "amount", None)
    try:
        return RefundReport(
            answer=answer,
            gateway_refund_id=reply.gateway_refund_id,
            amount=_money_of(amount) if amount and reply.HasField("amount") else None,
            fee=_money_of(reply.fee) if reply.HasField("fee") else None,
            failure_code=reply.failure.code,
            detail=reply.failure.detail,
            gateway_status=reply.gateway_status,
        )
    except MoneyError as error:
        return RefundReport(answer=Answer.UNKNOWN, detail=f"the answer's amount: {error}")


def charge_report(reply: Any) -> ChargeReport:
    """Return what an answer about a charge says."""
    answer = _OUTCOMES.get(reply.outcome, Answer.UNKNOWN)
    charge = getattr(reply, "charge", None)
    further = getattr(reply, "further_transaction_ids", ())
    if charge is None:
        return ChargeReport(answer=answer)
    try:
        amount = _money_of(charge.amount) if charge.HasField("amount") else None
        fee = _money_of(charge.fee) if charge.HasField("fee") else None
    except MoneyError as error:
        return ChargeReport(answer=Answer.UNKNOWN, detail=f"the answer's amount: {error}")
    failure = charge.failure if charge.HasField("failure") else None
    return ChargeReport(
        answer=answer,
        reference=charge.reference,
        gateway_transaction_id=charge.gateway_transaction_id,
        amount=amount,
        fee=fee,
        action=_action(charge),
        action_state=charge.next_action.otp_state,
        further_transaction_ids=tuple(further),
        link=charge.next_action.redirect_url,
        failure_code=failure.code if failure else "",
        detail=failure.detail if failure else "",
        gateway_status=charge.gateway_status,
        expires_at=datetime_of(charge.expire_time) if charge.HasField("expire_time") else None,
    )


def failed_list(gateway: str, error: ServiceError) -> NotListed:
    """Return why a list could not be read, and whether the gateway has such a list."""
    refused = _read_failure(gateway, error).answer is Answer.NOT_CREATED
    missing = refused and error.code is ErrorCode.UNIMPLEMENTED
    return NotListed(detail=error.message, offered=not missing)


def transaction_page(reply: Any) -> TransactionPage | NotListed:
    """Return one page of a statement; a single row that cannot be read spoils it."""
    try:
        rows = [_transaction(row) for row in reply.transactions]
    except ValueError as error:
        return NotListed(detail=f"a row of the statement: {error}")
    return TransactionPage(transactions=rows, next_page_token=reply.next_page_token)


def settlement_page(reply: Any) -> SettlementPage | NotListed:
    """Return one page of settlements; a single one that cannot be read spoils it."""
    try:
        settlements = [_settlement(each) for each in reply.settlements]
    except ValueError as error:
        return NotListed(detail=f"a settlement: {error}")
    return SettlementPage(settlements=settlements, next_page_token=reply.next_page_token)


def _transaction(row: gateway_service_pb2.Transaction) -> Transaction:
    charge, answer = row.charge, _OUTCOMES.get(row.outcome)
    if row.kind not in _SUBJECTS or answer is None or not charge.gateway_transaction_id:
        raise ValueError("its kind, outcome or identifier is missing")
    if not row.HasField("create_time"):
        raise ValueError("its time is missing")
    if answer is Answer.SUCCEEDED and not charge.HasField("amount"):
        raise ValueError("a success has no amount")
    return Transaction(
        subject=_SUBJECTS[row.kind],
        answer=answer,
        transaction_id=charge.gateway_transaction_id,
        reference=charge.reference,
        amount=_money_of(charge.amount) if charge.HasField("amount") else None,
        at=datetime_of(row.create_time),
        fee=_money_of(charge.fee) if charge.HasField("fee") else None,
        charge_transaction_id=row.charge_transaction_id,
    )


def _settlement(message: gateway_service_pb2.Settlement) -> Settlement:
    sums = [
        _money_of(each)
        for each in (
            message.net,
            message.gross,
            message.fees,
            message.refunds,
            message.chargebacks,
        )
    ]
    if len({each.currency for each in sums}) > 1:
        raise ValueError("its sums are in several currencies")
    if not message.settlement_id or not message.HasField("settle_time"):
        raise ValueError("its identifier or time is missing")
    lines = [_settlement_line(line) for line in message.lines]
    if len({line.transaction_id for line in lines}) < len(lines):
        raise ValueError("a charge is in it twice")
    net, gross, fees, refunds, chargebacks = sums
    return Settlement(
        settlement_id=message.settlement_id,
        net=net,
        gross=gross,
        fees=fees,
        refunds=refunds,
        chargebacks=chargebacks,
        settled_at=datetime_of(message.settle_time),
        lines=lines,
    )


def _settlement_line(line: gateway_service_pb2.SettlementLine) -> SettlementLine:
    if not line.gateway_transaction_id:
        raise ValueError("the identifier of a charge in it is missing")
    return SettlementLine(
        transaction_id=line.gateway_transaction_id,
        reference=line.reference,
        gross=_money_of(line.gross),
        fee=_money_of(line.fee) if line.HasField("fee") else None,
    )


def _action(charge: charge_pb2.Charge) -> NextAction:
    kind = charge.next_action.WhichOneof("action")
    expires_at = datetime_of(charge.expire_time) if charge.HasField("expire_time") else None
    if kind == "redirect_url":
        link = charge.next_action.redirect_url
        return NextAction(kind=ActionKind.REDIRECT, value=link, expires_at=expires_at)
    if kind == "prompt_phone_number":
        return NextAction(kind=ActionKind.PHONE_PROMPT, expires_at=expires_at)
    if kind == "otp_state":
        return NextAction(kind=ActionKind.OTP, expires_at=expires_at)
    return NO_ACTION


def _money_of(amount: money_pb2.Money) -> Money:
    return Money(amount.currency_code, amount.amount_minor)


ReportT = TypeVar("ReportT")


@dataclass(frozen=True, slots=True)
class Reader(Generic[ReportT]):
    """How answers of one kind are read.

    `read`: an answer. `failed`: a failed call, by gateway. `unsent`: a call that was not made.
    """

    read: Callable[[Any], ReportT]
    failed: Callable[[str, ServiceError], ReportT]
    unsent: Callable[[str], ReportT]


CHARGES = Reader(
    charge_report,
    failed_charge,
    lambda detail: ChargeReport(answer=Answer.NOT_SENT, detail=detail),
)
REFUNDS = Reader(
    refund_report,
    failed_refund,
    lambda detail: RefundReport(answer=Answer.NOT_SENT, detail=detail),
)
TRANSACTIONS: Reader[TransactionPage | NotListed] = Reader(
    transaction_page, failed_list, lambda detail: NotListed(detail=detail)
)
SETTLEMENTS: Reader[SettlementPage | NotListed] = Reader(
    settlement_page, failed_list, lambda detail: NotListed(detail=detail)
)
