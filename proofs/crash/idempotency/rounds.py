"""One request to create a payment, sent many times at once over both servers, round after round."""

import asyncio
import uuid
from dataclasses import dataclass, field
from typing import Any

import grpc

from kit.errors import ErrorCode
from proofs.crash.gateways import messages as m
from proofs.crash.idempotency.servers import Twins
from protos.common.v1 import customer_pb2
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_MONTHLY
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_CARD
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import PAYMENT_STATUS_COMPLETED

_CREATE = "/payments.v1.PaymentsService/CreatePayment"
_DEADLINE_SECONDS = 30.0
_PATIENCE_SECONDS = 90.0
_AGAIN_SECONDS = 0.02
_COUNTS = """
SELECT
    (SELECT count(*) FROM creators_membership WHERE user_id = $1) AS payments,
    (SELECT count(*) FROM payment_attempts a JOIN creators_membership p ON p.id = a.payment_id
        WHERE p.user_id = $1) AS attempts,
    (SELECT count(*) FROM captures c JOIN creators_membership p ON p.id = c.payment_id
        WHERE p.user_id = $1) AS captures,
    (SELECT count(*) FROM outbox o JOIN creators_membership p ON p.id = o.payment_id
        WHERE p.user_id = $1) AS facts
"""
_ONE_OF_EACH = {"payments": 1, "attempts": 1, "captures": 1, "facts": 1}


@dataclass(slots=True, kw_only=True)
class Score:
    """What came of the rounds. `sent`: requests, `repeated`: of them because told to come again."""

    rounds: int = 0
    sent: int = 0
    repeated: int = 0
    wrong: list[str] = field(default_factory=list)


async def play(twins: Twins, rounds: int, at_once: int) -> Score:
    """Play so many rounds, and say what was not exactly once."""
    score = Score()
    for _ in range(rounds):
        await _round(twins, at_once, score)
        score.rounds += 1
    score.wrong += twins.books.wrong
    return score


def card_request(member: str, key: str) -> pb.CreatePaymentRequest:
    """Return a request for a month of "pro" by card."""
    return pb.CreatePaymentRequest(
        user_id=member,
        tier="pro",
        billing_cycle=BILLING_CYCLE_MONTHLY,
        payment_method=PAYMENT_METHOD_CARD,
        currency_code="UGX",
        customer=customer_pb2.Customer(
            email=f"{member}@example.com",
            name="Amina Okello",
            phone_number="+256772123456",
            country_code="UG",
        ),
        return_url="http://127.0.0.1:8080/return?order=7",
        idempotency_key=key,
    )


async def _round(twins: Twins, at_once: int, score: Score) -> None:
    member = f"member-{uuid.uuid4().hex}"
    request = card_request(member, uuid.uuid4().hex).SerializeToString()
    answers = await asyncio.gather(
        *(_create(twins, number, request, score) for number in range(at_once))
    )
    if len(set(answers)) != 1:
        score.wrong.append(f"{member}: {len(set(answers))} different answers")
    charges = [each for each in twins.books.charges.values() if each.payer.startswith(member)]
    if len(charges) != 1:
        score.wrong.append(f"{member}: {len(charges)} charges at the gateways")
    payment = pb.CreatePaymentResponse.FromString(answers[0]).payment
    await _complete(twins, payment.payment_id, payment.next_action.redirect_url, score)
    counts = dict(await twins.owner.fetchrow(_COUNTS, member))
    if counts != _ONE_OF_EACH:
        score.wrong.append(f"{member}: {counts}")


async def _create(twins: Twins, number: int, request: bytes, score: Score) -> bytes:
    """Send the request to one of the servers until it is answered; return the answer's bytes."""
    channel = twins.channels[number % len(twins.channels)]
    call: Any = channel.unary_unary(_CREATE)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            score.sent += 1
            try:
                answer: bytes = await call(
                    request, metadata=twins.metadata, timeout=_DEADLINE_SECONDS
                )
            except grpc.aio.AioRpcError as error:
                if error.code().name not in (ErrorCode.ABORTED, ErrorCode.UNAVAILABLE):
                    raise
                score.repeated += 1
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                return answer


async def _complete(twins: Twins, payment_id: str, link: str, score: Score) -> None:
    """Pay, and have both servers verify it at the same moment."""
    for ask in (m.PageShown(link), m.PayersPay()):
        twins.books.handle(m.Letter(at=twins.books.now, ask=ask))
    request = pb.VerifyPaymentRequest(payment_id=payment_id)
    replies = await asyncio.gather(
        *(
            twins.stub(number).VerifyPayment(
                request, metadata=twins.metadata, timeout=_DEADLINE_SECONDS
            )
            for number in range(len(twins.channels))
        )
    )
    for reply in replies:
        if reply.payment.status != PAYMENT_STATUS_COMPLETED:
            score.wrong.append(f"{payment_id} is {reply.payment.status} after it was paid")
