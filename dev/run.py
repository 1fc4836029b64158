"""`make run`: the whole product on this machine, from an empty checkout to ready."""

import asyncio
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dev.checkout import Checkout
from dev.env_file import write_env
from dev.local_secrets import load_local_secrets
from dev.output import Output
from dev.plan import DATABASE_NAME, Stack, build_plan, environment_file
from dev.ports import Ports, first_free_port, taken
from dev.postgres_setup import stack_cluster
from dev.stack_lock import stack_lock
from dev.supervisor import Supervision, Supervisor
from dev.watchdog import Watchdog

# Outside of the range that the system gives to outgoing connections.
_POSTGRES_PORT = 15_432


class CannotRunError(Exception):
    """The stack cannot be started here; the message says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What `make run` was asked for.

    `port_offset`: added to every port. `verbose`: show every log line in the terminal.
    """

    port_offset: int = 0
    verbose: bool = False


async def run(options: RunOptions, checkout: Checkout) -> None:
    """Run the stack until SIGINT, SIGTERM or SIGHUP; a second signal stops it at once.

    Raises `CannotRunError`, `StackRunningError`, `ServiceFailedError` and what setting PostgreSQL
    up raises.
    """
    console = Console(highlight=False)
    with stack_lock(checkout.lock) as lock:
        stack = await _describe(options, checkout)
        for folder in (checkout.logs, checkout.pids, checkout.sandboxes, checkout.spool):
            folder.mkdir(mode=0o700, exist_ok=True)
        output = Output(console, checkout.logs, verbose=options.verbose)
        watchdog = Watchdog(keep_open=[lock])
        await watchdog.start()
        try:
            await _supervise(stack, output, watchdog)
        finally:
            await watchdog.close()
            output.close()
    console.print("Everything is stopped.")


async def _supervise(stack: Stack, output: Output, watchdog: Watchdog) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()
    plan = build_plan(stack)
    supervisor = Supervisor(
        plan, Supervision(watchdog=watchdog, output=output, pids=stack.checkout.pids)
    )
    stop = asyncio.Event()

    def ask_to_stop() -> None:
        if stop.is_set():
            supervisor.kill_all()
        else:
            output.say("Stopping (once more to stop at once) …")
            stop.set()

    def tell_ready() -> None:
        title = "How to reach the running stack; written by `make run`."
        write_env(stack.checkout.environment, environment_file(stack), title)
        _print_summary(output.console, supervisor, stack, loop.time() - started)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, ask_to_stop)
    output.say(f"Starting {len(plan)} processes …")
    await supervisor.run(stop, tell_ready)


async def _describe(options: RunOptions, checkout: Checkout) -> Stack:
    ports = Ports.shifted(options.port_offset)
    if problems := taken(ports):
        advice = "Stop what holds them, or choose other ports: make run PORT_OFFSET=100"
        raise CannotRunError("\n".join([*problems, advice]))
    owner_url, app_url = os.environ.get("DATABASE_OWNER_URL"), os.environ.get("DATABASE_URL")
    if bool(owner_url) != bool(app_url):
        raise CannotRunError(
            "DATABASE_URL (the application's role) and DATABASE_OWNER_URL (the role that owns the "
            "schema) go together: set both for a database of yours, or none for the embedded one"
        )
    cluster = None
    if not owner_url or not app_url:
        cluster = await stack_cluster(
            checkout, first_free_port(_POSTGRES_PORT + options.port_offset), DATABASE_NAME
        )
        owner_url, app_url = cluster.owner_url(DATABASE_NAME), cluster.app_url(DATABASE_NAME)
    return Stack(
        checkout=checkout,
        ports=ports,
        secrets=load_local_secrets(checkout.secrets),
        owner_url=owner_url,
        app_url=app_url,
        cluster=cluster,
    )


def _print_summary(console: Console, supervisor: Supervisor, stack: Stack, seconds: float) -> None:
    console.print(f"\n[bold green]Ready in {seconds:.1f} s[/]\n")
    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim")
    for column in ("process", "where", "what"):
        table.add_column(column, no_wrap=True)
    for service in supervisor.plan:
        if not service.runs_once:
            table.add_row(service.name, service.where, service.purpose)
    console.print(table)
    console.print()
    for name, text in _directions(stack):
        console.print(f"  [bold]{name:<14}[/] {text}", soft_wrap=True)
    console.print()


def _directions(stack: Stack) -> list[tuple[str, str]]:
    """Return what somebody wants to know who sees the stack for the first time."""
    ports, checkout = stack.ports, stack.checkout
    cards, phones = stack.url(ports.flutterwave_sandbox), stack.url(ports.eversend_sandbox)
    control = (ports.flutterwave_sandbox_control, ports.eversend_sandbox_control)
    return [
        ("see it work", "make demo, in another terminal"),
        ("pay by card", f"each payment's redirect_url opens a page on {cards}"),
        ("pay by phone", f"{phones}/phone"),
        ("steer gateways", "  ".join(f"{stack.url(port)}/_sandbox/…" for port in control)),
        ("addresses", str(_from_here(checkout.environment))),
        ("logs", f"{_from_here(checkout.logs)}/<process>.log; warnings and errors appear here"),
        ("process ids", f"{_from_here(checkout.pids)}/<process>.pid; what dies is started again"),
        ("stop", "Ctrl-C, or make stop"),
    ]


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
