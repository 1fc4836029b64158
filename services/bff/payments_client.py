"""The BFF's calls to the payments service, each for one member."""

from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

import grpc

from kit.channel import ServiceChannel
from kit.status import from_rpc_error
from protos.memberships.v1 import memberships_service_pb2 as memberships
from protos.memberships.v1.membership_pb2 import Membership, UpgradeQuote
from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceStub
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import Payment
from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from services.bff.identity import Member

if TYPE_CHECKING:
    from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceAsyncStub
    from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceAsyncStub

_MEMBERSHIPS_SERVICE = memberships.DESCRIPTOR.services_by_name["MembershipsService"].full_name


class PaymentsClient:
    """What the routes ask of the payments service.

    `timeout`: seconds that a call may take; `gateway_timeout`: one that waits for a gateway. Every
    call raises `kit.errors.ServiceError`.
    """

    def __init__(
        self, channel: ServiceChannel, *, timeout: float, gateway_timeout: float | None = None
    ) -> None:
        self._channel = channel
        self._timeout = timeout
        self._gateway_timeout = gateway_timeout or timeout
        # Only the type stubs know the asynchronous form of a stub.
        self._memberships: MembershipsServiceAsyncStub = MembershipsServiceStub(channel.channel)
        self._payments: PaymentsServiceAsyncStub = PaymentsServiceStub(channel.channel)

    async def list_tiers(self, currency: str) -> memberships.ListTiersResponse:
        """Return the price book in `currency` (ISO 4217). Needs no member."""
        request = memberships.ListTiersRequest(currency_code=currency)
        response: memberships.ListTiersResponse = await self._call(
            self._memberships.ListTiers, request
        )
        return response

    async def quote(self, member: Member, request: memberships.QuoteUpgradeRequest) -> UpgradeQuote:
        """Price an upgrade."""
        response: memberships.QuoteUpgradeResponse = await self._call(
            self._memberships.QuoteUpgrade, request, member
        )
        return response.quote

    async def membership(self, member: Member) -> Membership:
        """Return what the member has."""
        request = memberships.GetMembershipRequest(user_id=member.user_id)
        response: memberships.GetMembershipResponse = await self._call(
            self._memberships.GetMembership, request, member
        )
        return response.membership

    async def invoice(self, member: Member, invoice_id: str) -> bytes:
        """Return an invoice as a PDF."""
        request = memberships.GetInvoiceRequest(invoice_id=invoice_id)
        response: memberships.GetInvoiceResponse = await self._call(
            self._memberships.GetInvoice, request, member
        )
        return response.pdf

    async def create(self, member: Member, request: pb.CreatePaymentRequest) -> Payment:
        """Buy."""
        return await self._ask_gateway(self._payments.CreatePayment, request, member)

    async def get(self, member: Member, payment_id: str) -> Payment:
        """Return one payment."""
        request = pb.GetPaymentRequest(payment_id=payment_id)
        response: pb.GetPaymentResponse = await self._call(
            self._payments.GetPayment, request, member
        )
        return response.payment

    async def list(
        self, member: Member, request: pb.ListPaymentsRequest
    ) -> pb.ListPaymentsResponse:
        """Return a page of payments."""
        response: pb.ListPaymentsResponse = await self._call(
            self._payments.ListPayments, request, member
        )
        return response

    async def verify(self, member: Member, payment_id: str) -> Payment:
        """Have the gateway asked now."""
        request = pb.VerifyPaymentRequest(payment_id=payment_id)
        return await self._ask_gateway(self._payments.VerifyPayment, request, member)

    async def submit_otp(self, member: Member, request: pb.SubmitPaymentActionRequest) -> Payment:
        """Hand in a one-time password."""
        return await self._ask_gateway(self._payments.SubmitPaymentAction, request, member)

    async def retry(self, member: Member, request: pb.RetryPaymentRequest) -> Payment:
        """Start a new attempt."""
        return await self._ask_gateway(self._payments.RetryPayment, request, member)

    async def cancel(self, member: Member, request: pb.CancelPaymentRequest) -> Payment:
        """Withdraw a payment."""
        return await self._ask_gateway(self._payments.CancelPayment, request, member)

    async def watch(
        self, member: Member, payment_id: str, after_version: int
    ) -> AsyncGenerator[Payment, None]:
        """Yield the payment whenever it changes, until nothing more happens to it by itself.

        Close the generator to end the call.
        """
        request = pb.WatchPaymentRequest(payment_id=payment_id, after_version=after_version)
        call: Any = self._channel.stream(
            self._payments.WatchPayment, request, user_token=member.token
        )
        try:
            async for response in call:
                yield response.payment
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            call.cancel()

    async def is_ready(self) -> bool:
        """Whether the payments service serves."""
        return await self._channel.serves(_MEMBERSHIPS_SERVICE)

    async def _ask_gateway(
        self, method: Callable[..., Any], request: Any, member: Member
    ) -> Payment:
        response = await self._call(method, request, member, self._gateway_timeout)
        payment: Payment = response.payment
        return payment

    async def _call(
        self,
        method: Callable[..., Any],
        request: Any,
        member: Member | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - gRPC enforces it
    ) -> Any:
        try:
            return await self._channel.call(
                method,
                request,
                timeout=timeout or self._timeout,
                user_token=member.token if member else None,
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
