"""Staff: they refund, decide about held money, and try failed refunds again."""

from uuid import UUID

from kit.money import Money
from proofs.simulation.asking import Asking
from services.payments.domain.refunds import Refund
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.read_payments import get_payment
from services.payments.operations.read_queues import QueuePage, Review, failed_refunds, reviews
from services.payments.operations.refund_payment import (
    RefundPaymentCommand,
    RetryRefundCommand,
    refund_payment,
    retry_refund,
)
from services.payments.operations.resolve_review import (
    ResolveReviewCommand,
    ReviewDecision,
    resolve_review,
)

_STAFF = "staff"
_VISITS = 3
_MOST_BETWEEN_VISITS = 3600.0
_PART = Money("UGX", 5_000)


class Staff:
    """Works through what waits for people, now and then."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self._nature = asking.nature

    async def run(self) -> None:
        """Look at the queues a few times."""
        for _ in range(_VISITS):
            await self._nature.loop.passed(self._nature.chance.between(60.0, _MOST_BETWEEN_VISITS))
            await self._decide()
            await self._try_again()

    async def refund(self, payment_id: UUID) -> None:
        """Refund a payment, or a part of it."""
        key = self._asking.new_key()
        amount = _PART if self._nature.chance.hits(0.4) else None

        async def request(deps: Dependencies) -> Refund:
            payment = await get_payment(deps, payment_id)
            command = RefundPaymentCommand(
                payment_id=payment_id, amount=amount, reason="asked for", idempotency_key=key
            )
            return await refund_payment(deps, payment, command)

        what = f"refunds {amount or 'all'} of {payment_id} with {key}"
        await self._asking.ask(_STAFF, what, request)

    async def _decide(self) -> None:
        async def read(deps: Dependencies) -> QueuePage[Review]:
            return await reviews(deps, None, 1)

        page = await self._asking.ask(_STAFF, "looks at what is held", read)
        for review in page.rows if page else ():
            key = self._asking.new_key()
            command = ResolveReviewCommand(
                payment_id=review.payment.id,
                decision=self._nature.chance.pick(tuple(ReviewDecision)),
                reason="looked at it",
                idempotency_key=key,
            )

            async def resolve(
                deps: Dependencies, command: ResolveReviewCommand = command
            ) -> object:
                payment = await get_payment(deps, command.payment_id)
                return await resolve_review(deps, payment, command)

            await self._asking.ask(_STAFF, f"decides: {command.decision} with {key}", resolve)

    async def _try_again(self) -> None:
        async def read(deps: Dependencies) -> QueuePage[Refund]:
            return await failed_refunds(deps, None, 1)

        page = await self._asking.ask(_STAFF, "looks at failed refunds", read)
        for refund in page.rows if page else ():
            key = self._asking.new_key()
            command = RetryRefundCommand(refund_id=refund.id, idempotency_key=key)

            async def retry(deps: Dependencies, command: RetryRefundCommand = command) -> Refund:
                return await retry_refund(deps, command)

            await self._asking.ask(_STAFF, f"refunds {refund.id} again with {key}", retry)
