"""The stories that are interrupted: what comes before, what is interrupted, how it ends."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from proofs.crash.actor import Actor
from proofs.crash.gateways.records import Habits
from services.payments.domain.payment import PaymentMethod
from services.payments.operations.resolve_review import ReviewDecision

_CARD, _PHONE = PaymentMethod.CARD, PaymentMethod.MOBILE_MONEY
_PAST_A_REFUND = 65.0
_PAST_A_PAGE = 3630.0


async def _nothing(_actor: Actor) -> None:
    """Begin with an empty database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """One story.

    `prepare`: what has happened before. `act`: what is interrupted; its requests have keys, so that
    it can be told again. `ends`: the payment's status when nothing goes wrong. `habits`: of the
    gateways.
    """

    act: Callable[[Actor], Awaitable[None]]
    ends: str
    prepare: Callable[[Actor], Awaitable[None]] = _nothing
    habits: Mapping[str, Habits] = field(default_factory=dict)


async def _create_by_card(actor: Actor) -> None:
    await actor.create(_CARD)


async def _create_by_phone(actor: Actor) -> None:
    await actor.create(_PHONE)


async def _paid_by_card(actor: Actor) -> None:
    await actor.create(_CARD)
    await actor.pay()


async def _paid_by_phone(actor: Actor) -> None:
    await actor.create(_PHONE)
    await actor.pay()


async def _completed(actor: Actor) -> None:
    await _paid_by_phone(actor)
    await actor.verify()


async def _declined(actor: Actor) -> None:
    await actor.create(_PHONE)
    await actor.decline()
    await actor.verify()


async def _refund_failed(actor: Actor) -> None:
    await _completed(actor)
    await actor.refund()
    await actor.wait(_PAST_A_REFUND)


async def _held(actor: Actor) -> None:
    await _paid_by_phone(actor)
    await actor.verify()


async def _pay_and_call_back(actor: Actor) -> None:
    await actor.call_back()


async def _refund(actor: Actor) -> None:
    await actor.refund()
    await actor.wait(_PAST_A_REFUND)


async def _refund_in_two_parts(actor: Actor) -> None:
    await actor.refund_in_two_parts()
    await actor.wait(_PAST_A_REFUND)


async def _refund_again(actor: Actor) -> None:
    await actor.retry_refund()
    await actor.wait(_PAST_A_REFUND)


async def _verify_and_return_surplus(actor: Actor) -> None:
    await actor.verify()
    await actor.queues.work_off()
    await actor.wait(_PAST_A_REFUND)


async def _retry_by_card(actor: Actor) -> None:
    await actor.retry(_CARD)


async def _switch_to_phone(actor: Actor) -> None:
    await actor.retry(_PHONE)


async def _cancel(actor: Actor) -> None:
    await actor.cancel()


async def _expire(actor: Actor) -> None:
    await actor.wait(_PAST_A_PAGE)


async def _send_back(actor: Actor) -> None:
    await actor.resolve_review(ReviewDecision.REFUND)
    await actor.wait(_PAST_A_REFUND)


async def _let_it_buy(actor: Actor) -> None:
    await actor.resolve_review(ReviewDecision.GRANT)


async def _verify(actor: Actor) -> None:
    await actor.verify()


async def _submit_otp(actor: Actor) -> None:
    await actor.submit_otp()


_REFUSING = {"eversend": Habits(refuses=True)}
_TWICE = {"eversend": Habits(paid_twice=True)}
_ASKING = {"eversend": Habits(asks_otp=True)}
_SHORT = {"eversend": Habits(underpaid=True)}
_FAILING_ONCE = {"eversend": Habits(failing_refunds=1)}

STORIES: Mapping[str, Story] = {
    "create": Story(act=_create_by_card, ends="processing"),
    "create-prompt": Story(act=_create_by_phone, ends="processing"),
    "fallback": Story(act=_create_by_card, ends="processing", habits=_REFUSING),
    "fallback-prompt": Story(act=_create_by_phone, ends="processing", habits=_REFUSING),
    "verify": Story(prepare=_paid_by_card, act=_verify, ends="completed"),
    "event": Story(prepare=_paid_by_card, act=_pay_and_call_back, ends="completed"),
    "retry": Story(prepare=_declined, act=_retry_by_card, ends="processing"),
    "switch": Story(prepare=_create_by_card, act=_switch_to_phone, ends="processing"),
    "cancel": Story(prepare=_create_by_card, act=_cancel, ends="cancelled"),
    "expire": Story(prepare=_create_by_card, act=_expire, ends="expired"),
    "otp": Story(prepare=_create_by_phone, act=_submit_otp, ends="processing", habits=_ASKING),
    "refund": Story(prepare=_completed, act=_refund, ends="refunded"),
    "refund-parts": Story(prepare=_completed, act=_refund_in_two_parts, ends="refunded"),
    "refund-again": Story(
        prepare=_refund_failed, act=_refund_again, ends="refunded", habits=_FAILING_ONCE
    ),
    "surplus": Story(
        prepare=_paid_by_card, act=_verify_and_return_surplus, ends="completed", habits=_TWICE
    ),
    "review-refund": Story(prepare=_held, act=_send_back, ends="failed", habits=_SHORT),
    "review-grant": Story(prepare=_held, act=_let_it_buy, ends="completed", habits=_SHORT),
}
