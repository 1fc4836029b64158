"""Everything in one seed put together: processes, adapters, gateways, payers, callbacks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from kit.money import Money
from kit.tasks import OwnedTasks
from proofs.simulation.adapters import GatewaySide, build_gateway_side
from proofs.simulation.asking import Asking
from proofs.simulation.callbacks import Callbacks
from proofs.simulation.channel import InProcessChannel
from proofs.simulation.faults import Fault
from proofs.simulation.invariants import Watch
from proofs.simulation.members import Purchase
from proofs.simulation.nature import Nature
from proofs.simulation.outages import Outage
from proofs.simulation.payers import Payers
from proofs.simulation.plan import Plan, plan_of
from proofs.simulation.process import Process, run_process, run_worker
from proofs.simulation.staff import Staff
from proofs.simulation.storage import Database, TwinStorage
from proofs.simulation.storage.dues import Dues
from services.payments.domain.evidence import Rules
from services.payments.domain.membership import FREE_TIER
from services.payments.domain.payment import BillingCycle
from services.payments.domain.pricing import PriceBook, Tier
from services.payments.gateway_client import GatewayClient
from services.payments.operations.dependencies import Dependencies
from services.payments.ports import Routing
from services.payments.router import Router
from services.payments.worker import Worker

_PRICES = PriceBook(
    version=1,
    tiers=(
        Tier(name=FREE_TIER, display_name="Free", rank=0, features=()),
        Tier(
            name="pro",
            display_name="Pro",
            rank=1,
            features=(),
            prices={
                (BillingCycle.MONTHLY, "UGX"): Money("UGX", 18_000),
                (BillingCycle.ANNUAL, "UGX"): Money("UGX", 180_000),
            },
        ),
        Tier(
            name="premium",
            display_name="Premium",
            rank=2,
            features=(),
            prices={
                (BillingCycle.MONTHLY, "UGX"): Money("UGX", 37_000),
                (BillingCycle.ANNUAL, "UGX"): Money("UGX", 370_000),
            },
        ),
    ),
)
_MAX_SIGNAL_DELAY = 0.2


@dataclass(slots=True)
class _Running:
    """The current run of one process. `worker`: None for a server."""

    process: Process
    deps: Dependencies
    worker: Worker | None


class World:
    """One seed's world. Implements `Servers` for those who call the product."""

    def __init__(self, nature: Nature, rules: Rules) -> None:
        self.nature = nature
        self.plan: Plan = plan_of(nature.chance)
        self.database = Database(_PRICES)
        self.gateways: GatewaySide = build_gateway_side(nature)
        self.watch = Watch(nature, self.database, self.gateways)
        self._rules = rules
        self._outage = Outage(Fault.DATABASE_DOWN, nature.faults, nature.chance)
        self._running: dict[str, _Running] = {}
        payers = Payers(nature, self.gateways.eversend, self.gateways.flutterwave)
        books = (self.gateways.eversend.book, self.gateways.flutterwave.book)
        Callbacks(nature, self, books)
        asking = Asking(nature, self)
        self._staff = Staff(asking)
        self._purchases = [
            Purchase(plan, asking, payers, self._staff) for plan in self.plan.purchases
        ]
        self.dues = Dues(self.database)
        nature.loop.due_at = self.dues.first_at
        nature.loop.first_due = self.dues.first

    def begin(self) -> None:
        """Start every process, and have the members begin."""
        for name in ("server-1", "server-2")[: 1 + self.nature.chance.below(2)]:
            self._start(name)
        for number in range(self.plan.workers):
            self._start(f"worker-{number + 1}")
        for purchase in self._purchases:
            self.nature.loop.create_task(purchase.run())
        self.nature.loop.create_task(self._staff.run())

    def server(self) -> tuple[Process, Dependencies]:
        """Return a server; it may be one that was just killed."""
        servers = [each for each in self._running.values() if each.worker is None]
        chosen = self.nature.chance.pick(servers)
        return chosen.process, chosen.deps

    def report(self, what: str) -> None:
        """Say what must never happen."""
        self.watch.violated(what)

    def payment_changed(self, payment_id: UUID) -> None:
        """Wake nobody: no stream watches here."""

    def event_recorded(self) -> None:
        """Wake the workers for a stored callback, unless the signal is lost."""
        self._signal(Worker.wake_for_events)

    def attempt_due(self) -> None:
        """Wake the workers for a due attempt, unless the signal is lost."""
        self._signal(Worker.wake_for_attempts)

    def _signal(self, wake: Callable[[Worker], None]) -> None:
        for running in self._running.values():
            if running.worker is None or self.nature.faults.strikes(Fault.SIGNAL_LOST):
                continue
            delay = self.nature.chance.between(0.0, _MAX_SIGNAL_DELAY)
            self.nature.loop.after(delay, partial(wake, running.worker))

    def _start(self, name: str) -> None:
        nature = self.nature
        process = Process(name, nature, self.database, self._outage)
        channels = {
            adapter.name: InProcessChannel(process, adapter, nature)
            for adapter in self.gateways.adapters
        }
        gateways = GatewayClient(channels, nature.clock)
        deps = Dependencies(
            storage=TwinStorage(self.database, process, process),
            gateways=gateways,
            router=Router(gateways, Routing(preferences=self.plan.preferences)),
            clock=nature.clock,
            ids=nature.ids,
            wakeups=self,
            tasks=OwnedTasks(),
            sender=name,
            rules=self._rules,
        )
        worker = Worker(deps) if name.startswith("worker") else None
        self._running[name] = _Running(process, deps, worker)
        process.ended = lambda: nature.loop.after(
            nature.chance.between(0.2, nature.chance.pick((3.0, 60.0))), lambda: self._start(name)
        )
        nature.story.tell(name, "starts")
        run_process(process, nature, deps)
        if worker is not None:
            run_worker(process, nature, worker)
