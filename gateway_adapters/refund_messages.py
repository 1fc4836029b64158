"""Refunds, between the messages of `gateways.v1` and our dataclasses."""

from gateway_adapters.charges import Payer
from gateway_adapters.messages import write_failure, write_money, write_outcome
from gateway_adapters.refunds import RefundOrder, RefundQuery, RefundReport
from gateway_adapters.request_checks import Checks
from kit.errors import InvalidRequestError
from protos.gateways.v1 import gateway_service_pb2 as pb


def read_refund_order(request: pb.CreateRefundRequest) -> RefundOrder:
    """Read a refund to create. Raises `InvalidRequestError` with everything that is wrong.

    The customer may be absent: not every gateway needs one.
    """
    checks = Checks()
    checks.reference(request.refund_reference, "refund_reference")
    checks.reference(request.charge_reference, "charge_reference")
    checks.identifier(request.gateway_transaction_id, "gateway_transaction_id")
    amount = checks.amount(request.amount, "amount")
    payer = Payer(email="")
    if request.HasField("customer"):
        payer = checks.customer(request.customer, reachable=False)
    if checks.violations or amount is None:
        raise InvalidRequestError(checks.violations)
    return RefundOrder(
        refund_reference=request.refund_reference,
        charge_reference=request.charge_reference,
        gateway_transaction_id=request.gateway_transaction_id,
        amount=amount,
        payer=payer,
    )


def read_refund_query(request: pb.GetRefundRequest) -> RefundQuery:
    """Read which refund to look up. Raises `InvalidRequestError`."""
    checks = Checks()
    checks.reference(request.refund_reference, "refund_reference")
    checks.identifier(request.gateway_refund_id, "gateway_refund_id")
    checks.identifier(request.gateway_transaction_id, "gateway_transaction_id")
    amount = checks.amount(request.amount, "amount") if request.HasField("amount") else None
    checks.finish()
    return RefundQuery(
        refund_reference=request.refund_reference,
        gateway_refund_id=request.gateway_refund_id,
        gateway_transaction_id=request.gateway_transaction_id,
        amount=amount,
    )


def write_created_refund(report: RefundReport) -> pb.CreateRefundResponse:
    """Write what became of a refund."""
    return pb.CreateRefundResponse(
        outcome=write_outcome(report.outcome),
        gateway_refund_id=report.gateway_refund_id,
        fee=write_money(report.fee),
        failure=write_failure(report.failure),
        gateway_status=report.gateway_status,
    )


def write_found_refund(report: RefundReport) -> pb.GetRefundResponse:
    """Write what a gateway knows about a refund."""
    return pb.GetRefundResponse(
        outcome=write_outcome(report.outcome),
        gateway_refund_id=report.gateway_refund_id,
        amount=write_money(report.amount),
        fee=write_money(report.fee),
        failure=write_failure(report.failure),
        gateway_status=report.gateway_status,
    )
