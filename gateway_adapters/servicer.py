"""`gateways.v1.GatewayService` over any `Gateway`: checks, maps, and types every failure."""

from typing import Any, Never

from typing_extensions import override

from gateway_adapters.errors import (
    GatewayFailureError,
    NotCreatedError,
    NotOfferedError,
    NotSentError,
)
from gateway_adapters.gateway import Gateway
from gateway_adapters.messages import (
    read_charge_order,
    read_charge_query,
    read_otp,
    write_abilities,
    write_charge,
    write_outcome,
)
from gateway_adapters.record_messages import read_period, write_records, write_settlements
from gateway_adapters.refund_messages import (
    read_refund_order,
    read_refund_query,
    write_created_refund,
    write_found_refund,
)
from kit.errors import ErrorCode, InvalidRequestError, NotYetOfferedError, ServiceError
from kit.logs import get_logger
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.gateway_service_pb2_grpc import GatewayServiceServicer

DOMAIN = "gateways.v1"
SERVICE_NAME = pb.DESCRIPTOR.services_by_name["GatewayService"].full_name

_log = get_logger(__name__)


class GatewayServicer(GatewayServiceServicer):
    """Serves one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @override
    async def DescribeGateway(
        self, request: pb.DescribeGatewayRequest, context: Any
    ) -> pb.DescribeGatewayResponse:
        """Say what the gateway can do."""
        return write_abilities(self._gateway.name, self._gateway.describe())

    @override
    async def CreateCharge(
        self, request: pb.CreateChargeRequest, context: Any
    ) -> pb.CreateChargeResponse:
        """Create a charge."""
        try:
            report = await self._gateway.create_charge(read_charge_order(request))
        except (GatewayFailureError, InvalidRequestError) as error:
            self._fail(error)
        return pb.CreateChargeResponse(
            outcome=write_outcome(report.outcome), charge=write_charge(report.charge)
        )

    @override
    async def GetCharge(self, request: pb.GetChargeRequest, context: Any) -> pb.GetChargeResponse:
        """Look a charge up."""
        query = read_charge_query(request)
        try:
            report = await self._gateway.get_charge(query)
        except GatewayFailureError as error:
            self._fail(error)
        return pb.GetChargeResponse(
            outcome=write_outcome(report.outcome),
            charge=write_charge(report.charge),
            further_transaction_ids=report.further_transaction_ids,
        )

    @override
    async def CancelCharge(
        self, request: pb.CancelChargeRequest, context: Any
    ) -> pb.CancelChargeResponse:
        """Close a charge."""
        try:
            outcome = await self._gateway.cancel_charge(request.redirect_url)
        except GatewayFailureError as error:
            self._fail(error)
        return pb.CancelChargeResponse(outcome=write_outcome(outcome))

    @override
    async def SubmitChargeAction(
        self, request: pb.SubmitChargeActionRequest, context: Any
    ) -> pb.SubmitChargeActionResponse:
        """Hand in the payer's one-time password."""
        try:
            order, otp = read_charge_order(request.charge), read_otp(request)
            report = await self._gateway.submit_otp(order, request.otp_state, otp)
        except (GatewayFailureError, InvalidRequestError) as error:
            self._fail(error)
        return pb.SubmitChargeActionResponse(
            outcome=write_outcome(report.outcome), charge=write_charge(report.charge)
        )

    @override
    async def CreateRefund(
        self, request: pb.CreateRefundRequest, context: Any
    ) -> pb.CreateRefundResponse:
        """Send money back."""
        try:
            report = await self._gateway.create_refund(read_refund_order(request))
        except (GatewayFailureError, InvalidRequestError) as error:
            self._fail(error)
        return write_created_refund(report)

    @override
    async def GetRefund(self, request: pb.GetRefundRequest, context: Any) -> pb.GetRefundResponse:
        """Look a refund up."""
        query = read_refund_query(request)
        try:
            report = await self._gateway.get_refund(query)
        except GatewayFailureError as error:
            self._fail(error)
        return write_found_refund(report)

    @override
    async def ChargeToken(
        self, request: pb.ChargeTokenRequest, context: Any
    ) -> pb.ChargeTokenResponse:
        """Not offered yet."""
        raise NotYetOfferedError("ChargeToken")

    @override
    async def ListTransactions(
        self, request: pb.ListTransactionsRequest, context: Any
    ) -> pb.ListTransactionsResponse:
        """List what the gateway recorded."""
        period = read_period(request)
        try:
            page = await self._gateway.list_transactions(period)
        except GatewayFailureError as error:
            self._fail(error)
        return write_records(page)

    @override
    async def ListSettlements(
        self, request: pb.ListSettlementsRequest, context: Any
    ) -> pb.ListSettlementsResponse:
        """List what the gateway paid out."""
        period = read_period(request)
        try:
            page = await self._gateway.list_settlements(period)
        except GatewayFailureError as error:
            self._fail(error)
        return write_settlements(page)

    def _fail(self, error: GatewayFailureError | InvalidRequestError) -> Never:
        """Raise the typed error that says what a failure proves."""
        if isinstance(error, InvalidRequestError):
            # Refused before anything was sent: as good a proof as the gateway's own refusal.
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                "NOT_CREATED",
                error.message,
                metadata=self._metadata("invalid_request", alert=False),
                violations=error.violations,
            ) from error
        if error.operator_alert:
            _log.error(
                "operator_alert",
                gateway=self._gateway.name,
                failure_code=error.code,
                detail=error.detail,
            )
        code, reason = _kind(error)
        metadata = self._metadata(error.code, alert=error.operator_alert)
        raise ServiceError(code, reason, error.detail, metadata=metadata) from error

    def _metadata(self, code: str, *, alert: bool) -> dict[str, str]:
        return {
            "code": code,
            "gateway": self._gateway.name,
            "operator_alert": "true" if alert else "false",
        }


def _kind(error: GatewayFailureError) -> tuple[ErrorCode, str]:
    if isinstance(error, NotOfferedError):
        return ErrorCode.UNIMPLEMENTED, "NOT_CREATED"
    if isinstance(error, NotCreatedError):
        return ErrorCode.FAILED_PRECONDITION, "NOT_CREATED"
    if isinstance(error, NotSentError):
        return ErrorCode.UNAVAILABLE, "NOT_SENT"
    return ErrorCode.UNKNOWN, "UNKNOWN"
