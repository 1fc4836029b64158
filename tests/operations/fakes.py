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

import asyncpg

from kit.money import Money
from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, NextAction
from services.payments.ports import Capability, GatewayDescription

PATIENCE_SECONDS = 10.0
_REFERENCE_ALPHABET = "0123456789bcdfghjkmnpqrstvwxyz"


_LOOK = """
SELECT ARRAY(SELECT status FROM creators_membership ORDER BY created_at, id) AS payments,
    ARRAY(SELECT ARRAY[reference, gateway, outcome] FROM payment_attempts
        ORDER BY created_at, number) AS attempts,
    (SELECT count(*) FROM idempotency_keys) AS keys,
    ARRAY(SELECT action FROM payment_audit_log ORDER BY id) AS history,
    (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND application_name = 'payments' AND state LIKE 'idle in transaction%'
    ) AS open_transactions
"""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What somebody else sees in the database at one moment.

    `payments`: their statuses. `attempts`: reference, gateway and outcome of each. `history`: the
    actions. All oldest first. `open_transactions`: how many the service holds without a statement
    that runs.
    """

    payments: tuple[str, ...]
    attempts: tuple[tuple[str, str, str], ...]
    keys: int
    history: tuple[str, ...]
    open_transactions: int


class Witness:
    """Looks at the database from a connection of its own."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._one_at_a_time = asyncio.Lock()

    async def look(self) -> Sight:
        (row,) = await self.rows(_LOOK)
        return Sight(
            payments=tuple(row["payments"]),
            attempts=tuple((each[0], each[1], each[2]) for each in row["attempts"]),
            keys=row["keys"],
            history=tuple(row["history"]),
            open_transactions=row["open_transactions"],
        )

    async def rows(self, query: str, *values: object) -> list[asyncpg.Record]:
        """Return the rows of a query, also while another one of this witness runs."""
        async with self._one_at_a_time:
            found: list[asyncpg.Record] = await self._connection.fetch(query, *values)
        return found


class Operation(StrEnum):
    """What a gateway is asked for."""

    CREATE = "create"
    LOOK_UP = "look_up"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that reached a gateway, and what stood in the database at that moment."""

    operation: Operation
    gateway: str
    reference: str
    amount: Money
    flow: Flow
    seen: Sight


Step = Callable[[Call], Awaitable[ChargeReport]]


class ScriptedGateways:
    """Implements the port `Gateways`: each call takes the next step that a test wrote for it.

    Without a step, a gateway creates what it is asked for, knows nothing new when it is asked, and
    closes what it is told to close. `away`: gateways whose adapters do not answer. `descriptions`:
    what stood in the database whenever the gateways were asked what they can do.
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
        return await self._answer(
            Operation.CREATE, gateway, (order.reference, order.amount), flow=flow
        )

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        return await self._about(Operation.LOOK_UP, attempt)

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:
        return await self._about(Operation.CANCEL, attempt)

    async def _about(self, operation: Operation, attempt: Attempt) -> ChargeReport:
        what = (attempt.reference, attempt.amount)
        return await self._answer(operation, attempt.gateway, what, flow=attempt.flow)

    async def _answer(
        self, operation: Operation, gateway: str, what: tuple[str, Money], *, flow: Flow
    ) -> ChargeReport:
        call = Call(
            operation=operation,
            gateway=gateway,
            reference=what[0],
            amount=what[1],
            flow=flow,
            seen=await self._witness.look(),
        )
        self.calls.append(call)
        steps = self._steps.get((gateway, operation))
        if steps:
            return await steps.popleft()(call)
        return await self._usual.get((gateway, operation), _USUAL[operation])(call)


def reply(answer: Answer, **changes: Any) -> Step:
    """Answer at once, about the charge that was asked about, with the price that was ordered.

    A hosted charge comes with its link and a prompt with its step, unless `changes` say otherwise.
    """

    async def step(call: Call) -> ChargeReport:
        report = ChargeReport(answer=answer, reference=call.reference, amount=call.amount)
        if call.operation is Operation.CREATE and answer in _CREATED:
            report = replace(report, **_way_to_pay(call))
        if answer is Answer.SUCCEEDED:
            report = replace(report, gateway_transaction_id=f"tx-{call.reference}")
        return replace(report, **changes)

    return step


def meanwhile(happening: Callable[[Call], Awaitable[object]], then: Step) -> Step:
    """Have something happen while the call is in flight, and answer afterwards."""

    async def step(call: Call) -> ChargeReport:
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

        async def step(call: Call) -> ChargeReport:
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


_CREATED = frozenset({Answer.SUCCEEDED, Answer.PENDING, Answer.REQUIRES_ACTION})
_USUAL: dict[Operation, Step] = {
    Operation.CREATE: reply(Answer.REQUIRES_ACTION),
    Operation.LOOK_UP: reply(Answer.PENDING),
    Operation.CANCEL: reply(Answer.SUCCEEDED),
}
