"""Members at their phones and browsers: they know only the answers that they get."""

from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from proofs.simulation.asking import Asking, Request
from proofs.simulation.gateways.eversend import RIGHT_OTP, WRONG_OTP
from proofs.simulation.payers import Payers
from proofs.simulation.plan import Action, Press, PurchasePlan, customer_of
from proofs.simulation.staff import Staff
from services.payments.domain.payment import ActionKind, Payment, PaymentMethod
from services.payments.operations.cancel_payment import CancelPaymentCommand, cancel_payment
from services.payments.operations.create_payment import CreatePaymentCommand, create_payment
from services.payments.operations.dependencies import Dependencies
from services.payments.operations.read_payments import get_payment
from services.payments.operations.retry_payment import RetryPaymentCommand, retry_payment
from services.payments.operations.submit_action import SubmitActionCommand, submit_action
from services.payments.operations.verify_payment import verify_payment

_Act = Callable[[Dependencies, Payment], Coroutine[Any, Any, Payment]]
_WRONG_OTP_SHARE = 0.2


class Purchase:
    """One member's way to one thing."""

    def __init__(self, plan: PurchasePlan, asking: Asking, payers: Payers, staff: Staff) -> None:
        self._plan = plan
        self._asking = asking
        self._payers = payers
        self._staff = staff
        self._loop = asking.nature.loop
        self._key = asking.new_key()
        self._payment_id: UUID | None = None
        # Which payment each key was answered with.
        self._answers: dict[str, UUID] = {}
        self._presses = {
            Press.REPEAT: self._repeat,
            Press.OTHER_TAB: self._buy_otherwise,
            Press.VERIFY: self._verify,
            Press.CANCEL: self._cancel,
            Press.BUY_AGAIN: self._buy_otherwise,
            Press.RETRY: self._retry,
            Press.REFUND: self._refund,
        }

    async def run(self) -> None:
        """Buy, then press what the plan says; the first answer may still be missing then."""
        plan = self._plan
        await self._loop.passed(plan.begins_at)
        self._start(self._buy(plan.method, self._key))
        pressed_at = 0.0
        for action in plan.actions:
            await self._loop.passed(action.after - pressed_at)
            pressed_at = action.after
            self._start(self._presses[action.press](action))

    async def _buy(self, method: PaymentMethod, key: str) -> None:
        plan = self._plan
        command = CreatePaymentCommand(
            user_id=plan.user_id,
            tier=plan.tier,
            billing_cycle=plan.cycle,
            payment_method=method,
            currency="UGX",
            customer=customer_of(plan.user_id),
            return_url="https://creators.example/return",
            idempotency_key=key,
        )
        what = f"buys {plan.tier} {plan.cycle} by {method} with {key}"
        payment = await self._ask(what, lambda deps: create_payment(deps, command))
        if payment is None:
            return
        if self._answers.setdefault(key, payment.id) != payment.id:
            self._asking.report(f"the key {key} was answered with two payments")
        self._saw(payment)

    async def _repeat(self, _action: Action) -> None:
        await self._buy(self._plan.method, self._key)

    async def _buy_otherwise(self, action: Action) -> None:
        await self._buy(action.method, self._asking.new_key())

    async def _verify(self, _action: Action) -> None:
        async def verify(deps: Dependencies, payment: Payment) -> Payment:
            return await verify_payment(deps, payment)

        await self._press("asks whether it is paid", verify)

    async def _cancel(self, _action: Action) -> None:
        key = self._asking.new_key()

        async def cancel(deps: Dependencies, payment: Payment) -> Payment:
            command = CancelPaymentCommand(payment_id=payment.id, idempotency_key=key)
            return await cancel_payment(deps, payment, command)

        await self._press(f"cancels with {key}", cancel)

    async def _retry(self, action: Action) -> None:
        key = self._asking.new_key()

        async def retry(deps: Dependencies, payment: Payment) -> Payment:
            command = RetryPaymentCommand(
                payment_id=payment.id, idempotency_key=key, payment_method=action.method
            )
            return await retry_payment(deps, payment, command)

        await self._press(f"tries again by {action.method} with {key}", retry)

    async def _enter_otp(self, *, wrong: bool) -> None:
        key = self._asking.new_key()

        async def submit(deps: Dependencies, payment: Payment) -> Payment:
            otp = WRONG_OTP if wrong else RIGHT_OTP
            command = SubmitActionCommand(payment_id=payment.id, otp=otp, idempotency_key=key)
            return await submit_action(deps, payment, command)

        await self._press(f"enters a {'wrong' if wrong else 'right'} password with {key}", submit)
        if wrong:
            await self._enter_otp(wrong=False)

    async def _refund(self, _action: Action) -> None:
        if self._payment_id is not None:
            await self._staff.refund(self._payment_id)

    async def _press(self, what: str, act: _Act) -> None:
        payment_id = self._payment_id
        if payment_id is None:
            return

        async def request(deps: Dependencies) -> Payment:
            return await act(deps, await get_payment(deps, payment_id))

        payment = await self._ask(what, request)
        if payment is not None:
            self._saw(payment)

    def _saw(self, payment: Payment) -> None:
        """Act on what an answer says that the member does next."""
        self._payment_id = payment.id
        action = payment.next_action
        if action.kind is ActionKind.REDIRECT:
            self._payers.got_link(action.value, self._plan.habit)
        elif action.kind is ActionKind.OTP:
            self._start(self._read_message())

    async def _read_message(self) -> None:
        chance = self._asking.nature.chance
        await self._loop.passed(chance.between(2.0, 90.0))
        await self._enter_otp(wrong=chance.hits(_WRONG_OTP_SHARE))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._loop.create_task(work)

    async def _ask(self, what: str, request: Request[Payment]) -> Payment | None:
        user_id = self._plan.user_id
        return await self._asking.ask(user_id, what, request, user_id)
