"""Everybody at once: members, staff, callbacks and workers, with a gateway that keeps its books."""

import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest

from kit.errors import ServiceError
from kit.money import Money
from services.payments.domain.errors import StaleWriteError
from services.payments.domain.payment import Payment, PaymentMethod
from services.payments.operations.verify_payment import verify_payment
from tests.operations.gateway_book import GatewayBook, kept_minor
from tests.operations.stories import PRICE
from tests.operations.suite import Suite, by_card, by_phone

SEEDS = range(8)
STEPS, AT_ONCE = 10, 6
_OFTEN = 0.4
# Four days: past the last look for a second success under a paid reference.
_ROUNDS, _EIGHT_HOURS = 12, 8 * 3600
_KEPT = """
SELECT coalesce(sum(amount - refunded_amount), 0), count(*) FROM creators_membership
WHERE status IN ('completed', 'partially_refunded', 'disputed')
"""
_ALL = "SELECT id FROM creators_membership ORDER BY created_at, id"


class Crowd:
    """People and processes that do something at random, all on one member's payments."""

    def __init__(self, suite: Suite, seed: int) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self.book = GatewayBook(suite.gateways, self.chance)
        self._suite = suite
        self._number = 0

    async def act(self) -> None:
        """Do one thing at random; a refusal is an answer like any other."""
        deeds: list[Callable[[], Awaitable[object]]] = [
            *[self._buy] * 3,
            *[self._retry] * 4,
            *[self._cancel] * 2,
            *[self._call_back] * 2,
            *[self._work] * 3,
            self._verify,
            self._refund,
        ]
        try:
            await self.chance.choice(deeds)()
        except (ServiceError, StaleWriteError):
            return

    async def settle(self) -> None:
        """Let nobody do anything new, and the worker do its part until nothing is left to do."""
        self.book.close_everything()
        for _ in range(_ROUNDS):
            self._suite.clock.advance(_EIGHT_HOURS)
            await self._work()

    def _key(self) -> str:
        self._number += 1
        return f"key-{self._number}"

    async def _some_payment(self) -> Payment | None:
        rows = await self._suite.witness.rows(_ALL)
        if not rows:
            return None
        return await self._suite.payment(self.chance.choice(rows)["id"])

    async def _buy(self) -> None:
        command = self.chance.choice([by_card, by_phone])(idempotency_key=self._key())
        await self._suite.create(command)

    async def _retry(self) -> None:
        method = self.chance.choice([None, PaymentMethod.CARD, PaymentMethod.MOBILE_MONEY])
        if payment := await self._some_payment():
            await self._suite.retry(payment, self._key(), payment_method=method)

    async def _cancel(self) -> None:
        if payment := await self._some_payment():
            await self._suite.cancel(payment, self._key())

    async def _verify(self) -> None:
        if payment := await self._some_payment():
            await verify_payment(self._suite.deps, payment)

    async def _call_back(self) -> None:
        if payment := await self._some_payment():
            attempt = self.chance.choice(await self._suite.attempts(payment.id))
            await self._suite.deliver(attempt, key=self._key())

    async def _refund(self) -> None:
        if payment := await self._some_payment():
            amount = self.chance.choice([None, Money("UGX", 1_000), Money("UGX", 34_000)])
            await self._suite.refund(payment, amount, key=self._key())

    async def _work(self) -> None:
        for work in (
            self._suite.handle_events,
            self._suite.check_attempts,
            self._suite.work_on_refunds,
        ):
            try:
                await work()
            except StaleWriteError:
                continue


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_everybody_does_at_once_what_is_kept_is_what_is_granted(
    suite: Suite, seed: int
) -> None:
    crowd = Crowd(suite, seed)
    for _ in range(STEPS):
        await asyncio.gather(*(crowd.act() for _ in range(AT_ONCE)))
        for happening in (crowd.book.pay_somewhere, crowd.book.decline_somewhere):
            if crowd.chance.random() < _OFTEN:
                happening()
        suite.clock.advance(crowd.chance.choice([1, 5, 20, 61, 600]))
    await crowd.settle()
    ((kept, granting),) = await suite.witness.rows(_KEPT)
    captured = await suite.witness.rows("SELECT gateway_transaction_id FROM captures")
    assert sorted(row[0] for row in captured) == sorted(crowd.book.transactions)
    assert kept_minor(crowd.book, PRICE) == kept
    assert granting <= 1
    assert max(crowd.book.returned.values(), default=0) <= PRICE.minor
    assert (await suite.membership()).payment_id is None or granting == 1
    assert granting == 0 or (await suite.membership()).payment_id is not None
