"""The reconciler against the gateways' sandboxes, through their adapters, over real sockets."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from db.unit_of_work import PostgresStorage
from gateway_sandboxes.flutterwave.settings import SANDBOX_KEY
from kit.ids import SystemIds
from kit.money import Money
from kit.tasks import OwnedTasks
from services.payments.domain.payment import Payment
from services.payments.domain.reconciliation import Period, RunResult
from services.payments.domain.states import PaymentStatus
from services.payments.gateway_client import GatewayClient
from services.payments.operations.check_attempt import check_attempt
from services.payments.operations.create_payment import create_payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.run_reconciliation import (
    RunReconciliationCommand,
    run_reconciliation,
)
from services.payments.router import Router
from tests.adapters.cases import CASES, sandbox_of
from tests.adapters.rig import HastyClock, Sandbox, served
from tests.operations.conftest import default_routing
from tests.operations.fakes import RecordingWakeups
from tests.operations.stories import refused
from tests.operations.suite import by_card, by_phone
from tests.reconciliation.listing import Books

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """The payments operations with one gateway behind them. `books`: reads their database."""

    gateway: str
    books: Books
    deps: Dependencies
    clock: HastyClock
    sandbox: Sandbox

    async def sell(self, user_id: str) -> Payment:
        """Let a member buy a month of "pro", and the gateway tell us."""
        payment = await self.open(user_id)
        await self.sandbox.tell(f"transactions/{payment.gateway_reference}/complete")
        attempt = await self.books.suite.newest_attempt(payment.id)
        return (await check_attempt(self.deps, attempt)).payment

    async def open(self, user_id: str) -> Payment:
        """Let a member open the hosted page."""
        way_to_pay = by_phone if self.gateway == "eversend" else by_card
        command = way_to_pay(user_id=user_id, idempotency_key=user_id)
        return await create_payment(self.deps, command)

    async def pass_time(self, seconds: float) -> None:
        """Let the same time pass here and at the gateway."""
        self.clock.advance(seconds)
        await self.sandbox.tell("clock", advance_seconds=seconds)

    async def run(self, key: str = "run-1") -> RunResult:
        """Reconcile the last hours."""
        now = self.clock.now()
        period = Period(start=now - 3 * _HOUR, end=now + _HOUR)
        command = RunReconciliationCommand(gateway=self.gateway, period=period, idempotency_key=key)
        return await run_reconciliation(self.deps, command)

    async def status(self, payment: Payment) -> PaymentStatus:
        return (await self.books.suite.payment(payment.id)).status

    async def balance(self, account: str) -> int:
        return await self.books.suite.balance(account)


@contextlib.asynccontextmanager
async def opened(gateway: str, books: Books, engine: AsyncEngine) -> AsyncIterator[Shop]:
    """Open a shop on a sandbox without a past."""
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(sandbox_of(gateway))
        control = httpx.AsyncClient(base_url=running.control_url, trust_env=False)
        await stack.enter_async_context(control)
        sandbox = Sandbox(gateway_url=running.gateway_url, control=control)
        adapter = await stack.enter_async_context(served(CASES[gateway], sandbox, {}))
        clock = HastyClock()
        gateways = GatewayClient({gateway: adapter.channel}, clock)
        deps = Dependencies(
            storage=PostgresStorage(engine),
            gateways=gateways,
            router=Router(gateways, default_routing()),
            clock=clock,
            ids=SystemIds(clock),
            wakeups=RecordingWakeups(),
            tasks=OwnedTasks(),
            sender="server",
        )
        suite = replace(books.suite, deps=deps)
        yield Shop(
            gateway=gateway,
            books=replace(books, suite=suite),
            deps=deps,
            clock=clock,
            sandbox=sandbox,
        )
        await deps.tasks.drain(5)


@pytest.fixture
async def shop(books: Books, engine: AsyncEngine) -> AsyncIterator[Shop]:
    """Sell through Flutterwave's hosted pages."""
    async with opened("flutterwave", books, engine) as shop:
        yield shop


@pytest.fixture
async def prompting(books: Books, engine: AsyncEngine) -> AsyncIterator[Shop]:
    """Sell through Eversend's prompts; it has no list of payouts."""
    async with opened("eversend", books, engine) as shop:
        yield shop


async def by_hand(shop: Shop, payment: Payment, amount: int) -> Any:
    """Refund a payment in the gateway's dashboard."""
    async with httpx.AsyncClient(base_url=shop.sandbox.gateway_url, trust_env=False) as api:
        (capture,) = await shop.books.suite.captures(payment.id)
        reply = await api.post(
            f"/v3/transactions/{capture.gateway_transaction_id}/refund",
            json={"amount": amount, "comments": "the member called us"},
            headers={"authorization": f"Bearer {SANDBOX_KEY}"},
        )
    return reply.raise_for_status().json()


async def test_a_day_of_sales_agrees_with_the_gateway_and_its_payout(shop: Shop) -> None:
    payments = [await shop.sell(f"member-{number}") for number in range(12)]
    assert {await shop.status(each) for each in payments} == {PaymentStatus.COMPLETED}
    first = await shop.run("run-1")
    assert (first.compared, first.breaks) == (12, 0)
    (owed,) = first.clearing
    assert owed.minor > 0

    await shop.sandbox.tell("settlements")
    second = await shop.run("run-2")
    assert second.breaks == 0
    assert [each.minor for each in second.clearing] == [0]
    assert await shop.balance("asset:bank") == owed.minor


async def test_a_payout_that_is_too_small_is_named_with_the_sum(shop: Shop) -> None:
    await shop.sell("member-1")
    await shop.sandbox.tell("settlements", short_by="250")
    result = await shop.run()
    (one,) = await shop.books.breaks()
    assert (one.kind, one.status, one.subject) == ("amount", "open", "settlement")
    assert one.summary.endswith("it differs by UGX -250")
    assert [each.minor for each in result.clearing] == [250]


async def test_money_that_we_never_heard_of_is_found_and_grants_the_tier(shop: Shop) -> None:
    payment = await shop.open("member-1")
    await shop.sandbox.tell(f"transactions/{payment.gateway_reference}/complete")
    assert await shop.status(payment) is PaymentStatus.PROCESSING
    await shop.run()
    assert await shop.books.found() == [("late", "healed")]
    assert await shop.status(payment) is PaymentStatus.COMPLETED


async def test_a_second_payment_on_one_page_is_found_and_goes_back(shop: Shop) -> None:
    await shop.sandbox.fault("second_success", seconds=5)
    payment = await shop.sell("member-1")
    await shop.pass_time(10)
    await shop.run()
    assert await shop.books.found() == [("duplicate", "healed")]
    assert [each.use for each in await shop.books.suite.captures(payment.id)] == ["kept", "surplus"]
    assert (await shop.run("run-2")).breaks == 0


async def test_a_refund_in_the_dashboard_is_put_on_record_once_it_arrived(shop: Shop) -> None:
    payment = await shop.sell("member-1")
    await by_hand(shop, payment, payment.amount.minor)
    await shop.run("run-1")
    assert await shop.books.found() == [("refunded_there", "open")]
    assert await shop.status(payment) is PaymentStatus.COMPLETED
    await shop.pass_time(3600)
    await shop.run("run-2")
    assert await shop.books.found() == [("refunded_there", "healed")]
    assert await shop.status(payment) is PaymentStatus.REFUNDED
    assert (await shop.books.suite.membership("member-1")).tier == "free"
    await shop.sandbox.tell("settlements")
    third = await shop.run("run-3")
    assert (third.breaks, [each.minor for each in third.clearing]) == (0, [0])


async def test_a_chargeback_takes_the_payment_with_it(shop: Shop) -> None:
    won, lost = await shop.sell("member-1"), await shop.sell("member-2")
    for payment in (won, lost):
        await shop.sandbox.tell(f"transactions/{payment.gateway_reference}/chargeback")
    await shop.run("run-1")
    assert [await shop.status(each) for each in (won, lost)] == [PaymentStatus.DISPUTED] * 2

    await shop.sandbox.tell(f"transactions/{won.gateway_reference}/chargeback/won")
    await shop.sandbox.tell(f"transactions/{lost.gateway_reference}/chargeback/lost")
    await shop.run("run-2")
    assert await shop.status(won) is PaymentStatus.COMPLETED
    assert await shop.status(lost) is PaymentStatus.CHARGED_BACK
    assert (await shop.books.suite.membership("member-2")).tier == "free"

    await shop.sandbox.tell("settlements")
    third = await shop.run("run-3")
    assert (third.breaks, [each.minor for each in third.clearing]) == (0, [0])
    assert await shop.balance("expense:chargebacks") == lost.amount.minor


async def test_a_gateway_that_is_away_is_reconciled_once_it_is_back(shop: Shop) -> None:
    payment = await shop.open("member-1")
    await shop.sandbox.tell(f"transactions/{payment.gateway_reference}/complete")
    await shop.sandbox.fault("unreachable", seconds=600)
    assert await refused(shop.run()) == "STATEMENT_NOT_READ"
    assert await shop.books.breaks() == []
    await shop.pass_time(1200)
    result = await shop.run()
    assert (result.breaks, result.healed) == (1, 1)
    assert await shop.status(payment) is PaymentStatus.COMPLETED


async def test_somebody_elses_sale_on_the_same_account_is_missing_here(shop: Shop) -> None:
    await shop.sell("member-1")
    async with httpx.AsyncClient(base_url=shop.sandbox.gateway_url, trust_env=False) as api:
        body = {
            "tx_ref": "anothershop1",
            "amount": 5000,
            "currency": "UGX",
            "redirect_url": "https://shop.example/return",
            "customer": {"email": "joy@example.com"},
        }
        headers = {"authorization": f"Bearer {SANDBOX_KEY}"}
        (await api.post("/v3/payments", json=body, headers=headers)).raise_for_status()
    await shop.sandbox.tell("transactions/anothershop1/complete")
    await shop.run()
    (one,) = await shop.books.breaks()
    assert (one.kind, one.status, one.reference) == ("missing_here", "open", "anothershop1")
    assert str(Money("UGX", 5000)) in one.summary


async def test_a_day_of_prompts_agrees_with_a_gateway_that_lists_no_payouts(
    prompting: Shop,
) -> None:
    payments = [await prompting.sell(f"member-{number}") for number in range(12)]
    assert {await prompting.status(each) for each in payments} == {PaymentStatus.COMPLETED}
    unpaid, declined = await prompting.open("member-12"), await prompting.open("member-13")
    await prompting.sandbox.tell(f"transactions/{declined.gateway_reference}/fail")
    result = await prompting.run()
    assert (result.compared, result.breaks) == (14, 0)
    assert await prompting.status(unpaid) is PaymentStatus.PROCESSING


async def test_a_prompt_that_was_paid_unheard_is_found(prompting: Shop) -> None:
    payment = await prompting.open("member-1")
    await prompting.sandbox.tell(f"transactions/{payment.gateway_reference}/complete")
    await prompting.run()
    assert await prompting.books.found() == [("late", "healed")]
    assert await prompting.status(payment) is PaymentStatus.COMPLETED
