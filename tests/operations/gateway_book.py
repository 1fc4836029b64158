"""A gateway that keeps its own books: who paid on what, what was closed, what went back."""

import random
from collections import Counter

from kit.money import Money
from services.payments.domain.attempts import Flow
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.refund_reports import RefundReport
from tests.operations.fakes import Call, Operation, ScriptedGateways, refund_reply, reply

_MOST_TRIES = 2


class GatewayBook:
    """Answers the calls of scripted gateways from what really happened to their money.

    `chance` decides which replies get lost and which payers pay; the same seed tells the same.
    """

    def __init__(self, gateways: ScriptedGateways, chance: random.Random) -> None:
        self.taken: dict[str, list[str]] = {}
        self.returned: Counter[str] = Counter()
        self._chance = chance
        self._open: dict[str, Flow] = {}
        self._declined: set[str] = set()
        self._refunds: set[str] = set()
        gateways.always(Operation.CREATE, self._create)
        gateways.always(Operation.LOOK_UP, self._look_up)
        gateways.always(Operation.CANCEL, self._close)
        gateways.always(Operation.REFUND, self._refund)
        gateways.always(Operation.LOOK_UP_REFUND, self._look_up_refund)

    def pay_somewhere(self) -> None:
        """Let a payer pay on what is open, perhaps in a second tab, or was declined before."""
        where = sorted(self._open) + sorted(self._declined)
        if not where:
            return
        reference = self._chance.choice(where)
        tries = self.taken.setdefault(reference, [])
        most = _MOST_TRIES if self._open.get(reference) is Flow.HOSTED else 1
        if len(tries) < most:
            tries.append(f"tx-{reference}-{len(tries)}")

    def decline_somewhere(self) -> None:
        """Let a payer's try fail, for now."""
        waiting = sorted(set(self._open) - set(self.taken))
        if waiting:
            reference = self._chance.choice(waiting)
            del self._open[reference]
            self._declined.add(reference)

    def close_everything(self) -> None:
        """Let every page lapse and every prompt be declined."""
        self._declined |= set(self._open)
        self._open.clear()

    @property
    def transactions(self) -> list[str]:
        """Every transaction that took the price."""
        return [each for tries in self.taken.values() for each in tries]

    async def _create(self, call: Call) -> ChargeReport | RefundReport:
        if self._chance.random() < 0.15:
            return await reply(Answer.NOT_SENT)(call)
        assert call.flow is not None
        self._open[call.reference] = call.flow
        lost = self._chance.random() < 0.2
        if lost and call.flow is Flow.HOSTED:
            # Nobody gets to see its link.
            del self._open[call.reference]
        return await reply(Answer.UNKNOWN if lost else Answer.REQUIRES_ACTION)(call)

    async def _look_up(self, call: Call) -> ChargeReport | RefundReport:
        if self._chance.random() < 0.1:
            return await reply(Answer.UNKNOWN)(call)
        tries = self.taken.get(call.reference, [])
        if not tries and call.reference in self._declined:
            return await reply(Answer.FAILED)(call)
        if not tries:
            waits = self._open.get(call.reference) is Flow.PROMPT
            return await reply(Answer.PENDING if waits else Answer.NOT_FOUND)(call)
        named = call.transaction_id if call.transaction_id in tries else tries[0]
        others = tuple(each for each in tries if each != named)
        success = reply(
            Answer.SUCCEEDED, gateway_transaction_id=named, further_transaction_ids=others
        )
        return await success(call)

    async def _close(self, call: Call) -> ChargeReport | RefundReport:
        if call.flow is Flow.PROMPT:
            return await reply(Answer.NOT_CREATED)(call)
        self._open.pop(call.reference, None)
        return await reply(Answer.SUCCEEDED)(call)

    async def _refund(self, call: Call) -> ChargeReport | RefundReport:
        if self._chance.random() < 0.15:
            return await refund_reply(Answer.NOT_SENT)(call)
        assert call.reference not in self._refunds, "a refund was sent twice"
        self._refunds.add(call.reference)
        self.returned[call.transaction_id] += call.amount.minor
        lost = self._chance.random() < 0.3
        return await refund_reply(Answer.UNKNOWN if lost else Answer.PENDING)(call)

    async def _look_up_refund(self, call: Call) -> ChargeReport | RefundReport:
        there = call.reference in self._refunds
        return await refund_reply(Answer.SUCCEEDED if there else Answer.NOT_FOUND)(call)


def kept_minor(book: GatewayBook, price: Money) -> int:
    """Return what the gateways took and did not give back, in minor units."""
    return len(book.transactions) * price.minor - book.returned.total()
