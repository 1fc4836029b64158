"""`python -m tests.bench.deliveries`: many deliveries to a real receiver process, some poison.

Prints how many were sent and over how many connections, what became of them, and how long they
took. `--away` leaves the payments service out, so that everything goes through the spool.
"""

import argparse
import asyncio
import contextlib
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kit.logs import configure_logs
from tests.kit.processes import started
from tests.kit.serving import grpc_serving
from tests.receiver.conftest import TOKEN
from tests.receiver.deliveries import EVERSEND_SECRET, FLUTTERWAVE_SECRET, request_bytes, signed
from tests.receiver.storing_payments import StoringPayments, storing_setup

_POISON = b'{"event":"charge.completed","data":{"id":%d,'
_GENUINE = (
    b'{"event":"charge.completed","data":{"id":%d,"tx_ref":"cpbench","amount":25000,'
    b'"currency":"UGX","status":"successful"},"event.type":"MOBILEMONEYUG_TRANSACTION"}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`count`: deliveries. `poison_every`: one in so many cannot be read."""

    count: int
    connections: int
    poison_every: int
    away: bool


@dataclass(slots=True, kw_only=True)
class Tally:
    """What was answered and after how many milliseconds."""

    answers: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)

    def percentile(self, percent: float) -> float:
        """Return what `percent` of 100 deliveries did not exceed."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


async def measure(plan: Plan) -> tuple[Tally, float, StoringPayments]:
    """Send everything; the answers, the seconds that it took, and what the service has."""
    payments, tally = StoringPayments(), Tally()
    async with (
        _service(payments, away=plan.away) as payments_port,
        _receiver(payments_port) as port,
    ):
        numbers = iter(range(plan.count))
        began = time.perf_counter()
        await asyncio.gather(*(_send(port, numbers, plan, tally) for _ in range(plan.connections)))
        seconds = time.perf_counter() - began
    return tally, seconds, payments


@contextlib.asynccontextmanager
async def _service(payments: StoringPayments, *, away: bool) -> AsyncIterator[int]:
    if away:
        yield 1
        return
    async with grpc_serving(storing_setup(payments, 0)) as server:
        yield server.port


@contextlib.asynccontextmanager
async def _receiver(payments_port: int) -> AsyncIterator[int]:
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "WEBHOOK_LISTEN": "127.0.0.1:0",
            "PAYMENTS_ADDRESS": f"127.0.0.1:{payments_port}",
            "PAYMENTS_SERVICE_TOKEN": TOKEN,
            "FLUTTERWAVE_WEBHOOK_SECRET": FLUTTERWAVE_SECRET,
            "EVERSEND_WEBHOOK_SECRET": EVERSEND_SECRET,
            "WEBHOOK_SPOOL": str(Path(folder) / "spool.sqlite"),
            "WEBHOOK_SPOOL_ROWS": "1000000",
            "WEBHOOK_SPOOL_BYTES": str(2**32),
            "WEBHOOK_RATE_PER_SECOND": "100000",
            "WEBHOOK_RATE_BURST": "1000000",
        }
        async with started("webhook_receiver", settings) as process:
            port = await process.port()
            reading = asyncio.create_task(process.drain())
            yield port
            process.process.terminate()
            await reading
            await process.process.wait()


async def _send(port: int, numbers: Iterator[int], plan: Plan, tally: Tally) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in numbers:
        poison = number % plan.poison_every == 0
        body = (_POISON if poison else _GENUINE) % number
        request = request_bytes("flutterwave", signed("flutterwave"), body)
        began = time.perf_counter()
        writer.write(request.replace(b"connection: close\r\n", b""))
        status, answer = await _answer(reader)
        tally.milliseconds.append((time.perf_counter() - began) * 1000)
        tally.answers[f"{status} {answer.decode()}{' (poison)' if poison else ''}"] += 1
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    return int(head.split(" ", 2)[1]), await reader.readexactly(length)


def _plan() -> Plan:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.deliveries", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--poison-every", type=int, default=100)
    parser.add_argument("--away", action="store_true")
    options = parser.parse_args()
    return Plan(
        count=options.count,
        connections=options.connections,
        poison_every=options.poison_every,
        away=options.away,
    )


def main() -> int:
    """Measure and print; return 1 when a delivery was not acknowledged."""
    configure_logs("bench", level="WARNING")
    plan = _plan()
    tally, seconds, payments = asyncio.run(measure(plan))
    where = "spool alone" if plan.away else f"{len(payments.stored)} stored at the service"
    rate = f"in {seconds:.1f} s ({plan.count / seconds:.0f}/s)"
    p50, p99 = tally.percentile(50), tally.percentile(99)
    lines = [
        f"{plan.count} deliveries over {plan.connections} connections {rate}; {where}",
        *(f"  {count:>6}  {answer}" for answer, count in sorted(tally.answers.items())),
        f"  p50 {p50:.1f} ms, p99 {p99:.1f} ms, slowest {max(tally.milliseconds):.1f} ms",
        f"  Python {platform.python_version()}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 0 if all(answer.startswith("200 ") for answer in tally.answers) else 1


if __name__ == "__main__":
    sys.exit(main())
