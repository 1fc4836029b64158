"""What happens when a payer posts one of the hosted page's forms (contract A3.4, A13)."""

import re
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.flutterwave.drafts import Attempt
from gateway_sandboxes.flutterwave.hosted_page import HostedPage
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.methods import METHODS, Kind
from gateway_sandboxes.flutterwave.records import Checkout, Step, StepName, Transaction
from gateway_sandboxes.flutterwave.test_cards import (
    POOR_OTP,
    RIGHT_PIN,
    TEST_CARDS,
    WRONG_OTP,
    find_card,
)
from gateway_sandboxes.pages import read_form

MOBILE_OTP = "123456"
# The part after the country code of the numbers whose payments fail in test mode (A13).
_FAILING_NUMBERS = ("121212121", "010101011")
_PHONE = re.compile(r"\+?\d{9,15}")
_MOCK_FAILURE = "Mocked a Failed Transaction"

Form = dict[str, str]


class _FormError(Exception):
    """The form cannot be taken as it is; the message is for the payer."""


class HostedForms:
    """Takes the posted forms of an open checkout; a form that no longer applies changes nothing."""

    def __init__(self, ledger: Ledger, page: HostedPage) -> None:
        self._ledger = ledger
        self._page = page
        self._actions: dict[str, Callable[[Checkout, Form], None]] = {
            "card": self._card,
            "pin": self._pin,
            "avs": self._avs,
            "otp": self._otp,
            "3ds": self._three_d_secure,
            "mobile-money": self._mobile_money,
            "mobile-otp": self._mobile_otp,
            "bank-transfer": self._bank_transfer,
            "express": self._express,
            "back": self._back,
            "cancel": self._cancel,
        }

    async def post(self, request: Request) -> Response:
        """Take a form and send the payer on."""
        form = await read_form(request)
        action = self._actions.get(request.path_params["action"])
        checkout = self._ledger.checkout(request.path_params["token"])
        if checkout is None or action is None:
            return self._page.unknown()
        checkout = self._ledger.start_session(checkout)
        if checkout.state == "open":
            try:
                action(checkout, form)
            except _FormError as problem:
                return self._page.current(checkout, form.get("option"), str(problem))
        return self._page.move_on(self._ledger.checkout(checkout.token) or checkout)

    def _card(self, checkout: Checkout, form: Form) -> None:
        if checkout.step is not None or "card" not in checkout.order.options:
            return
        position = find_card(form.get("card_number", ""), form.get("expiry", ""))
        if position is None:
            raise _FormError("Only the test cards below work in the sandbox")
        card = TEST_CARDS[position]
        attempt = Attempt(option="card", card=position)
        if card.flow in ("pin", "avs"):
            name: StepName = "pin" if card.flow == "pin" else "avs"
            self._ledger.set_step(checkout, Step(name=name, option="card", card=position))
        elif card.flow == "3ds":
            step = Step(name="3ds", option="card", card=position)
            self._ledger.begin(checkout, attempt, step)
        elif card.flow == "noauth":
            self._ledger.succeed(self._ledger.begin(checkout, attempt))
        else:
            self._ledger.decline(self._ledger.begin(checkout, attempt), card.outcome)

    def _pin(self, checkout: Checkout, form: Form) -> None:
        step = _at(checkout, "pin")
        if step is None:
            return
        attempt = Attempt(option="card", card=step.card)
        if form.get("pin") == RIGHT_PIN:
            self._ledger.begin(checkout, attempt, Step(name="otp", option="card", card=step.card))
        else:
            self._ledger.decline(self._ledger.begin(checkout, attempt), "Incorrect PIN")

    def _avs(self, checkout: Checkout, form: Form) -> None:
        step = _at(checkout, "avs")
        if step is None:
            return
        if not form.get("address"):
            raise _FormError("Enter the street of your billing address")
        attempt = Attempt(option="card", card=step.card)
        self._ledger.succeed(self._ledger.begin(checkout, attempt))

    def _otp(self, checkout: Checkout, form: Form) -> None:
        transaction = self._under_way(checkout, "otp")
        if transaction is None:
            return
        otp = form.get("otp", "")
        if not otp:
            raise _FormError("Enter the one-time password")
        if otp == WRONG_OTP:
            self._ledger.decline(transaction, "Incorrect OTP")
        elif otp == POOR_OTP:
            self._ledger.decline(transaction, "Insufficient Funds")
        else:
            self._ledger.succeed(transaction)

    def _three_d_secure(self, checkout: Checkout, form: Form) -> None:
        transaction = self._under_way(checkout, "3ds")
        if transaction is None:
            return
        if form.get("decision") == "approve":
            self._ledger.succeed(transaction)
        else:
            self._ledger.decline(transaction, "Transaction not authenticated")

    def _mobile_money(self, checkout: Checkout, form: Form) -> None:
        option = _chosen(checkout, form, "mobile_money")
        if option is None:
            return
        phone = re.sub(r"[\s-]", "", form.get("phone", ""))
        if not _PHONE.fullmatch(phone):
            raise _FormError("Enter a phone number with its country code")
        attempt = Attempt(option=option, phone=phone)
        self._ledger.begin(checkout, attempt, Step(name="mobile_otp", option=option))

    def _mobile_otp(self, checkout: Checkout, form: Form) -> None:
        transaction = self._under_way(checkout, "mobile_otp")
        if transaction is None:
            return
        if form.get("decision") == "decline":
            self._ledger.decline(transaction, "Declined by the customer")
        elif (transaction.phone or "").endswith(_FAILING_NUMBERS):
            self._ledger.decline(transaction, _MOCK_FAILURE)
        elif form.get("otp") == MOBILE_OTP:
            self._ledger.succeed(transaction)
        else:
            self._ledger.decline(transaction, "Incorrect OTP")

    def _bank_transfer(self, checkout: Checkout, form: Form) -> None:
        option = _chosen(checkout, {"option": "banktransfer", **form}, "bank_transfer")
        if option is not None:
            self._ledger.succeed(self._ledger.begin(checkout, Attempt(option=option)))

    def _express(self, checkout: Checkout, form: Form) -> None:
        option = _chosen(checkout, form, "one_button")
        if option is None:
            return
        transaction = self._ledger.begin(checkout, Attempt(option=option))
        if checkout.order.tx_ref.endswith("_failed_mock"):
            self._ledger.decline(transaction, _MOCK_FAILURE)
        else:
            self._ledger.succeed(transaction)

    def _back(self, checkout: Checkout, _: Form) -> None:
        if checkout.step is not None and checkout.step.transaction_id is None:
            self._ledger.set_step(checkout, None)

    def _cancel(self, checkout: Checkout, _: Form) -> None:
        self._ledger.close(checkout, "cancelled")

    def _under_way(self, checkout: Checkout, name: StepName) -> Transaction | None:
        """Return the attempt in the named step; None when the payer is somewhere else by now."""
        return self._ledger.pending_transaction(checkout) if _at(checkout, name) else None


def _at(checkout: Checkout, name: StepName) -> Step | None:
    return checkout.step if checkout.step is not None and checkout.step.name == name else None


def _chosen(checkout: Checkout, form: Form, kind: Kind) -> str | None:
    """Return the posted option when the payer may choose it now."""
    option = form.get("option", "")
    usable = checkout.step is None and option in checkout.order.options
    return option if usable and METHODS[option].kind == kind else None
