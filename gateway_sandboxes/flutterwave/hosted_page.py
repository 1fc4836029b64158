"""The hosted page: what a payer sees behind a link, at every moment of the session."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway_sandboxes.amounts import grouped
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.methods import METHODS
from gateway_sandboxes.flutterwave.payments_api import HOSTED_PATH
from gateway_sandboxes.flutterwave.records import Checkout
from gateway_sandboxes.flutterwave.returning import return_url
from gateway_sandboxes.flutterwave.settings import Behaviour
from gateway_sandboxes.flutterwave.test_cards import TEST_CARDS, TestCard
from gateway_sandboxes.pages import Pages
from gateway_sandboxes.settings import Switchable

_SEE_OTHER = 303
_UNPROCESSABLE = 422

_FLOWS = {
    "pin": "Succeeds after PIN and OTP",
    "3ds": "Succeeds after 3-D Secure",
    "avs": "Succeeds after the billing address",
    "noauth": "Succeeds at once",
}
# heading, explanation, mark, tone
_ENDINGS = {
    "paid": ("Payment complete", "This payment has been made.", "✓", "good"),
    "failed": ("Payment failed", "The payment did not go through.", "✕", "bad"),
    "cancelled": ("Payment cancelled", "Nothing more can be paid here.", "✕", "bad"),
    "disabled": ("This payment link is currently inactive", "The merchant closed it.", "✕", "bad"),
    "expired": ("Session timed out", "This payment link is no longer valid.", "✕", "bad"),
}


class HostedPage:
    """Renders the page of a hosted link, and sends payers on when it is over."""

    def __init__(self, ledger: Ledger, behaviour: Switchable[Behaviour]) -> None:
        self._ledger = ledger
        self._behaviour = behaviour
        self._pages = Pages(Path(__file__).parent / "templates")

    async def show(self, request: Request) -> Response:
        """Show where the payer stands: the choice of a method, a step on the way, or the end."""
        checkout = self._ledger.checkout(request.path_params["token"])
        if checkout is None:
            return self.unknown()
        checkout = self._ledger.start_session(checkout)
        return self.current(checkout, request.query_params.get("option"))

    def current(self, checkout: Checkout, option: str | None = None, problem: str = "") -> Response:
        """Render the checkout as it is; `problem` is what is wrong with the form just posted."""
        if checkout.state != "open":
            return self._closed(checkout)
        status = _UNPROCESSABLE if problem else 200
        if checkout.step is not None:
            return self._pages.render(
                "step.html",
                status,
                **self._facts(checkout),
                step=checkout.step.name,
                can_go_back=checkout.step.transaction_id is None,
                error=problem,
            )
        chosen = option if option in checkout.order.options else checkout.order.options[0]
        return self._pages.render(
            "method.html",
            status,
            **self._facts(checkout),
            methods=[METHODS[name] for name in checkout.order.options],
            method=METHODS[chosen],
            phone=checkout.order.customer_phone or "",
            cards=[_explained(card) for card in TEST_CARDS],
            error=problem,
        )

    def move_on(self, checkout: Checkout) -> Response:
        """Send the payer to what comes next: the page again, or back to the merchant."""
        target = page_url(checkout)
        if checkout.state != "open":
            target = self._return_url(checkout) or target
        return RedirectResponse(target, _SEE_OTHER)

    def unknown(self) -> Response:
        """Render the page of a link that never existed."""
        return self._pages.render(
            "closed.html",
            404,
            heading="This payment link does not exist",
            explanation="Ask the merchant for a new one.",
            mark="?",
            tone="",
            return_url=None,
            merchant="",
        )

    def _closed(self, checkout: Checkout) -> Response:
        heading, explanation, mark, tone = _ENDINGS[checkout.state]
        return self._pages.render(
            "closed.html",
            heading=heading,
            explanation=explanation,
            mark=mark,
            tone=tone,
            return_url=self._return_url(checkout),
            merchant=checkout.order.title,
        )

    def _facts(self, checkout: Checkout) -> dict[str, object]:
        order = checkout.order
        return {
            "base": page_url(checkout),
            "title": order.title,
            "description": order.description,
            "email": order.customer_email,
            "currency": order.currency,
            "amount": grouped(order.amount),
            "declined": self._last_refusal(checkout),
            "attempts_left": order.max_attempts - checkout.failed_attempts,
        }

    def _last_refusal(self, checkout: Checkout) -> str:
        attempts = self._ledger.transactions(checkout.order.tx_ref)
        mine = [attempt for attempt in attempts if attempt.token == checkout.token]
        last = mine[-1] if mine else None
        return last.processor_response if last and last.status == "failed" else ""

    def _return_url(self, checkout: Checkout) -> str | None:
        paid_by = self._ledger.deciding_transaction(checkout.order.tx_ref)
        return return_url(checkout, paid_by, self._behaviour.current.return_status)


def page_url(checkout: Checkout) -> str:
    """Return the path of a checkout's page."""
    return f"{HOSTED_PATH}/{checkout.token}"


def _explained(card: TestCard) -> dict[str, str]:
    return {
        "number": card.number,
        "expiry": card.expiry,
        "cvv": card.cvv,
        "explained": card.outcome or _FLOWS[card.flow],
    }
