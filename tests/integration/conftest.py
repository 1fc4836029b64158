"""The payments operations on real PostgreSQL, behind a real adapter and its sandbox."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from db.engine import DatabaseOptions, open_engine
from db.unit_of_work import PostgresStorage
from kit.ids import SystemIds
from kit.tasks import OwnedTasks
from services.payments.domain.attempts import Attempt
from services.payments.domain.payment import BillingCycle, Customer, Payment, PaymentMethod
from services.payments.domain.refunds import Refund
from services.payments.gateway_client import GatewayClient
from services.payments.operations.apply_gateway_event import check_due_attempt
from services.payments.operations.create_payment import CreatePaymentCommand, create_payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.send_refund import work_on_refund
from services.payments.ports import Routing
from services.payments.router import Router
from tests.adapters.cases import CASES, sandbox_of
from tests.adapters.rig import HastyClock, Sandbox, served
from tests.databases import Database


class Silence:
    """Wakes nobody: these tests do what is due themselves. Implements the port `Wakeups`."""

    def payment_changed(self, payment_id: UUID) -> None:
        """Wake nobody."""

    def event_recorded(self) -> None:
        """Wake nobody."""

    def attempt_due(self) -> None:
        """Wake nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A shop that takes cards through Flutterwave."""

    deps: Dependencies
    clock: HastyClock
    sandbox: Sandbox

    async def buy(self, key: str = "key-1") -> Payment:
        """Create a member's card payment."""
        command = CreatePaymentCommand(
            user_id="member-1",
            tier="pro",
            billing_cycle=BillingCycle.MONTHLY,
            payment_method=PaymentMethod.CARD,
            currency="NGN",
            customer=Customer(email="ada@example.com"),
            return_url="https://creators.example/return",
            idempotency_key=key,
        )
        return await create_payment(self.deps, command)

    async def attempts(self, payment: Payment) -> list[Attempt]:
        """Read a payment's attempts."""
        async with self.deps.storage.work() as work:
            return list(await work.attempts.of_payment(payment.id))

    async def work_off(self, payment: Payment) -> Payment:
        """Do what is due as the worker does, and return the payment afterwards."""
        async with self.deps.storage.work() as work:
            lease = self.clock.now() - self.clock.now()
            due = await work.attempts.claim_due(self.clock.now(), lease, 10)
        for attempt in due:
            await check_due_attempt(self.deps, attempt)
        async with self.deps.storage.work() as work:
            found = await work.payments.get(payment.id)
        assert found is not None
        return found

    async def work_on_refunds(self, payment: Payment) -> list[Refund]:
        """Send and look up what is due to go back, and return the payment's refunds afterwards."""
        async with self.deps.storage.work() as work:
            lease = self.clock.now() - self.clock.now()
            due = await work.refund_attempts.claim_due(self.clock.now(), lease, 10)
        for attempt in due:
            await work_on_refund(self.deps, attempt)
        async with self.deps.storage.work() as work:
            return list(await work.refunds.of_payment(payment.id))


@pytest.fixture
async def shop(database: Database) -> AsyncIterator[Shop]:
    """Open a shop without a past."""
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(sandbox_of("flutterwave"))
        control = await stack.enter_async_context(
            httpx.AsyncClient(base_url=running.control_url, trust_env=False)
        )
        sandbox = Sandbox(gateway_url=running.gateway_url, control=control)
        adapter = await stack.enter_async_context(served(CASES["flutterwave"], sandbox, {}))
        engine = open_engine(DatabaseOptions(url=database.app_url))
        stack.push_async_callback(engine.dispose)
        clock = HastyClock()
        gateways = GatewayClient({"flutterwave": adapter.channel}, clock)
        deps = Dependencies(
            storage=PostgresStorage(engine),
            gateways=gateways,
            router=Router(gateways, Routing()),
            clock=clock,
            ids=SystemIds(clock),
            wakeups=Silence(),
            tasks=OwnedTasks(),
            sender="tests",
        )
        yield Shop(deps=deps, clock=clock, sandbox=sandbox)
