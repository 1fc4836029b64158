"""The Flutterwave sandbox put together: settings in, a running stand-in out."""

from functools import partial

from starlette.applications import Starlette
from starlette.routing import Route

from gateway_sandboxes import sandbox
from gateway_sandboxes.fault_gate import Describe, Endpoint, FaultGate
from gateway_sandboxes.flutterwave.book import FlutterwaveBook
from gateway_sandboxes.flutterwave.hosted_forms import HostedForms
from gateway_sandboxes.flutterwave.hosted_page import HostedPage
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.notifications import announce, delivery_policy
from gateway_sandboxes.flutterwave.payments_api import HOSTED_PATH, PaymentsApi
from gateway_sandboxes.flutterwave.records import Transaction
from gateway_sandboxes.flutterwave.replies import (
    EXCEPTION_HANDLERS,
    FAULT_REPLIES,
    authenticated,
)
from gateway_sandboxes.flutterwave.settings import Settings
from gateway_sandboxes.flutterwave.transactions_api import TransactionsApi
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.sandbox import Place, StandIn
from gateway_sandboxes.settings import Switchable
from gateway_sandboxes.webhooks import Policy


class Flutterwave:
    """What `gateway_sandboxes.sandbox.Sandbox` needs to run this gateway."""

    name = "flutterwave"

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.behaviour = Switchable(settings.behaviour)

    @property
    def place(self) -> Place:
        """Where to listen and what to remember."""
        return self._settings

    def delivery_policy(self) -> Policy:
        """Say how webhooks are delivered, as the settings are now."""
        return delivery_policy(self.behaviour.current)

    def build(self, machinery: Machinery, public_url: str) -> StandIn:
        """Build the gateway's application and its book."""
        hosted_url = f"{public_url}{HOSTED_PATH}"

        def tell(transaction: Transaction) -> None:
            announce(transaction, machinery.outbox, self.behaviour.current, hosted_url)

        ledger = Ledger(machinery, tell)
        routes = [*self._api(machinery, ledger, public_url), *self._pages(ledger)]
        app = Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)
        app.router.redirect_slashes = False
        return StandIn(app=app, book=FlutterwaveBook(ledger, hosted_url))

    def _api(self, machinery: Machinery, ledger: Ledger, public_url: str) -> list[Route]:
        payments = PaymentsApi(ledger, self.behaviour, public_url, self._settings.merchant_name)
        lookups = TransactionsApi(ledger, machinery, f"{public_url}{HOSTED_PATH}")
        gate = FaultGate(machinery.faults, machinery.clock, FAULT_REPLIES)

        def route(method: str, path: str, describe: Describe, endpoint: Endpoint) -> Route:
            guarded = authenticated(self._settings.secret_key, gate.guard(describe, endpoint))
            return Route(f"/v3{path}", guarded, methods=[method])

        get, post = partial(route, "GET"), partial(route, "POST")
        by_id, by_reference = lookups.describe_by_id, lookups.describe_by_reference
        return [
            post("/payments", payments.describe_creation, payments.create),
            post("/payments/link/disable", payments.describe_disabling, payments.disable),
            get("/transactions/verify_by_reference", by_reference, lookups.verify_by_reference),
            get("/transactions/{id}/verify", by_id, lookups.verify),
            post("/transactions/{id}/resend-hook", lookups.describe_resend, lookups.resend_hook),
            get("/transactions", by_reference, lookups.list_all),
        ]

    def _pages(self, ledger: Ledger) -> list[Route]:
        page = HostedPage(ledger, self.behaviour)
        forms = HostedForms(ledger, page)
        return [
            Route(f"{HOSTED_PATH}/{{token}}", page.show),
            Route(f"{HOSTED_PATH}/{{token}}/{{action}}", forms.post, methods=["POST"]),
        ]


class Sandbox(sandbox.Sandbox):
    """`async with Sandbox(settings) as sandbox:` runs the stand-in on the current loop."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(Flutterwave(settings or Settings()))
