"""The gateways' own books: the truth that our records are compared with afterwards."""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from kit.money import Money
from proofs.crash.gateways import messages as m
from proofs.crash.gateways.records import (
    PAGE_LIFETIME,
    PROMPT_LIFETIME,
    REFUND_TAKES,
    Charge,
    Habits,
    SentRefund,
    Stage,
    Transaction,
)
from proofs.crash.gateways.reports import charge_report, refund_report
from services.payments.domain.attempts import Flow
from services.payments.domain.charges import ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import PaymentMethod
from services.payments.domain.refund_reports import RefundReport

_ON_ITS_WAY_FOR = timedelta(minutes=2)
_NO_HABITS = Habits()
_NEVER = datetime.max.replace(tzinfo=UTC)
_WAITING = frozenset({Stage.PAYABLE, Stage.AWAITS_OTP})


class GatewayBooks:
    """Everything that both gateways know, and everything that people around them saw.

    `habits`: by gateway. `wrong`: what must never happen and did.
    """

    def __init__(self, began: datetime, habits: Mapping[str, Habits]) -> None:
        self.now = began
        self.charges: dict[tuple[str, str], Charge] = {}
        self.refunds: list[SentRefund] = []
        self.wrong: list[str] = []
        self.reached: dict[str, int] | None = None
        self._habits = habits
        self._answers: dict[str, str] = {}
        self._on_their_way: list[tuple[datetime, m.Ask]] = []
        self._changes_at = _NEVER
        self._handlers: dict[type[Any], Callable[[Any], object]] = {
            m.CreateCharge: self._create_charge,
            m.GetCharge: self._get_charge,
            m.CancelCharge: self._cancel_charge,
            m.SubmitOtp: self._submit_otp,
            m.CreateRefund: self._create_refund,
            m.GetRefund: self._get_refund,
            m.PageShown: self._show,
            m.PayersPay: self._pay,
            m.PayersDecline: self._decline,
            m.Answered: self._answered,
            m.TimePasses: lambda _ask: None,
            m.Begins: lambda _ask: None,
            m.Ended: self._ended,
        }

    def handle(self, letter: m.Letter) -> object:
        """Do what a letter asks, at its time, and return the reply."""
        self._pass_time(letter.at)
        if letter.on_its_way:
            arrives_at = letter.at + _ON_ITS_WAY_FOR
            self._on_their_way.append((arrives_at, letter.ask))
            self._expect(arrives_at)
            return None
        return self._handlers[type(letter.ask)](letter.ask)

    def transactions(self) -> Iterator[tuple[Charge, Transaction]]:
        """Yield every transaction that took money, with its charge."""
        for charge in self.charges.values():
            for transaction in charge.transactions:
                yield charge, transaction

    def balance(self, gateway: str, currency: str) -> int:
        """Return what a gateway took less what went back, in minor units."""
        taken = [
            transaction.amount
            for charge, transaction in self.transactions()
            if charge.gateway == gateway
        ]
        returned = [
            each.amount for each in self.refunds if each.gateway == gateway and each.arrived
        ]
        return _total(taken, currency) - _total(returned, currency)

    def _pass_time(self, at: datetime) -> None:
        """Let everything happen that happens by itself until `at`."""
        self.now = max(self.now, at)
        if self.now < self._changes_at:
            return
        arrived = [ask for due, ask in self._on_their_way if due <= self.now]
        self._on_their_way = [each for each in self._on_their_way if each[0] > self.now]
        for ask in arrived:
            self._handlers[type(ask)](ask)
        for charge in self.charges.values():
            if charge.stage in _WAITING and charge.expires_at <= self.now:
                charge.stage = Stage.OVER
                charge.failure_code = "prompt_expired" if charge.flow is Flow.PROMPT else ""
        for refund in self.refunds:
            if refund.done_at <= self.now:
                refund.arrived, refund.failed = not refund.fails, refund.fails
        coming = [
            *(due for due, _ in self._on_their_way),
            *(each.expires_at for each in self.charges.values() if each.stage in _WAITING),
            *(each.done_at for each in self.refunds if each.done_at > self.now),
        ]
        self._changes_at = min(coming, default=_NEVER)

    def _expect(self, at: datetime) -> None:
        """Remember that something happens by itself at `at`."""
        self._changes_at = min(self._changes_at, at)

    def _create_charge(self, ask: m.CreateCharge) -> ChargeReport:
        order, habits = ask.order, self._habits.get(ask.gateway, _NO_HABITS)
        if habits.refuses:
            return ChargeReport(
                answer=Answer.NOT_CREATED,
                reference=order.reference,
                failure_code="method_not_supported",
            )
        if (ask.gateway, order.reference) in self.charges:
            self.wrong.append(f"the charge {order.reference} was sent to {ask.gateway} twice")
            return ChargeReport(answer=Answer.NOT_CREATED, reference=order.reference)
        prompt = order.method is PaymentMethod.MOBILE_MONEY and ask.gateway == "eversend"
        charge = Charge(
            gateway=ask.gateway,
            reference=order.reference,
            payer=order.customer.email,
            amount=order.amount,
            flow=Flow.PROMPT if prompt else Flow.HOSTED,
            stage=Stage.AWAITS_OTP if prompt and habits.asks_otp else Stage.PAYABLE,
            expires_at=self.now + (PROMPT_LIFETIME if prompt else PAGE_LIFETIME),
        )
        self.charges[ask.gateway, order.reference] = charge
        self._expect(charge.expires_at)
        self._require_the_only_one(charge)
        return charge_report(charge, created=True)

    def _get_charge(self, ask: m.GetCharge) -> ChargeReport:
        charge = self._charge(ask.gateway, ask.reference, ask.transaction_id)
        if charge is None:
            return ChargeReport(answer=Answer.NOT_FOUND, reference=ask.reference)
        return charge_report(charge, transaction_id=ask.transaction_id)

    def _cancel_charge(self, ask: m.CancelCharge) -> ChargeReport:
        charge = self._charge(ask.gateway, ask.reference, "")
        if charge is None:
            return ChargeReport(answer=Answer.NOT_FOUND, reference=ask.reference)
        if charge.stage is Stage.PAID and charge.flow is Flow.PROMPT:
            return ChargeReport(answer=Answer.FAILED, reference=ask.reference)
        if charge.stage in _WAITING:
            charge.stage = Stage.OVER
            if charge.flow is Flow.PROMPT:
                charge.failure_code = "payer_declined"
        return ChargeReport(answer=Answer.SUCCEEDED, reference=ask.reference)

    def _submit_otp(self, ask: m.SubmitOtp) -> ChargeReport:
        charge = self._charge(ask.gateway, ask.reference, "")
        if charge is None or charge.stage is not Stage.AWAITS_OTP:
            return ChargeReport(answer=Answer.NOT_CREATED, reference=ask.reference)
        charge.stage = Stage.PAYABLE
        self._require_the_only_one(charge)
        return charge_report(charge, created=True)

    def _create_refund(self, ask: m.CreateRefund) -> RefundReport:
        """Send money back; like a real gateway, again for every request."""
        habits = self._habits.get(ask.gateway, _NO_HABITS)
        refund = SentRefund(
            gateway=ask.gateway,
            reference=ask.order.reference,
            amount=ask.order.amount,
            done_at=self.now + REFUND_TAKES,
            fails=len(self.refunds) < habits.failing_refunds,
        )
        self.refunds.append(refund)
        self._expect(refund.done_at)
        return refund_report(refund)

    def _get_refund(self, ask: m.GetRefund) -> RefundReport:
        found = [each for each in self.refunds if each.reference == ask.reference]
        return refund_report(found[0]) if found else RefundReport(answer=Answer.NOT_FOUND)

    def _show(self, ask: m.PageShown) -> None:
        for charge in self.charges.values():
            if charge.link == ask.link and not charge.shown:
                charge.shown = True
                self._require_the_only_one(charge)

    def _pay(self, ask: m.PayersPay) -> None:
        for charge in self.charges.values():
            if charge.can_be_paid and ask.payer in ("", charge.payer):
                habits = self._habits.get(charge.gateway, _NO_HABITS)
                charge.stage = Stage.PAID
                amount = Money(charge.amount.currency, charge.amount.minor - habits.underpaid)
                times = 2 if habits.paid_twice and charge.flow is Flow.HOSTED else 1
                charge.transactions += [
                    Transaction(id=f"tx{number}-{charge.reference}", amount=amount)
                    for number in range(1, times + 1)
                ]

    def _decline(self, ask: m.PayersDecline) -> None:
        for charge in self.charges.values():
            if charge.can_be_paid and ask.payer in ("", charge.payer):
                charge.failure_code = "declined"
                # A page can be paid on again after a declined try.
                charge.stage = Stage.OVER if charge.flow is Flow.PROMPT else Stage.PAYABLE

    def _answered(self, ask: m.Answered) -> None:
        first = self._answers.setdefault(ask.key, ask.answer)
        if first != ask.answer:
            self.wrong.append(f"TWO ANSWERS to the key {ask.key!r}")

    def _ended(self, ask: m.Ended) -> None:
        self.reached = ask.reached

    def _charge(self, gateway: str, reference: str, transaction_id: str) -> Charge | None:
        if reference:
            return self.charges.get((gateway, reference))
        named = (
            charge
            for charge, transaction in self.transactions()
            if (charge.gateway, transaction.id) == (gateway, transaction_id)
        )
        return next(named, None)

    def _require_the_only_one(self, new: Charge) -> None:
        """Take down when a payer can pay in two ways at once: no proof ended the first."""
        for other in self.charges.values():
            both = new.can_be_paid and other.can_be_paid and other.payer == new.payer
            if both and other is not new:
                self.wrong.append(
                    f"NO PROOF: {new.payer} can pay {new.reference} at {new.gateway} and"
                    f" {other.reference} at {other.gateway}"
                )


def _total(amounts: list[Money], currency: str) -> int:
    return sum(amount.minor for amount in amounts if amount.currency == currency)
