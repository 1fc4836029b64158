"""OperationsService: what staff use to see and to repair."""

from typing import Any

from kit.errors import NotYetOfferedError
from protos.operations.v1 import operations_service_pb2 as pb
from protos.operations.v1.operations_service_pb2_grpc import OperationsServiceServicer
from services.payments import validation as v
from services.payments.mapping import money, refund_message, timestamp
from services.payments.operations.attribute_event import AttributeEventCommand, attribute_event
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.read_payments import get_payment
from services.payments.operations.read_queues import (
    Review,
    failed_refunds,
    reviews,
    unattributed_events,
)
from services.payments.operations.refund_payment import RetryRefundCommand, retry_refund
from services.payments.operations.resolve_review import (
    ResolveReviewCommand,
    ReviewDecision,
    resolve_review,
)
from services.payments.page_tokens import after_of, page_size, page_token
from services.payments.servicers import reconciliation
from services.payments.servicers.event_log import (
    event_message,
    list_gateway_events,
    replay_gateway_events,
)

_DECISIONS = {
    pb.REVIEW_DECISION_GRANT: ReviewDecision.GRANT,
    pb.REVIEW_DECISION_REFUND: ReviewDecision.REFUND,
}
_DECISION = v.Field(
    "decision", (v.chosen(_DECISIONS, "must be REVIEW_DECISION_GRANT or REVIEW_DECISION_REFUND"),)
)


class OperationsServicer(OperationsServiceServicer):
    """Serves operations.v1.OperationsService; every call is documented in its proto."""

    def __init__(self, deps: Dependencies) -> None:
        self._deps = deps

    async def ListUnattributedEvents(
        self, request: pb.ListUnattributedEventsRequest, _context: Any
    ) -> Any:
        """Read callbacks that match no payment."""
        v.check(request, v.PAGE_TOKEN)
        size, after = page_size(request.page_size), after_of(request.page_token, "unattributed")
        page = await unattributed_events(self._deps, after, size + 1)
        last = page.rows[size - 1] if len(page.rows) > size else None
        return pb.ListUnattributedEventsResponse(
            gateway_events=[event_message(event) for event in page.rows[:size]],
            next_page_token=page_token(last.received_at, last.id, "unattributed") if last else "",
            total_count=page.total,
        )

    async def AttributeEvent(self, request: pb.AttributeEventRequest, _context: Any) -> Any:
        """Give a callback to a payment."""
        v.check(request, v.EVENT_ID, v.PAYMENT_ID, v.IDEMPOTENCY_KEY)
        payment = await get_payment(self._deps, v.uuid_of(request.payment_id))
        command = AttributeEventCommand(
            event_id=v.uuid_of(request.gateway_event_id),
            payment_id=payment.id,
            idempotency_key=request.idempotency_key,
        )
        event = await attribute_event(self._deps, payment, command)
        message = event_message(event)
        message.payment_id = str(payment.id)
        return pb.AttributeEventResponse(gateway_event=message)

    async def ListReviews(self, request: pb.ListReviewsRequest, _context: Any) -> Any:
        """Read money that waits for a decision."""
        v.check(request, v.PAGE_TOKEN)
        size, after = page_size(request.page_size), after_of(request.page_token, "reviews")
        page = await reviews(self._deps, after, size + 1)
        last = page.rows[size - 1].capture if len(page.rows) > size else None
        return pb.ListReviewsResponse(
            reviews=[_review_message(review) for review in page.rows[:size]],
            next_page_token=page_token(last.captured_at, last.id, "reviews") if last else "",
            total_count=page.total,
        )

    async def ResolveReview(self, request: pb.ResolveReviewRequest, _context: Any) -> Any:
        """Decide about held money."""
        v.check(request, v.PAYMENT_ID, _DECISION, v.REASON, v.IDEMPOTENCY_KEY)
        payment = await get_payment(self._deps, v.uuid_of(request.payment_id))
        command = ResolveReviewCommand(
            payment_id=payment.id,
            decision=_DECISIONS[request.decision],
            reason=request.reason,
            idempotency_key=request.idempotency_key,
        )
        resolved = await resolve_review(self._deps, payment, command)
        return pb.ResolveReviewResponse(payment_status=resolved.status)

    async def ListFailedRefunds(self, request: pb.ListFailedRefundsRequest, _context: Any) -> Any:
        """Read refunds that failed."""
        v.check(request, v.PAGE_TOKEN)
        size, after = page_size(request.page_size), after_of(request.page_token, "failed_refunds")
        page = await failed_refunds(self._deps, after, size + 1)
        last = page.rows[size - 1] if len(page.rows) > size else None
        return pb.ListFailedRefundsResponse(
            refunds=[refund_message(refund) for refund in page.rows[:size]],
            next_page_token=page_token(last.created_at, last.id, "failed_refunds") if last else "",
            total_count=page.total,
        )

    async def RetryRefund(self, request: pb.RetryRefundRequest, _context: Any) -> Any:
        """Try a failed refund again."""
        v.check(request, v.REFUND_ID, v.IDEMPOTENCY_KEY)
        command = RetryRefundCommand(
            refund_id=v.uuid_of(request.refund_id), idempotency_key=request.idempotency_key
        )
        refund = await retry_refund(self._deps, command)
        return pb.RetryRefundResponse(refund=refund_message(refund))

    async def RunReconciliation(self, request: pb.RunReconciliationRequest, _context: Any) -> Any:
        """Compare our books with a gateway's record."""
        return await reconciliation.run(self._deps, request)

    async def ListReconciliationBreaks(
        self, request: pb.ListReconciliationBreaksRequest, _context: Any
    ) -> Any:
        """Read a page of breaks."""
        return await reconciliation.read(self._deps, request)

    async def ListGatewayEvents(self, request: pb.ListGatewayEventsRequest, _context: Any) -> Any:
        """Read a page of callbacks."""
        return await list_gateway_events(self._deps, request)

    async def ReplayGatewayEvents(
        self, request: pb.ReplayGatewayEventsRequest, _context: Any
    ) -> Any:
        """Handle callbacks again."""
        return await replay_gateway_events(self._deps, request)

    async def ListDisputes(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("ListDisputes")

    async def GetMetrics(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("GetMetrics")

    async def GetRevenueReport(self, _request: Any, _context: Any) -> Any:
        """Not offered yet."""
        raise NotYetOfferedError("GetRevenueReport")


def _review_message(review: Review) -> pb.Review:
    capture, payment = review.capture, review.payment
    return pb.Review(
        payment_id=str(payment.id),
        payment_status=payment.status,
        expected=money(payment.amount),
        received=money(capture.amount),
        reason=capture.held_because,
        gateway=capture.gateway,
        reference=review.attempt.reference,
        hold_time=timestamp(capture.captured_at),
    )
