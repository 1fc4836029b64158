"""Members who pay while the database comes and goes, and what they were told."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar
from uuid import UUID

from kit.errors import ErrorCode, ServiceError
from kit.request_scope import RequestScope, enter_scope, new_request_id
from proofs.crash.gateways import messages as m
from proofs.crash.gateways.remote import DirectPost
from services.payments.domain.events import Delivery
from services.payments.domain.payment import (
    ActionKind,
    BillingCycle,
    Customer,
    Payment,
    PaymentMethod,
)
from services.payments.domain.states import OPEN_STATUSES
from services.payments.operations.create_payment import CreatePaymentCommand, create_payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.read_payments import get_payment
from services.payments.operations.record_gateway_event import record_gateway_event

ResultT = TypeVar("ResultT")

_AGAIN = frozenset({ErrorCode.ABORTED, ErrorCode.UNAVAILABLE})
_AGAIN_SECONDS = 0.2
_LOOKS, _LOOK_SECONDS = 60, 0.5
_DECLINE, _LOSE_CALLBACK, _BY_PHONE = 0.1, 0.1, 0.3


@dataclass(slots=True, kw_only=True)
class Told:
    """What was acknowledged, and may never be lost. `errors`: answers that said to try again."""

    payments: list[UUID] = field(default_factory=list)
    events: list[UUID] = field(default_factory=list)
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Everybody who pays. `chance`: decides who pays how, and who declines."""

    deps: Dependencies
    post: DirectPost
    told: Told
    chance: random.Random

    async def pay_all(self, payments: int, at_once: int) -> None:
        """Have so many members pay, at most `at_once` at the same time."""
        numbers = iter(range(payments))

        async def some() -> None:
            for number in numbers:
                await self._pay(f"member-{number}")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(some())

    async def _pay(self, member: str) -> None:
        enter_scope(RequestScope(request_id=new_request_id(), caller="bff"))
        by_phone = self.chance.random() < _BY_PHONE
        command = CreatePaymentCommand(
            user_id=member,
            tier="pro",
            billing_cycle=BillingCycle.MONTHLY,
            payment_method=PaymentMethod.MOBILE_MONEY if by_phone else PaymentMethod.CARD,
            currency="UGX",
            customer=Customer(
                email=f"{member}@example.com", phone_number="+256772123456", country_code="UG"
            ),
            return_url="https://creators.example/return",
            idempotency_key=f"{member}-key",
        )
        payment = await self._insist(lambda: create_payment(self.deps, command))
        self.told.payments.append(payment.id)
        payment = await self._next_step(payment)
        if payment.next_action.kind is ActionKind.REDIRECT:
            await self.post.send(m.PageShown(payment.next_action.value), type(None))
        payer = command.customer.email
        declines = self.chance.random() < _DECLINE
        await self.post.send(m.PayersDecline(payer) if declines else m.PayersPay(payer), type(None))
        if self.chance.random() >= _LOSE_CALLBACK:
            await self._call_back(payment)

    async def _next_step(self, payment: Payment) -> Payment:
        """Look at the payment until it says what to do next; return it."""
        for _ in range(_LOOKS):
            waits = payment.next_action.kind is ActionKind.NONE
            if not waits or payment.status not in OPEN_STATUSES:
                break
            await asyncio.sleep(_LOOK_SECONDS)
            payment = await self._insist(partial(get_payment, self.deps, payment.id))
        return payment

    async def _call_back(self, payment: Payment) -> None:
        """Deliver a callback until it is acknowledged, as gateways do."""
        delivery = Delivery(
            gateway=payment.gateway,
            event_key=f"charge-{payment.gateway_reference}",
            event_type="charge.completed",
            reference=payment.gateway_reference,
            gateway_transaction_id="",
            raw_body=b"{}",
            headers={},
            received_at=self.deps.clock.now(),
        )
        event_id, _ = await self._insist(lambda: record_gateway_event(self.deps, delivery))
        self.told.events.append(event_id)

    async def _insist(self, ask: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Ask with the same key for as long as we are told to try again."""
        while True:
            try:
                return await ask()
            except ServiceError as error:
                if error.code not in _AGAIN:
                    raise
                self.told.errors += 1
            await asyncio.sleep(_AGAIN_SECONDS)
