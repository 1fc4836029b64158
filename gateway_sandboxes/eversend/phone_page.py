"""The payer's phone: prompts to approve or decline, and messages; works without scripts."""

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway_sandboxes.amounts import grouped
from gateway_sandboxes.eversend.account import Account
from gateway_sandboxes.eversend.outcomes import DECLINED
from gateway_sandboxes.eversend.passwords import RIGHT_PIN
from gateway_sandboxes.eversend.records import Transaction
from gateway_sandboxes.pages import Pages

PHONE_PATH = "/phone"
TEMPLATES = Path(__file__).parent / "templates"

_SEE_OTHER = 303
_MOST_PAST_PROMPTS = 10


class PhonePage:
    """Shows phones by number, and takes what their owners decide."""

    def __init__(self, account: Account, merchant_name: str) -> None:
        self._ledger = account.ledger
        self._payouts = account.payouts
        self._passwords = account.passwords
        self._merchant_name = merchant_name
        self._pages = Pages(TEMPLATES)

    async def phones(self, _: Request) -> Response:
        """List the phones that have ever been asked, those with pending prompts first."""
        numbers = dict.fromkeys((*self._ledger.phones(), *self._passwords.phones()))
        phones = [
            {
                "number": number,
                "href": f"{PHONE_PATH}/{number}",
                "pending": sum(map(_is_pending, self._ledger.on_phone(number))),
            }
            for number in numbers
        ]
        phones.sort(key=lambda phone: not phone["pending"])
        return self._pages.render("phones.html", phones=phones)

    async def phone(self, request: Request) -> Response:
        """Show one phone's screen; a phone nobody has asked yet shows an empty one."""
        number = _e164(request)
        asked = [t for t in reversed(self._ledger.on_phone(number)) if t.prompt_expires_at]
        past = [transaction for transaction in asked if not _is_pending(transaction)]
        return self._pages.render(
            "phone.html",
            number=number,
            messages=self._messages(number),
            prompts=[self._prompt(number, t) for t in asked if _is_pending(t)],
            past=[self._prompt(number, t) for t in past[:_MOST_PAST_PROMPTS]],
        )

    async def approve(self, request: Request) -> Response:
        """Approve a prompt; any PIN is right, and none is kept."""
        if (transaction := self._prompted(request)) is not None:
            self._ledger.succeed(transaction)
        return RedirectResponse(f"{PHONE_PATH}/{_e164(request)}", _SEE_OTHER)

    async def decline(self, request: Request) -> Response:
        """Decline a prompt."""
        if (transaction := self._prompted(request)) is not None:
            self._ledger.decline(transaction, DECLINED)
        return RedirectResponse(f"{PHONE_PATH}/{_e164(request)}", _SEE_OTHER)

    def _messages(self, number: str) -> list[str]:
        """Return what was texted to a phone: the password that it may use, and money from us."""
        passwords = [f"Your one-time password is {RIGHT_PIN}."] * self._passwords.waits_on(number)
        received = [
            f"You received {payout.quotation.destination_currency}"
            f" {grouped(payout.quotation.destination_amount)} from {self._merchant_name}."
            for payout in reversed(self._payouts.on_phone(number))
            if payout.status == "successful"
        ]
        return [*passwords, *received[:_MOST_PAST_PROMPTS]]

    def _prompted(self, request: Request) -> Transaction | None:
        """Return the transaction whose pending prompt is on this phone."""
        transaction = self._ledger.transaction(request.path_params["transaction_id"])
        if transaction is None or transaction.order.phone != _e164(request):
            return None
        return transaction if _is_pending(transaction) else None

    def _prompt(self, number: str, transaction: Transaction) -> dict[str, object]:
        return {
            "action": f"{PHONE_PATH}/{number}/prompts/{transaction.transaction_id}",
            "id": transaction.transaction_id,
            "amount": f"{transaction.order.currency} {grouped(transaction.order.amount)}",
            "merchant": self._merchant_name,
            "status": transaction.status,
            "reason": transaction.reason or "",
            "time": f"{transaction.updated_at:%H:%M}",
        }


def _is_pending(transaction: Transaction) -> bool:
    return transaction.status == "pending" and transaction.prompt_expires_at is not None


def _e164(request: Request) -> str:
    return "+" + re.sub(r"\D", "", request.path_params["phone"])
