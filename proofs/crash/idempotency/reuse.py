"""Another request under a key that was used: refused, whichever field is another."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import Message

from kit.status import from_rpc_error
from proofs.crash.gateways import messages as m
from proofs.crash.idempotency.fields import changed
from proofs.crash.idempotency.rounds import card_request
from proofs.crash.idempotency.servers import Twins
from protos.common.v1 import money_pb2
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_CARD, PAYMENT_METHOD_MOBILE_MONEY
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import Payment

_DEADLINE_SECONDS = 30.0
_REFUSALS = frozenset({"IDEMPOTENCY_KEY_REUSED", "INVALID_REQUEST"})
# A key belongs to the member: the same one of another member is another key.
_PART_OF_THE_KEY = "user_id"


@dataclass(slots=True, kw_only=True)
class Refusals:
    """How often a method refused a changed request. `reused`: because of the key."""

    method: str
    fields: set[str] = field(default_factory=set)
    changes: int = 0
    reused: int = 0
    invalid: int = 0
    wrong: list[str] = field(default_factory=list)


class Reuse:
    """Uses each method once under a key, and then everything else under the same key."""

    def __init__(self, twins: Twins) -> None:
        self._twins = twins
        self._calls = 0

    async def try_all(self) -> list[Refusals]:
        """Try every method that takes a key from a caller."""
        methods: list[tuple[str, Callable[[], Awaitable[tuple[Message, dict[str, str]]]]]] = [
            ("CreatePayment", self._creation),
            ("RetryPayment", self._retry),
            ("RefundPayment", self._refund),
            ("SubmitPaymentAction", self._otp),
            ("CancelPayment", self._cancellation),
        ]
        return [await self._try_method(method, prepare) for method, prepare in methods]

    async def _try_method(
        self, method: str, prepare: Callable[[], Awaitable[tuple[Message, dict[str, str]]]]
    ) -> Refusals:
        request, more_values = await prepare()
        refusals = Refusals(method=method)
        first = await self._call(method, request)
        for path, other in changed(request, **more_values):
            refusals.changes += 1
            refusals.fields.add(path)
            await self._try_change(refusals, path, (other, first))
        again = await self._call(method, request)
        if again != first:
            refusals.wrong.append(f"{method}: the first request has another answer by now")
        return refusals

    async def _try_change(
        self, refusals: Refusals, path: str, requests: tuple[Message, Message]
    ) -> None:
        """Send one changed request under the key of the first, which had this answer."""
        other, first = requests
        try:
            answer = await self._call(refusals.method, other)
        except grpc.aio.AioRpcError as error:
            reason = from_rpc_error(error).reason
            refusals.reused += reason == "IDEMPOTENCY_KEY_REUSED"
            refusals.invalid += reason == "INVALID_REQUEST"
            if reason not in _REFUSALS:
                refusals.wrong.append(f"{refusals.method}.{path}: {reason}")
            return
        if path != _PART_OF_THE_KEY or answer == first:
            refusals.wrong.append(f"{refusals.method}.{path}: was not refused")

    async def _call(self, method: str, request: Message) -> Any:
        """Call one server, the next time the other."""
        self._calls += 1
        call = getattr(self._twins.stub(self._calls), method)
        return await call(request, metadata=self._twins.metadata, timeout=_DEADLINE_SECONDS)

    async def _create(self, member: str, **changes: Any) -> Payment:
        request = card_request(member, uuid.uuid4().hex)
        for name, value in changes.items():
            setattr(request, name, value)
        answer = await self._call("CreatePayment", request)
        payment: Payment = answer.payment
        if payment.next_action.redirect_url:
            self._tell(m.PageShown(payment.next_action.redirect_url))
        return payment

    def _tell(self, ask: m.Ask) -> None:
        self._twins.books.handle(m.Letter(at=self._twins.books.now, ask=ask))

    async def _verify(self, payment: Payment) -> None:
        await self._call("VerifyPayment", pb.VerifyPaymentRequest(payment_id=payment.payment_id))

    async def _creation(self) -> tuple[Message, dict[str, str]]:
        request = card_request(_member(), uuid.uuid4().hex)
        return request, {"user_id": _member()}

    async def _retry(self) -> tuple[Message, dict[str, str]]:
        member = _member()
        first, second = await self._create(member), await self._create(member, tier="studio")
        self._tell(m.PayersDecline())
        await self._verify(first)
        request = pb.RetryPaymentRequest(
            payment_id=first.payment_id,
            payment_method=PAYMENT_METHOD_CARD,
            idempotency_key=uuid.uuid4().hex,
        )
        return request, {"payment_id": second.payment_id}

    async def _refund(self) -> tuple[Message, dict[str, str]]:
        member = _member()
        first, second = await self._create(member), await self._create(member, tier="studio")
        self._tell(m.PayersPay())
        await self._verify(first)
        request = pb.RefundPaymentRequest(
            payment_id=first.payment_id,
            amount=money_pb2.Money(currency_code="UGX", amount_minor=1000),
            reason="asked for",
            idempotency_key=uuid.uuid4().hex,
        )
        return request, {"payment_id": second.payment_id, "reason": "asked for twice"}

    async def _otp(self) -> tuple[Message, dict[str, str]]:
        member = _member()
        phone = {"payment_method": PAYMENT_METHOD_MOBILE_MONEY}
        first = await self._create(member, **phone)
        second = await self._create(member, tier="studio", **phone)
        request = pb.SubmitPaymentActionRequest(
            payment_id=first.payment_id, otp="123456", idempotency_key=uuid.uuid4().hex
        )
        return request, {"payment_id": second.payment_id}

    async def _cancellation(self) -> tuple[Message, dict[str, str]]:
        member = _member()
        first, second = await self._create(member), await self._create(member, tier="studio")
        request = pb.CancelPaymentRequest(
            payment_id=first.payment_id, idempotency_key=uuid.uuid4().hex
        )
        return request, {"payment_id": second.payment_id}


def _member() -> str:
    return f"member-{uuid.uuid4().hex}"
