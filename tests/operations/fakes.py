"""The outside of the operations that tests decide about: time, gateways, identifiers, signals."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from kit.money import Money
from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, NextAction
from services.payments.domain.reconciliation import Period
from services.payments.domain.refund_reports import RefundOrder, RefundQuery, RefundReport
from services.payments.ports import (
    Capability,
    GatewayDescription,
    NotListed,
    SettlementPage,
    TransactionPage,
)
from tests.operations.witness import Sight, Witness

PATIENCE_SECONDS = 10.0
_REFERENCE_ALPHABET = "0123456789bcdfghjkmnpqrstvwxyz"


class ManualClock:
    """Implements the port `Clock`: time passes when a test says so, and sleepers wake by it."""

    def __init__(self, at: datetime) -> None:
        self._began = at
        self._now = at
        self._sleepers: list[tuple[datetime, asyncio.Future[None]]] = []

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._began).total_seconds()

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.get_running_loop().create_future()
        self._sleepers.append((self._now + timedelta(seconds=seconds), woken))
        self._wake()
        await woken

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass, and wake everybody whose time has come."""
        self._now += timedelta(seconds=seconds)
        self._wake()

    def move_to(self, at: datetime) -> None:
        """Let the time pass until `at`; time never goes back."""
        self.advance(max((at - self._now).total_seconds(), 0.0))

    def _wake(self) -> None:
        due = [each for each in self._sleepers if each[0] <= self._now]
        self._sleepers = [each for each in self._sleepers if each[0] > self._now]
        for _, woken in due:
            if not woken.done():
                woken.set_result(None)


class SeededIds:
    """Implements the port `Ids`: the same seed gives the same identifiers and references."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._references = random.Random(seed)  # noqa: S311 - reproducible, not secret

    def new_id(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)

    def new_reference(self) -> str:
        return "cp" + "".join(self._references.choices(_REFERENCE_ALPHABET, k=24))

    def future_reference(self) -> str:
        """Return the reference that comes next, without using it up."""
        state = self._references.getstate()
        reference = self.new_reference()
        self._references.setstate(state)
        return reference

    def jitter(self, seconds: float) -> float:
        return self._random.uniform(seconds / 2, seconds)


class RecordingWakeups:
    """Implements the port `Wakeups`: remembers the signals, and hands them to who listens."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.on_event: Callable[[], None] = lambda: None
        self.on_attempt: Callable[[], None] = lambda: None

    def payment_changed(self, payment_id: UUID) -> None:
        self.sent.append(f"payment_changed {payment_id}")

    def event_recorded(self) -> None:
        self.sent.append("event_recorded")
        self.on_event()

    def attempt_due(self) -> None:
        self.sent.append("attempt_due")
        self.on_attempt()


class Operation(StrEnum):
    """What a gateway is asked for."""

    CREATE = "create"
    LOOK_UP = "look_up"
    CANCEL = "cancel"
    SUBMIT = "submit"
    REFUND = "refund"
    LOOK_UP_REFUND = "look_up_refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that reached a gateway, and what stood in the database at that moment.

    `reference`: of the attempt or of the refund's attempt. `flow`: of the attempt; a refund has
    none. `transaction_id`: the gateway's own identifier of the charge, if it was named.
    `refund_id`: the gateway's own of the refund. `otp`: the one-time password that was handed in.
    """

    operation: Operation
    gateway: str
    reference: str
    amount: Money
    seen: Sight
    flow: Flow | None = None
    transaction_id: str = ""
    refund_id: str = ""
    otp: str = ""


Step = Callable[[Call], Awaitable[ChargeReport | RefundReport]]


class ScriptedGateways:
    """Implements the port `Gateways`: each call takes the next step that a test wrote for it.

    Without a step, a gateway creates what it is asked for, knows nothing new when it is asked,
    closes what it is told to close, and takes passwords and refunds. Its statements cannot be read.
    `away`: gateways whose adapters do not answer. `descriptions`: what stood in the database
    whenever the gateways were asked what they can do.
    """

    def __init__(self, offers: Mapping[str, Sequence[Capability]], witness: Witness) -> None:
        self.calls: list[Call] = []
        self.descriptions: list[Sight] = []
        self.away: set[str] = set()
        self._offers = offers
        self._witness = witness
        self._steps: dict[tuple[str, Operation], deque[Step]] = {}
        self._usual: dict[tuple[str, Operation], Step] = {}

    def script(self, gateway: str, operation: Operation, *steps: Step) -> None:
        """Add steps; each is taken once, in this order."""
        self._steps.setdefault((gateway, operation), deque()).extend(steps)

    def always(self, operation: Operation, step: Step, gateway: str = "") -> None:
        """Take this step whenever no other is written; at every gateway unless one is named."""
        for name in [gateway] if gateway else self._offers:
            self._usual[name, operation] = step

    def made(self, operation: Operation) -> list[Call]:
        """Return the calls of one kind, in their order."""
        return [call for call in self.calls if call.operation is operation]

    @property
    def names(self) -> Sequence[str]:
        return list(self._offers)

    async def describe(self) -> Mapping[str, GatewayDescription]:
        self.descriptions.append(await self._witness.look())
        return {
            name: GatewayDescription(name=name, capabilities=offers, can_cancel=True)
            for name, offers in self._offers.items()
            if name not in self.away
        }

    async def create_charge(self, gateway: str, order: ChargeOrder) -> ChargeReport:
        flow = next(
            offer.flow
            for offer in self._offers[gateway]
            if (offer.method, offer.currency) == (order.method, order.amount.currency)
        )
        return await self._charge(
            Call(
                operation=Operation.CREATE,
                gateway=gateway,
                reference=order.reference,
                amount=order.amount,
                flow=flow,
                seen=await self._witness.look(),
            )
        )

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        return await self._charge(await self._about(Operation.LOOK_UP, attempt))

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:
        return await self._charge(await self._about(Operation.CANCEL, attempt))

    async def submit_action(self, attempt: Attempt, order: ChargeOrder, otp: str) -> ChargeReport:
        assert (order.reference, order.amount) == (attempt.reference, attempt.amount)
        call = await self._about(Operation.SUBMIT, attempt)
        return await self._charge(replace(call, otp=otp))

    async def create_refund(self, gateway: str, order: RefundOrder) -> RefundReport:
        return await self._refund(
            Call(
                operation=Operation.REFUND,
                gateway=gateway,
                reference=order.reference,
                amount=order.amount,
                transaction_id=order.charge_transaction_id,
                seen=await self._witness.look(),
            )
        )

    async def get_refund(self, gateway: str, query: RefundQuery) -> RefundReport:
        return await self._refund(
            Call(
                operation=Operation.LOOK_UP_REFUND,
                gateway=gateway,
                reference=query.reference,
                amount=query.amount,
                transaction_id=query.charge_transaction_id,
                refund_id=query.gateway_refund_id,
                seen=await self._witness.look(),
            )
        )

    async def list_transactions(
        self, gateway: str, period: Period, page_token: str
    ) -> TransactionPage | NotListed:
        return NotListed(detail=f"{gateway}: no statement of {period} {page_token}")

    async def list_settlements(
        self, gateway: str, period: Period, page_token: str
    ) -> SettlementPage | NotListed:
        return NotListed(detail=f"{gateway}: no settlements of {period} {page_token}")

    async def _about(self, operation: Operation, attempt: Attempt) -> Call:
        return Call(
            operation=operation,
            gateway=attempt.gateway,
            reference=attempt.reference,
            amount=attempt.amount,
            flow=attempt.flow,
            transaction_id=attempt.gateway_transaction_id,
            seen=await self._witness.look(),
        )

    async def _charge(self, call: Call) -> ChargeReport:
        report = await self._answer(call)
        assert isinstance(report, ChargeReport), f"{call.operation} was answered about a refund"
        return report

    async def _refund(self, call: Call) -> RefundReport:
        report = await self._answer(call)
        assert isinstance(report, RefundReport), f"{call.operation} was answered about a charge"
        return report

    async def _answer(self, call: Call) -> ChargeReport | RefundReport:
        self.calls.append(call)
        which = (call.gateway, call.operation)
        steps = self._steps.get(which)
        step = steps.popleft() if steps else self._usual.get(which, _USUAL[call.operation])
        return await step(call)


def reply(answer: Answer, **changes: Any) -> Step:
    """Answer at once, about the charge that was asked about, with the price that was ordered.

    A hosted charge comes with its link and a prompt with its step, and money with the transaction
    that was named, unless `changes` say otherwise.
    """

    async def step(call: Call) -> ChargeReport:
        report = ChargeReport(answer=answer, reference=call.reference, amount=call.amount)
        if call.operation in _MAKE_PAYABLE and answer in _CREATED:
            report = replace(report, **_way_to_pay(call))
        if answer is Answer.SUCCEEDED:
            named = call.transaction_id or f"tx-{call.reference}"
            report = replace(report, gateway_transaction_id=named)
        return replace(report, **changes)

    return step


def otp_asked(state: str = "otp-state-1") -> Step:
    """Answer that a one-time password was sent to the payer; only with it is there a charge."""
    action = NextAction(kind=ActionKind.OTP)
    return reply(Answer.REQUIRES_ACTION, link="", action=action, action_state=state)


def refund_reply(answer: Answer, **changes: Any) -> Step:
    """Answer at once, about the refund that was asked about, with its amount.

    One that the gateway has comes with the gateway's identifier, unless `changes` say otherwise.
    """

    async def step(call: Call) -> RefundReport:
        known = answer in _CREATED or answer is Answer.FAILED
        named = f"rf-{call.reference}" if known else ""
        report = RefundReport(answer=answer, amount=call.amount, gateway_refund_id=named)
        return replace(report, **changes)

    return step


def by_transaction(steps: Mapping[str, Step], otherwise: Step) -> Step:
    """Answer by the transaction that is named, as a gateway does that knows several."""

    async def step(call: Call) -> ChargeReport | RefundReport:
        return await steps.get(call.transaction_id, otherwise)(call)

    return step


def meanwhile(happening: Callable[[Call], Awaitable[object]], then: Step) -> Step:
    """Have something happen while the call is in flight, and answer afterwards."""

    async def step(call: Call) -> ChargeReport | RefundReport:
        await happening(call)
        return await then(call)

    return step


class Gate:
    """Keeps a call in flight until a test opens it."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._open = asyncio.Event()

    def before(self, then: Step) -> Step:
        """Answer with `then`, but only once the gate is open."""

        async def step(call: Call) -> ChargeReport | RefundReport:
            self._reached.set()
            await self._open.wait()
            return await then(call)

        return step

    async def reached(self) -> None:
        """Wait until a call is in flight here."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._reached.wait()

    def open(self) -> None:
        """Let the calls end."""
        self._open.set()


def link_of(gateway: str, reference: str) -> str:
    """Return the hosted page of a charge."""
    return f"https://{gateway}.example/pay/{reference}"


def _way_to_pay(call: Call) -> dict[str, Any]:
    if call.flow is Flow.HOSTED:
        return {"link": link_of(call.gateway, call.reference)}
    return {"action": NextAction(kind=ActionKind.PHONE_PROMPT)}


_MAKE_PAYABLE = frozenset({Operation.CREATE, Operation.SUBMIT})
_CREATED = frozenset({Answer.SUCCEEDED, Answer.PENDING, Answer.REQUIRES_ACTION})
_USUAL: dict[Operation, Step] = {
    Operation.CREATE: reply(Answer.REQUIRES_ACTION),
    Operation.LOOK_UP: reply(Answer.PENDING),
    Operation.CANCEL: reply(Answer.SUCCEEDED),
    Operation.SUBMIT: reply(Answer.PENDING),
    Operation.REFUND: refund_reply(Answer.PENDING),
    Operation.LOOK_UP_REFUND: refund_reply(Answer.PENDING),
}
