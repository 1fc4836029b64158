"""The whole stack with its sandboxes: parts of it are killed at random while members pay."""

import asyncio
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

import grpc
import httpx

from protos.payments.v1.payment_pb2 import (
    PAYMENT_STATUS_COMPLETED,
    PAYMENT_STATUS_FAILED,
    PAYMENT_STATUS_PROCESSING,
    Payment,
    PaymentStatus,
)
from protos.payments.v1.payments_service_pb2 import CreatePaymentRequest
from tests.acceptance.stack import Stack, card_request, phone_request, running_stack

_PARTS = (
    "payments-server",
    "payments-worker",
    "flutterwave-adapter",
    "eversend-adapter",
    "webhook-receiver",
    "postgres",
)
_AGAIN = frozenset(
    {
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNAVAILABLE,
    }
)
_AGAIN_SECONDS, _LOOK_SECONDS = 0.2, 0.3
_PATIENCE_SECONDS = 120.0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.3, 1.5
_ARRIVE_WITHIN_SECONDS = 15.0
_BY_CARD = 0.5
_SCHEDULED = """
SELECT FROM payment_attempts
WHERE payment_id = $1 AND outcome IN ('sending', 'live', 'unknown') AND next_check_at IS NOT NULL
"""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What became of a run. `kills`: by part. `broken`: what must not be."""

    kills: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


async def run_with_kills(payments: int, kills: int, seed: int) -> Outcome:
    """Have members pay while so many parts of the stack are killed; then judge each payment."""
    chance = random.Random(seed)  # noqa: S311 - a run to be repeated, no secret
    outcome = Outcome()
    async with running_stack() as stack:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_kill(stack, kills, chance, outcome))
            members = [
                tasks.create_task(_pay(stack, _request(number, chance), chance.random()))
                for number in range(payments)
            ]
        for member in members:
            request, payment_id = member.result()
            await _judge(stack, request, payment_id, outcome)
    return outcome


async def _kill(stack: Stack, kills: int, chance: random.Random, outcome: Outcome) -> None:
    while outcome.kills.total() < kills:
        await asyncio.sleep(chance.uniform(_SHORTEST_PAUSE, _LONGEST_PAUSE))
        part = chance.choice(_PARTS)
        # One that is just starting again has no process.
        with suppress(ProcessLookupError, FileNotFoundError, ValueError):
            os.kill(stack.pid(part), signal.SIGKILL)
            outcome.kills[part] += 1


def _request(number: int, chance: random.Random) -> CreatePaymentRequest:
    by_card = chance.random() < _BY_CARD
    return card_request() if by_card else phone_request(f"+2567725{number:05d}")


async def _pay(
    stack: Stack, request: CreatePaymentRequest, when: float
) -> tuple[CreatePaymentRequest, str]:
    """Create a payment and pay it, whatever breaks; return its identifier."""
    await asyncio.sleep(when * _ARRIVE_WITHIN_SECONDS)
    payment = await _created(stack, request)
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not _is_over(payment):
                if payment.status == PAYMENT_STATUS_PROCESSING:
                    await _approve(stack, payment)
                await asyncio.sleep(_LOOK_SECONDS)
                with suppress(grpc.aio.AioRpcError):
                    payment = await stack.get(payment.payment_id)
    return request, payment.payment_id


async def _created(stack: Stack, request: CreatePaymentRequest) -> Payment:
    """Send the request with its key until it is answered."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            try:
                return await stack.create(request, 20)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _AGAIN:
                    raise
            await asyncio.sleep(_AGAIN_SECONDS)


async def _approve(stack: Stack, payment: Payment) -> None:
    """Have the payer pay at the gateway that the payment is at; it may not know it yet."""
    path = f"/transactions/{payment.gateway_reference}/complete"
    with suppress(httpx.HTTPError):
        await stack.control(payment.gateway, "POST", path, {})


def _is_over(payment: Payment) -> bool:
    return payment.status in (PAYMENT_STATUS_COMPLETED, PAYMENT_STATUS_FAILED)


async def _judge(
    stack: Stack, request: CreatePaymentRequest, payment_id: str, outcome: Outcome
) -> None:
    """Compare a payment with what the gateways took and with what the member has.

    One may still wait for proof that a prompt whose reply was lost took nothing: no money then, and
    a time at which the gateway is asked again.
    """
    payment = await stack.get(payment_id)
    status = PaymentStatus.Name(payment.status)
    outcome.statuses[status] += 1
    charges = await stack.kept_charges(payment_id)
    tier = (await stack.membership(request.user_id)).tier
    paid = payment.status == PAYMENT_STATUS_COMPLETED
    if (charges, tier) != (int(paid), "pro" if paid else "free"):
        outcome.broken.append(f"payment {payment_id} is {status}, {charges} charges, {tier}")
    if not _is_over(payment) and not await stack.rows(_SCHEDULED, payment_id):
        outcome.broken.append(f"STUCK: payment {payment_id} is {status} and nothing is due")
