"""The running stack of a test session, and what an outside client does with it."""

import asyncio
import os
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import asyncpg
import grpc
import httpx

from dev.env_file import read_env
from protos.common.v1 import customer_pb2
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_MONTHLY
from protos.common.v1.payment_method_pb2 import (
    PAYMENT_METHOD_CARD,
    PAYMENT_METHOD_MOBILE_MONEY,
)
from protos.memberships.v1.membership_pb2 import Membership
from protos.memberships.v1.memberships_service_pb2 import GetMembershipRequest
from protos.memberships.v1.memberships_service_pb2_grpc import MembershipsServiceStub
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import Payment, PaymentStatus
from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from tests.stack.launched_stack import dev, free_offset, launched

if TYPE_CHECKING:
    from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceAsyncStub

_LOOK_SECONDS = 0.05

ResultT = TypeVar("ResultT")


async def eventually(
    look: Callable[[], Awaitable[ResultT | None]], seconds: float = 20.0
) -> ResultT:
    """Look until something is there; fail after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            found = await look()
            if found is not None:
                return found
            await asyncio.sleep(_LOOK_SECONDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A running stack: its addresses, and a client of each door."""

    folder: Path
    env: dict[str, str]
    channel: grpc.aio.Channel
    http: httpx.AsyncClient

    @property
    def payments(self) -> "PaymentsServiceAsyncStub":
        """The payments service; only the type stubs know its asynchronous form."""
        return PaymentsServiceStub(self.channel)

    def metadata(self, **extra: str) -> tuple[tuple[str, str], ...]:
        """Return what every call carries."""
        token = ("authorization", f"Bearer {self.env['SERVICE_TOKEN']}")
        return (token, *((key.replace("_", "-"), value) for key, value in extra.items()))

    async def create(self, request: pb.CreatePaymentRequest, seconds: float = 30.0) -> Payment:
        """Create a payment."""
        reply = await self.payments.CreatePayment(
            request, metadata=self.metadata(), timeout=seconds
        )
        return reply.payment

    async def get(self, payment_id: str) -> Payment:
        """Read a payment; a server that is just restarting is waited for."""
        reply = await self.payments.GetPayment(
            pb.GetPaymentRequest(payment_id=payment_id),
            metadata=self.metadata(),
            timeout=20,
            wait_for_ready=True,
        )
        return reply.payment

    async def membership(self, user_id: str) -> Membership:
        """Read what a member has."""
        memberships = MembershipsServiceStub(self.channel)
        reply = await memberships.GetMembership(
            GetMembershipRequest(user_id=user_id),
            metadata=self.metadata(),
            timeout=20,
            wait_for_ready=True,
        )
        return reply.membership

    async def explain(self, payment_id: str) -> pb.ExplainPaymentResponse:
        """Read the whole story of a payment."""
        return await self.payments.ExplainPayment(
            pb.ExplainPaymentRequest(payment_id=payment_id), metadata=self.metadata(), timeout=20
        )

    async def becomes(self, payment_id: str, status: int, seconds: float = 20.0) -> Payment:
        """Wait until a payment has a status."""

        async def look() -> Payment | None:
            payment = await self.get(payment_id)
            return payment if payment.status == status else None

        try:
            return await eventually(look, seconds)
        except TimeoutError:
            now = PaymentStatus.Name((await self.get(payment_id)).status)
            message = f"payment {payment_id} is still {now}"
            raise AssertionError(message) from None

    async def rows(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """Query the database as the application's role."""
        connection = await asyncpg.connect(self.env["DATABASE_URL"])
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    async def control(self, gateway: str, method: str, path: str, body: Any = None) -> Any:
        """Call a sandbox's control API; `path` is what follows "/_sandbox"."""
        base = self.env[f"{gateway.upper()}_SANDBOX_CONTROL_URL"]
        reply = await self.http.request(method, f"{base}/_sandbox{path}", json=body)
        reply.raise_for_status()
        return reply.json()

    async def fault(self, gateway: str, fault: str, operation: str, **more: Any) -> None:
        """Set a fault at a sandbox."""
        body = {"fault": fault, "operation": operation, **more}
        await self.control(gateway, "POST", "/faults", body)

    async def charges(self, gateway: str, reference: str) -> dict[str, Any]:
        """Return what a gateway believes about our reference."""
        found: dict[str, Any] = await self.control(gateway, "GET", f"/transactions/{reference}")
        return found

    async def kept_charges(self, payment_id: str) -> int:
        """Count the successful charges of a payment over all gateways."""
        attempts = (await self.explain(payment_id)).attempts
        total = 0
        for attempt in attempts:
            base = self.env[f"{attempt.gateway.upper()}_SANDBOX_CONTROL_URL"]
            url = f"{base}/_sandbox/transactions/{attempt.gateway_reference}"
            reply = await self.http.get(url)
            if reply.status_code == httpx.codes.OK:
                total += reply.json()["successful_count"]
        return total

    def pid(self, process: str) -> int:
        """Return the process id of a part of the stack."""
        return int((self.folder / "pids" / f"{process}.pid").read_text())

    def log(self, process: str) -> str:
        """Return what a part of the stack has logged so far."""
        return (self.folder / "logs" / f"{process}.log").read_text()

    async def kill(self, process: str) -> None:
        """Kill a process with -9 and wait until the supervisor has started it again."""
        killed = self.pid(process)
        os.kill(killed, signal.SIGKILL)

        async def replaced() -> bool | None:
            try:
                return self.pid(process) != killed or None
            except (FileNotFoundError, ValueError):
                return None

        await eventually(replaced)


def card_request(**changes: Any) -> pb.CreatePaymentRequest:
    """Return a request of a new member who pays by card."""
    values: dict[str, Any] = {
        "user_id": f"member-{uuid.uuid4().hex}",
        "tier": "pro",
        "billing_cycle": BILLING_CYCLE_MONTHLY,
        "payment_method": PAYMENT_METHOD_CARD,
        "currency_code": "NGN",
        "customer": customer_pb2.Customer(email="ada@example.com", name="Ada Obi"),
        "return_url": "http://127.0.0.1:8080/return?order=7",
        "idempotency_key": uuid.uuid4().hex,
    }
    return pb.CreatePaymentRequest(**(values | changes))


def phone_request(phone_number: str, **changes: Any) -> pb.CreatePaymentRequest:
    """Return a request of a new member in Uganda who pays by mobile money."""
    customer = customer_pb2.Customer(
        email="amina@example.com", name="Amina K", phone_number=phone_number, country_code="UG"
    )
    values: dict[str, Any] = {
        "payment_method": PAYMENT_METHOD_MOBILE_MONEY,
        "currency_code": "UGX",
        "customer": customer,
    }
    return card_request(**(values | changes))


@asynccontextmanager
async def running_stack() -> AsyncIterator[Stack]:
    """Run the stack as `make run` does, with its data in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="stack-") as scratch:
        folder = Path(scratch)
        async with launched(folder, free_offset()) as supervised:
            env = read_env(supervised.checkout.environment)
            async with (
                grpc.aio.insecure_channel(env["PAYMENTS_ADDRESS"]) as channel,
                httpx.AsyncClient(timeout=20) as http,
            ):
                yield Stack(folder=folder, env=env, channel=channel, http=http)
        await dev(folder, "clean-data")
