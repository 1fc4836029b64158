"""PaymentsService."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from typing import Any

from kit.errors import FieldViolation
from kit.money import Money
from kit.request_scope import current_scope
from kit.return_urls import may_return_to
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_MOBILE_MONEY
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceServicer
from services.payments import validation as v
from services.payments.domain.payment import Customer, Payment
from services.payments.domain.refunds import Refund
from services.payments.domain.states import RESTING_STATUSES
from services.payments.mapping import (
    CYCLES,
    METHODS,
    METHODS_TO_PROTO,
    STATUSES,
    attempt_summary,
    datetime_of,
    journal_message,
    payment_message,
    refund_message,
    timeline_entry,
)
from services.payments.operations.cancel_payment import CancelPaymentCommand, cancel_payment
from services.payments.operations.create_payment import CreatePaymentCommand, create_payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.read_payments import (
    explain_payment,
    get_payment,
    list_payments,
)
from services.payments.operations.refund_payment import (
    RefundPaymentCommand,
    get_refund,
    list_refunds,
    refund_payment,
)
from services.payments.operations.retry_payment import RetryPaymentCommand, retry_payment
from services.payments.operations.submit_action import SubmitActionCommand, submit_action
from services.payments.operations.verify_payment import verify_payment
from services.payments.page_tokens import (
    after_of,
    keyset_of,
    next_page_token,
    page_size,
    page_token,
)
from services.payments.ports import After, PaymentFeed, PaymentFilter


class PaymentsServicer(PaymentsServiceServicer):
    """Serves payments.v1.PaymentsService; every call is documented in its proto.

    `return_url`: where hosted pages return to when a request names no address. `https_only`:
    whether such addresses must be https. `return_origins`: where they may be; empty for anywhere.
    """

    def __init__(
        self,
        deps: Dependencies,
        feed: PaymentFeed,
        return_url: str,
        *,
        https_only: bool,
        return_origins: frozenset[str] = frozenset(),
    ) -> None:
        self._deps = deps
        self._feed = feed
        self._return_url = return_url
        self._https_only = https_only
        self._return_origins = return_origins

    async def CreatePayment(self, request: pb.CreatePaymentRequest, _context: Any) -> Any:
        """Price, record, charge."""
        together = _violations_together(request)
        elsewhere = self._wrong_return_url(request.return_url)
        v.check(request, *_CREATE_FIELDS, further=[*together, *elsewhere])
        v.require_own(request.user_id)
        command = _create_command(request, self._return_url)
        payment = await create_payment(self._deps, command)
        return pb.CreatePaymentResponse(payment=payment_message(payment))

    async def GetPayment(self, request: pb.GetPaymentRequest, _context: Any) -> Any:
        """Read one payment."""
        v.check(request, v.PAYMENT_ID)
        payment = await get_payment(self._deps, v.payment_id(request.payment_id))
        return pb.GetPaymentResponse(payment=payment_message(payment))

    async def ListPayments(self, request: pb.ListPaymentsRequest, _context: Any) -> Any:
        """Read a page of payments."""
        v.check(request, *_LIST_FIELDS)
        wanted, size = _filter(request), page_size(request.page_size)
        before = keyset_of(request.page_token, wanted)
        found = await list_payments(self._deps, replace(wanted, before=before), size + 1)
        page, more = found[:size], len(found) > size
        return pb.ListPaymentsResponse(
            payments=[payment_message(payment) for payment in page],
            next_page_token=next_page_token(page[-1], wanted) if more else "",
        )

    async def WatchPayment(
        self, request: pb.WatchPaymentRequest, _context: Any
    ) -> AsyncIterator[pb.WatchPaymentResponse]:
        """Stream a payment until nothing more happens to it by itself."""
        v.check(request, v.PAYMENT_ID)
        payment_id, seen = v.payment_id(request.payment_id), request.after_version
        async with self._feed.changes(payment_id) as changes:
            async for _ in changes:
                payment = await get_payment(self._deps, payment_id)
                if payment.version > seen:
                    seen = payment.version
                    yield pb.WatchPaymentResponse(payment=payment_message(payment))
                if payment.status in RESTING_STATUSES:
                    return

    async def VerifyPayment(self, request: pb.VerifyPaymentRequest, _context: Any) -> Any:
        """Ask the gateway now."""
        v.check(request, v.PAYMENT_ID)
        payment = await get_payment(self._deps, v.payment_id(request.payment_id))
        verified = await verify_payment(self._deps, payment)
        return pb.VerifyPaymentResponse(payment=payment_message(verified))

    async def CancelPayment(self, request: pb.CancelPaymentRequest, _context: Any) -> Any:
        """Withdraw an open payment."""
        v.check(request, v.PAYMENT_ID, v.IDEMPOTENCY_KEY)
        payment = await get_payment(self._deps, v.payment_id(request.payment_id))
        command = CancelPaymentCommand(
            payment_id=payment.id, idempotency_key=request.idempotency_key
        )
        cancelled = await cancel_payment(self._deps, payment, command)
        return pb.CancelPaymentResponse(payment=payment_message(cancelled))

    async def ExplainPayment(self, request: pb.ExplainPaymentRequest, _context: Any) -> Any:
        """Tell the whole story of a payment."""
        v.check(request, v.PAYMENT_ID)
        story = await explain_payment(self._deps, v.payment_id(request.payment_id))
        return pb.ExplainPaymentResponse(
            payment=payment_message(story.payment),
            timeline=[timeline_entry(entry) for entry in story.history],
            attempts=[attempt_summary(attempt) for attempt in story.attempts],
            refunds=[refund_message(refund) for refund in story.refunds],
            journal=[journal_message(entry) for entry in story.journal],
        )

    async def SubmitPaymentAction(
        self, request: pb.SubmitPaymentActionRequest, _context: Any
    ) -> Any:
        """Hand in a one-time password."""
        v.check(request, v.PAYMENT_ID, v.OTP, v.IDEMPOTENCY_KEY)
        payment = await get_payment(self._deps, v.uuid_of(request.payment_id))
        command = SubmitActionCommand(
            payment_id=payment.id, otp=request.otp, idempotency_key=request.idempotency_key
        )
        submitted = await submit_action(self._deps, payment, command)
        return pb.SubmitPaymentActionResponse(payment=payment_message(submitted))

    async def RetryPayment(self, request: pb.RetryPaymentRequest, _context: Any) -> Any:
        """Start a new attempt."""
        payment = await self._retried(request)
        command = RetryPaymentCommand(
            payment_id=payment.id,
            idempotency_key=request.idempotency_key,
            payment_method=METHODS.get(request.payment_method),
            payment_option=request.payment_option,
            mobile_money_network=request.mobile_money_network,
            phone_number=request.phone_number,
            country_code=request.country_code,
        )
        retried = await retry_payment(self._deps, payment, command)
        return pb.RetryPaymentResponse(payment=payment_message(retried))

    async def RefundPayment(self, request: pb.RefundPaymentRequest, _context: Any) -> Any:
        """Send money back."""
        v.check(request, v.PAYMENT_ID, v.AMOUNT, v.REASON, v.IDEMPOTENCY_KEY)
        v.require_no_member()
        payment = await get_payment(self._deps, v.uuid_of(request.payment_id))
        asked = request.amount if request.HasField("amount") else None
        command = RefundPaymentCommand(
            payment_id=payment.id,
            amount=Money(asked.currency_code, asked.amount_minor) if asked else None,
            reason=request.reason,
            idempotency_key=request.idempotency_key,
        )
        refund = await refund_payment(self._deps, payment, command)
        return pb.RefundPaymentResponse(refund=refund_message(refund))

    async def GetRefund(self, request: pb.GetRefundRequest, _context: Any) -> Any:
        """Read one refund."""
        v.check(request, v.REFUND_ID)
        refund = await get_refund(self._deps, v.uuid_of(request.refund_id))
        return pb.GetRefundResponse(refund=refund_message(refund))

    async def ListRefunds(self, request: pb.ListRefundsRequest, _context: Any) -> Any:
        """Read a page of a payment's refunds."""
        v.check(request, v.PAYMENT_ID, v.PAGE_TOKEN)
        payment = await get_payment(self._deps, v.uuid_of(request.payment_id))
        filters, size = ("refunds", str(payment.id)), page_size(request.page_size)
        after = after_of(request.page_token, filters)
        refunds = await list_refunds(self._deps, payment)
        rest = [each for each in refunds if after is None or comes_after(after, each)]
        last = rest[size - 1] if len(rest) > size else None
        return pb.ListRefundsResponse(
            refunds=[refund_message(refund) for refund in rest[:size]],
            next_page_token=page_token(last.created_at, last.id, filters) if last else "",
        )

    def _wrong_return_url(self, url: str) -> Iterable[FieldViolation]:
        if self._https_only and url.lower().startswith("http:"):
            yield FieldViolation("return_url", "must be https")
        elif url and self._return_origins and not may_return_to(url, self._return_origins):
            yield FieldViolation("return_url", "must be a plain address of an allowed origin")

    async def _retried(self, request: pb.RetryPaymentRequest) -> Payment:
        """Return the payment of a checked request for a new attempt."""
        v.check(request, *_RETRY_FIELDS)
        payment = await get_payment(self._deps, v.uuid_of(request.payment_id))
        v.check(request, further=_retry_violations(request, payment))
        return payment


_CREATE_FIELDS = (
    v.USER_ID,
    v.TIER,
    v.BILLING_CYCLE,
    v.METHOD,
    v.CURRENCY,
    *v.CUSTOMER,
    v.RETURN_URL,
    v.IDEMPOTENCY_KEY,
    v.PAYMENT_OPTION,
    v.NETWORK,
)
_RETRY_FIELDS = (
    v.PAYMENT_ID,
    v.IDEMPOTENCY_KEY,
    v.Field("payment_method", (v.one_of(METHODS, "is not a payment method"),)),
    v.PAYMENT_OPTION,
    v.NETWORK,
    *v.PAYER,
)
_LIST_FIELDS = (
    v.Field("user_id", (v.at_most(100), v.plain)),
    v.Field("gateway", (v.at_most(40), v.plain)),
    v.Field("status", (v.one_of(STATUSES, "is not a payment status"),)),
    v.Field("created_after", (v.in_range,)),
    v.Field("created_before", (v.in_range,)),
    v.Field("page_token", (v.at_most(500),)),
)


def _violations_together(request: pb.CreatePaymentRequest) -> list[FieldViolation]:
    """Return which fields do not go with each other."""
    customer = request.customer
    violations: list[FieldViolation] = []
    if request.payment_method == PAYMENT_METHOD_MOBILE_MONEY:
        violations += _missing(
            ("customer.phone_number", customer.phone_number),
            ("customer.country_code", customer.country_code),
        )
    mismatch = v.phone_in_country(customer.phone_number, customer.country_code)
    if mismatch and request.payment_method == PAYMENT_METHOD_MOBILE_MONEY:
        violations.append(FieldViolation("customer.phone_number", mismatch))
    return violations


def _retry_violations(request: pb.RetryPaymentRequest, payment: Payment) -> list[FieldViolation]:
    """Return what a new attempt lacks, with what is known of the payer."""
    violations: list[FieldViolation] = []
    narrowed = request.payment_option or request.mobile_money_network
    if narrowed and not request.payment_method:
        violations.append(FieldViolation("payment_method", "is required to narrow it"))
    known = payment.purchase.customer
    method = request.payment_method or METHODS_TO_PROTO[payment.purchase.payment_method]
    if method != PAYMENT_METHOD_MOBILE_MONEY:
        return violations
    phone = request.phone_number or known.phone_number
    country = request.country_code or known.country_code
    violations += _missing(("phone_number", phone), ("country_code", country))
    mismatch = v.phone_in_country(phone, country)
    if mismatch:
        violations.append(FieldViolation("phone_number", mismatch))
    return violations


def comes_after(after: After, refund: Refund) -> bool:
    """Whether a refund comes later in a list that shows the newest first."""
    return (refund.created_at, refund.id) < (after.at, after.id)


def _missing(*fields: tuple[str, str]) -> Iterable[FieldViolation]:
    return [
        FieldViolation(path, "is required for mobile money") for path, value in fields if not value
    ]


def _create_command(
    request: pb.CreatePaymentRequest, default_return_url: str
) -> CreatePaymentCommand:
    return CreatePaymentCommand(
        user_id=request.user_id,
        tier=request.tier,
        billing_cycle=CYCLES[request.billing_cycle],
        payment_method=METHODS[request.payment_method],
        currency=request.currency_code,
        customer=Customer(
            email=request.customer.email,
            name=request.customer.name,
            phone_number=request.customer.phone_number,
            country_code=request.customer.country_code,
        ),
        return_url=request.return_url or default_return_url,
        idempotency_key=request.idempotency_key,
        payment_option=request.payment_option,
        mobile_money_network=request.mobile_money_network,
    )


def _filter(request: pb.ListPaymentsRequest) -> PaymentFilter:
    """Return the filter of a list: a member sees only their own payments."""
    member = current_scope().user_id
    if request.user_id:
        v.require_own(request.user_id)
    created_from = request.HasField("created_after") and datetime_of(request.created_after)
    created_before = request.HasField("created_before") and datetime_of(request.created_before)
    return PaymentFilter(
        user_id=request.user_id or member,
        status=STATUSES.get(request.status),
        gateway=request.gateway or None,
        created_from=created_from or None,
        created_before=created_before or None,
    )
