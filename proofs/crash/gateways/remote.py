"""The gateways as a driven process has them: every call passes its points and crosses a socket."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from kit.clock import Clock
from proofs.crash.gateways import messages as m
from proofs.crash.gateways.books import GatewayBooks
from proofs.crash.points import KillSwitch, Moment
from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.payment import PaymentMethod
from services.payments.domain.reconciliation import Period
from services.payments.domain.refund_reports import RefundOrder, RefundQuery, RefundReport
from services.payments.ports import (
    Capability,
    GatewayDescription,
    NotListed,
    SettlementPage,
    TransactionPage,
)

ReplyT = TypeVar("ReplyT")

NAMES = ("eversend", "flutterwave")


class Post(Protocol):
    """Carries letters to the gateways."""

    async def send(self, ask: m.Ask, reply: type[ReplyT], *, on_its_way: bool = False) -> ReplyT:
        """Send a letter and wait for its answer."""
        ...


class DirectPost:
    """Implements `Post` for gateways in this process."""

    def __init__(self, books: GatewayBooks, clock: Clock) -> None:
        self._books = books
        self._clock = clock

    async def send(self, ask: m.Ask, reply: type[ReplyT], *, on_its_way: bool = False) -> ReplyT:
        """Send a letter; others run before it is answered, as they would over a network."""
        await asyncio.sleep(0)
        letter = m.Letter(at=self._clock.now(), ask=ask, on_its_way=on_its_way)
        return msgspec.convert(self._books.handle(letter), reply)


class SocketPost:
    """Implements `Post` over one connection. Letters are answered one at a time, in order."""

    def __init__(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], clock: Clock
    ) -> None:
        self._reader, self._writer = streams
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    @classmethod
    async def connect(cls, port: int, clock: Clock) -> "SocketPost":
        """Connect to the gateways' process."""
        return cls(await asyncio.open_connection("127.0.0.1", port), clock)

    async def send(self, ask: m.Ask, reply: type[ReplyT], *, on_its_way: bool = False) -> ReplyT:
        """Send a letter and wait for its answer."""
        letter = m.Letter(at=self._clock.now(), ask=ask, on_its_way=on_its_way)
        async with self._one_at_a_time:
            self._writer.write(msgspec.json.encode(letter) + b"\n")
            line = await self._reader.readline()
        if not line:
            raise ConnectionError("the gateways' process is gone")
        return msgspec.json.decode(line, type=reply)

    async def tell(self, ask: m.Ask) -> None:
        """Send a letter that has no answer."""
        await self.send(ask, type(None))

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


class RemoteGateways:
    """Implements the port `Gateways`."""

    def __init__(self, post: Post, switch: KillSwitch) -> None:
        self._post = post
        self._switch = switch

    @property
    def names(self) -> Sequence[str]:
        """Every configured gateway."""
        return NAMES

    async def describe(self) -> Mapping[str, GatewayDescription]:
        """Return what the gateways can do; no call is made for it."""
        return {
            name: GatewayDescription(
                name=name,
                capabilities=[_by_card(), _by_phone(name)],
                can_cancel=True,
            )
            for name in NAMES
        }

    async def create_charge(self, gateway: str, order: ChargeOrder) -> ChargeReport:
        """Create a charge."""
        return await self._call(m.CreateCharge(gateway, order), ChargeReport)

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        """Look an attempt up."""
        ask = m.GetCharge(attempt.gateway, attempt.reference, attempt.gateway_transaction_id)
        return await self._call(ask, ChargeReport)

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:
        """Close an attempt."""
        return await self._call(m.CancelCharge(attempt.gateway, attempt.reference), ChargeReport)

    async def submit_action(self, attempt: Attempt, order: ChargeOrder, otp: str) -> ChargeReport:
        """Hand in a one-time password."""
        return await self._call(m.SubmitOtp(attempt.gateway, order.reference, otp), ChargeReport)

    async def create_refund(self, gateway: str, order: RefundOrder) -> RefundReport:
        """Send money back."""
        return await self._call(m.CreateRefund(gateway, order), RefundReport)

    async def get_refund(self, gateway: str, query: RefundQuery) -> RefundReport:
        """Look a refund up."""
        return await self._call(m.GetRefund(gateway, query.reference), RefundReport)

    async def list_transactions(
        self, gateway: str, period: Period, page_token: str
    ) -> TransactionPage | NotListed:
        """Offer no statement: no story asks for one."""
        return NotListed(detail=f"{gateway}: {period} {page_token}", offered=False)

    async def list_settlements(
        self, gateway: str, period: Period, page_token: str
    ) -> SettlementPage | NotListed:
        """Offer no payouts: no story asks for them."""
        return NotListed(detail=f"{gateway}: {period} {page_token}", offered=False)

    async def _call(self, ask: m.Ask, reply: type[ReplyT]) -> ReplyT:
        self._switch.reach(Moment.BEFORE_CALL)
        if self._switch.count(Moment.CALL_ON_ITS_WAY):
            await self._post.send(ask, type(None), on_its_way=True)
            self._switch.kill()
        answer = await self._post.send(ask, reply)
        # Nothing of ours has seen the answer yet.
        self._switch.reach(Moment.AFTER_EFFECT)
        return answer


def _by_card() -> Capability:
    return Capability(
        method=PaymentMethod.CARD, currency="UGX", countries=frozenset(), flow=Flow.HOSTED
    )


def _by_phone(gateway: str) -> Capability:
    return Capability(
        method=PaymentMethod.MOBILE_MONEY,
        currency="UGX",
        countries=frozenset({"UG"}),
        flow=Flow.PROMPT if gateway == "eversend" else Flow.HOSTED,
    )
