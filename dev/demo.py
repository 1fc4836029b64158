"""`make demo`: three payments against the running stack, watched until the tier is granted."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
from rich.console import Console

from dev.checkout import Checkout
from dev.demo_payer import PayerStuckError, approve_on_phone, pay_on_hosted_page
from dev.demo_scenarios import SCENARIOS, TIER, Scenario
from dev.demo_view import Story, timeline_table
from dev.env_file import read_env
from kit.channel import ServiceChannel
from kit.money import Money
from kit.status import from_rpc_error
from protos.common.v1 import billing_cycle_pb2, customer_pb2
from protos.memberships.v1 import memberships_service_pb2 as memberships
from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceStub
from protos.payments.v1 import payment_pb2
from protos.payments.v1 import payments_service_pb2 as payments
from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub

_CALL_SECONDS = 30.0
_SCENARIO_SECONDS = 60.0
_STATUS_PREFIX = len("PAYMENT_STATUS_")
_HOW_TO_START = "the stack is not running: start it with `make run` in another terminal"
_PAYMENTS_SERVICE = payments.DESCRIPTOR.services_by_name["PaymentsService"].full_name


class DemoFailedError(Exception):
    """A payment did not end as it should have; the message says how."""


class NotRunningError(Exception):
    """There is no stack to demonstrate."""


class Demonstration:
    """Makes the payments. `addresses`: what `.run/env` says. `channel`: to the payments service."""

    def __init__(
        self, console: Console, addresses: Mapping[str, str], channel: ServiceChannel
    ) -> None:
        self._console = console
        self._addresses = addresses
        self._channel = channel
        self._payments = PaymentsServiceStub(channel.channel)
        self._memberships = MembershipsServiceStub(channel.channel)

    async def play(self, scenario: Scenario) -> None:
        """Make one payment from request to membership, and show it.

        Raises `DemoFailedError`, `PayerStuckError`, `TimeoutError` or `grpc.aio.AioRpcError`.
        """
        user_id = f"demo-{secrets.token_hex(4)}"
        price = await self._price(scenario)
        cycle = billing_cycle_pb2.BillingCycle.Name(scenario.cycle).rpartition("_")[2].lower()
        with Story(self._console, scenario.title, f"{TIER}, {cycle}, {price}") as story:
            async with asyncio.timeout(_SCENARIO_SECONDS), self._weather(scenario, story):
                payment = await self._create(scenario, user_id)
                story.ours(f"CreatePayment for {user_id}: {payment.gateway} takes it")
                updates = self._updates(payment.payment_id)
                _tell_status(story, await anext(updates))
                watching = asyncio.create_task(_follow(updates, story))
                try:
                    await self._pay(payment, scenario.phone, story)
                    payment = await watching
                finally:
                    watching.cancel()
        await self._show_evidence(payment)
        _require_success(payment, scenario, price)

    async def _price(self, scenario: Scenario) -> Money:
        request = memberships.ListTiersRequest(currency_code=scenario.currency)
        answer = await self._call(self._memberships.ListTiers, request)
        return next(
            Money(price.amount.currency_code, price.amount.amount_minor)
            for tier in answer.tiers
            if tier.tier == TIER
            for price in tier.prices
            if price.billing_cycle == scenario.cycle
        )

    async def _create(self, scenario: Scenario, user_id: str) -> payment_pb2.Payment:
        request = payments.CreatePaymentRequest(
            user_id=user_id,
            tier=TIER,
            billing_cycle=scenario.cycle,
            payment_method=scenario.method,
            currency_code=scenario.currency,
            customer=customer_pb2.Customer(
                email=f"{user_id}@members.example",
                name="Demo Member",
                phone_number=scenario.phone,
                country_code=scenario.country,
            ),
            idempotency_key=f"{user_id}-1",
        )
        answer = await self._call(self._payments.CreatePayment, request)
        payment: payment_pb2.Payment = answer.payment
        return payment

    async def _pay(self, payment: payment_pb2.Payment, phone: str, story: Story) -> None:
        match payment.next_action.WhichOneof("action"):
            case "redirect_url":
                await pay_on_hosted_page(payment.next_action.redirect_url, phone, story.payers)
            case "phone_prompt":
                phones = self._addresses["EVERSEND_SANDBOX_URL"]
                await approve_on_phone(phones, phone, story.payers)
            case action:
                raise DemoFailedError(f"the payer is asked for {action}, which is not expected")

    async def _updates(self, payment_id: str) -> AsyncIterator[payment_pb2.Payment]:
        """Yield the payment as it is, and again whenever it changes, until nothing more happens."""
        request = payments.WatchPaymentRequest(payment_id=payment_id)
        async for update in self._channel.stream(self._payments.WatchPayment, request):
            yield update.payment

    async def _show_evidence(self, payment: payment_pb2.Payment) -> None:
        explained = await self._call(
            self._payments.ExplainPayment,
            payments.ExplainPaymentRequest(payment_id=payment.payment_id),
        )
        self._console.print(timeline_table(explained.timeline))
        answer = await self._call(
            self._memberships.GetMembership,
            memberships.GetMembershipRequest(user_id=payment.user_id),
        )
        membership = answer.membership
        if membership.tier != TIER:
            raise DemoFailedError(f"{payment.user_id} has the tier {membership.tier!r}")
        until = membership.current_period_end_time.ToDatetime()
        self._console.print(
            f"  [bold green]{payment.user_id} is {TIER} until {until:%d %B %Y}[/]\n"
        )

    @asynccontextmanager
    async def _weather(self, scenario: Scenario, story: Story) -> AsyncIterator[None]:
        """Make Eversend unreachable for as long as the context lasts, if the scenario says so."""
        if not scenario.eversend_away:
            yield
            return
        faults = f"{self._addresses['EVERSEND_SANDBOX_CONTROL_URL']}/_sandbox/faults"
        async with httpx.AsyncClient() as control:
            (await control.post(faults, json={"fault": "unreachable"})).raise_for_status()
            story.ours("Eversend's port is closed: every connection to it is refused")
            try:
                yield
            finally:
                (await control.delete(faults)).raise_for_status()

    async def _call(self, method: Callable[..., Any], request: Any) -> Any:
        return await self._channel.call(method, request, timeout=_CALL_SECONDS)


async def demonstrate(checkout: Checkout) -> None:
    """Play every scenario against the running stack of a checkout.

    Raises `NotRunningError` without one, and `DemoFailedError` when a payment does not complete or
    the member does not get the tier.
    """
    if not checkout.environment.exists():
        raise NotRunningError(_HOW_TO_START)
    addresses = read_env(checkout.environment)
    channel = ServiceChannel(addresses["PAYMENTS_ADDRESS"], addresses["SERVICE_TOKEN"])
    try:
        if not await channel.serves(_PAYMENTS_SERVICE):
            raise NotRunningError(_HOW_TO_START)
        demonstration = Demonstration(Console(highlight=False), addresses, channel)
        for scenario in SCENARIOS:
            await demonstration.play(scenario)
    except grpc.aio.AioRpcError as error:
        failure = from_rpc_error(error)
        raise DemoFailedError(f"a call failed: {failure.reason}: {failure}") from error
    except (PayerStuckError, httpx.HTTPError) as error:
        raise DemoFailedError(f"the payer could not pay: {error}") from error
    except TimeoutError as error:
        raise DemoFailedError(f"not finished after {_SCENARIO_SECONDS:.0f} s") from error
    finally:
        await channel.close()


async def _follow(updates: AsyncIterator[payment_pb2.Payment], story: Story) -> payment_pb2.Payment:
    """Tell every update and return the last one."""
    payment = payment_pb2.Payment()
    async for payment in updates:
        _tell_status(story, payment)
    return payment


def _tell_status(story: Story, payment: payment_pb2.Payment) -> None:
    story.status(f"{_status(payment)}: {payment.status_message}")


def _require_success(payment: payment_pb2.Payment, scenario: Scenario, price: Money) -> None:
    charged = Money(payment.amount.currency_code, payment.amount.amount_minor)
    if payment.status != payment_pb2.PAYMENT_STATUS_COMPLETED:
        raise DemoFailedError(f"the payment ended {_status(payment)}: {payment.status_message}")
    if payment.gateway != scenario.gateway or charged != price:
        raise DemoFailedError(f"{payment.gateway} took {charged}, not {scenario.gateway} {price}")


def _status(payment: payment_pb2.Payment) -> str:
    return payment_pb2.PaymentStatus.Name(payment.status)[_STATUS_PREFIX:]
