"""The card page behind the assumed `POST /collections/card` (section 9): pay or decline."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway_sandboxes.amounts import grouped
from gateway_sandboxes.eversend.collections_api import CHECKOUT_PATH
from gateway_sandboxes.eversend.ledger import Ledger
from gateway_sandboxes.eversend.outcomes import DECLINED
from gateway_sandboxes.eversend.phone_page import TEMPLATES
from gateway_sandboxes.eversend.records import Transaction
from gateway_sandboxes.pages import Pages, read_form

_SEE_OTHER = 303


class CheckoutPage:
    """One button pays, the other declines; then the payer goes back to the merchant."""

    def __init__(self, ledger: Ledger, merchant_name: str) -> None:
        self._ledger = ledger
        self._merchant_name = merchant_name
        self._pages = Pages(TEMPLATES)

    async def show(self, request: Request) -> Response:
        """Show the page, or what became of the payment."""
        transaction = self._card_transaction(request)
        if transaction is None:
            return self._pages.render("missing.html", 404)
        return self._pages.render(
            "checkout.html",
            merchant=self._merchant_name,
            currency=transaction.order.currency,
            amount=grouped(transaction.order.amount),
            status=transaction.status,
            action=f"{CHECKOUT_PATH}/{transaction.transaction_id}",
            return_url=_return_url(transaction),
        )

    async def decide(self, request: Request) -> Response:
        """Take the payer's decision, once."""
        form = await read_form(request)
        transaction = self._card_transaction(request)
        if transaction is None:
            return self._pages.render("missing.html", 404)
        if transaction.status == "pending":
            if form.get("decision") == "approve":
                transaction = self._ledger.succeed(transaction)
            else:
                transaction = self._ledger.decline(transaction, DECLINED)
        return RedirectResponse(_return_url(transaction), _SEE_OTHER)

    def _card_transaction(self, request: Request) -> Transaction | None:
        transaction = self._ledger.transaction(request.path_params["transaction_id"])
        return transaction if transaction and transaction.order.phone is None else None


def _return_url(transaction: Transaction) -> str:
    """Return the merchant's URL with the outcome added; the parameters' names are assumed."""
    parts = urlsplit(transaction.order.redirect_url or "")
    result = urlencode({"transactionRef": transaction.reference, "status": transaction.status})
    query = f"{parts.query}&{result}" if parts.query else result
    return urlunsplit(parts._replace(query=query))
