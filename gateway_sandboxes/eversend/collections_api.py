"""Collections: fees, one-time passwords, mobile money, and the assumed card (sections 5 and 9)."""

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.amounts import parse_amount, plain
from gateway_sandboxes.eversend.account import Account
from gateway_sandboxes.eversend.bodies import created
from gateway_sandboxes.eversend.corridors import LIMITS, fee
from gateway_sandboxes.eversend.creation_reply import creation_reply
from gateway_sandboxes.eversend.order_reader import (
    read_amount,
    read_card_order,
    read_momo_order,
    read_payload,
    read_phone,
    read_text,
    reject_unknown,
)
from gateway_sandboxes.eversend.records import Order, Transaction
from gateway_sandboxes.eversend.replies import SERVER_ERROR, RefusedError, success
from gateway_sandboxes.faults import Subject
from gateway_sandboxes.machinery import Machinery

CHECKOUT_PATH = "/checkout"


class CollectionsApi:
    """The endpoints that ask payers for money."""

    def __init__(self, account: Account, machinery: Machinery, public_url: str) -> None:
        self._ledger = account.ledger
        self._wallets = account.wallets
        self._passwords = account.passwords
        self._machinery = machinery
        self._public_url = public_url

    async def fees(self, request: Request) -> Response:
        """Quote a collection; every value is a string."""
        payload = await read_payload(request)
        reject_unknown(payload, ("method", "currency", "amount"))
        method, currency = read_text(payload, "method"), read_text(payload, "currency")
        if method not in ("momo", "bank"):
            raise RefusedError('"method" must be one of [momo, bank]')
        if currency not in LIMITS:
            raise RefusedError(f"Collections in {currency} are not supported at the moment")
        amount = read_amount(payload, currency)
        limits, balance = LIMITS[currency], self._wallets.balance(currency)
        charges = fee(amount, currency)
        return success(
            {
                "currency": currency,
                "min_load_amount": f"{limits.smallest:.2f}",
                "max_load_amount": f"{limits.largest:.2f}",
                "max_limit": f"{limits.account:.2f}",
                "amount_available_to_load": f"{limits.account - balance:.2f}",
                "charges": plain(charges),
                "total_to_pay": plain(amount + charges),
                "amount": plain(amount),
                "payment_method": "16",
                "new_balance": f"{balance + amount:.2f}",
            }
        )

    async def one_time_password(self, request: Request) -> Response:
        """Send a password to a phone. A wrongly named delivery field breaks the real server too."""
        payload = await read_payload(request)
        if "type" in payload:
            raise RefusedError(SERVER_ERROR, 500)
        reject_unknown(payload, ("phone", "code_type"))
        return success({"pinId": self._passwords.send(read_phone(payload)).pin_id})

    async def momo(self, request: Request) -> Response:
        """Ask a phone for money."""
        payload = await read_payload(request)
        behaviour = self._machinery.behaviour.current
        order = read_momo_order(payload, behaviour)
        if (existing := self._existing(order)) is not None:
            return success(created(existing))
        if behaviour.require_otp or "otp" in payload:
            self._passwords.use_up(payload.get("otp"), order.phone)
        transaction = self._ledger.create(order)

        async def settle() -> None:
            self._ledger.succeed(transaction)
            await self._machinery.outbox.wait_for_tries(transaction.reference)

        return await creation_reply(order.phone, created(transaction), settle)

    async def card(self, request: Request) -> Response:
        """Offer a card page, where that assumption is switched on."""
        behaviour = self._machinery.behaviour.current
        if not behaviour.card:
            raise RefusedError("Not Found", 404)
        order = read_card_order(await read_payload(request), behaviour)
        transaction = self._existing(order) or self._ledger.create(order)
        url = f"{self._public_url}{CHECKOUT_PATH}/{transaction.transaction_id}"
        return success({**created(transaction), "checkoutUrl": url})

    async def describe_creation(self, request: Request) -> Subject:
        """Say what a creation is about, as far as its body can be read."""
        payload = await read_payload(request)
        reference, phone = payload.get("transactionRef"), payload.get("phone")
        return Subject(
            operation="create",
            reference=reference if isinstance(reference, str) else None,
            phone=phone if isinstance(phone, str) else None,
            amount=parse_amount(payload.get("amount")),
        )

    def _existing(self, order: Order) -> Transaction | None:
        """Return what a repeated reference is answered with; None when it makes a new one."""
        mode = self._machinery.behaviour.current.duplicate_ref
        if order.transaction_ref is None or mode == "accept":
            return None
        existing = self._ledger.under_reference(order.transaction_ref)
        if existing and mode == "reject":
            raise RefusedError("transactionRef already exists")
        return existing[0] if existing else None
