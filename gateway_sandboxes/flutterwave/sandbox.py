"""The Flutterwave sandbox put together: settings in, a running stand-in out."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette
from starlette.routing import Route

from gateway_sandboxes import sandbox
from gateway_sandboxes.fault_gate import Describe, Endpoint, FaultGate
from gateway_sandboxes.flutterwave.account_api import AccountApi
from gateway_sandboxes.flutterwave.book import FlutterwaveBook
from gateway_sandboxes.flutterwave.chargebacks import Chargebacks
from gateway_sandboxes.flutterwave.chargebacks_api import ChargebacksApi
from gateway_sandboxes.flutterwave.control_calls import DisputeCalls, PayoutCalls
from gateway_sandboxes.flutterwave.hosted_forms import HostedForms
from gateway_sandboxes.flutterwave.hosted_page import HostedPage
from gateway_sandboxes.flutterwave.ledger import Ledger
from gateway_sandboxes.flutterwave.notifications import (
    announce,
    announce_refund,
    delivery_policy,
)
from gateway_sandboxes.flutterwave.payments_api import HOSTED_PATH, PaymentsApi
from gateway_sandboxes.flutterwave.records import Refund, Transaction
from gateway_sandboxes.flutterwave.refunds import Refunds
from gateway_sandboxes.flutterwave.refunds_api import RefundsApi
from gateway_sandboxes.flutterwave.replies import (
    EXCEPTION_HANDLERS,
    FAULT_REPLIES,
    authenticated,
)
from gateway_sandboxes.flutterwave.settings import Settings
from gateway_sandboxes.flutterwave.settlements import Settlements
from gateway_sandboxes.flutterwave.settlements_api import SettlementsApi
from gateway_sandboxes.flutterwave.transactions_api import TransactionsApi
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.sandbox import Place, StandIn
from gateway_sandboxes.settings import Switchable
from gateway_sandboxes.webhooks import Policy

Guarded = Callable[[str, str, Describe, Endpoint], Route]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the gateway keeps."""

    ledger: Ledger
    refunds: Refunds
    chargebacks: Chargebacks
    settlements: Settlements


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
        parts = self._parts(machinery, hosted_url)
        book = FlutterwaveBook(parts.ledger, parts.refunds, parts.chargebacks, hosted_url)
        settlements = SettlementsApi(parts.settlements, self._settings.merchant_name)
        guarded = self._guarded(machinery)
        routes = [
            *self._charges(machinery, parts.ledger, public_url, guarded),
            *self._money_back(parts, guarded),
            *_merchant(parts.settlements, settlements, guarded),
            *self._pages(parts.ledger),
        ]
        app = Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)
        app.router.redirect_slashes = False
        control_routes = [
            *DisputeCalls(parts.ledger, parts.chargebacks, book).routes(),
            *PayoutCalls(parts.settlements, settlements).routes(),
        ]
        return StandIn(app=app, book=book, control_routes=control_routes)

    def _parts(self, machinery: Machinery, hosted_url: str) -> _Parts:
        def tell(transaction: Transaction) -> None:
            announce(transaction, machinery.outbox, self.behaviour.current, hosted_url)

        def tell_refund(refund: Refund) -> None:
            transaction = ledger.transaction(str(refund.transaction_id))
            if transaction is not None:
                announce_refund(refund, transaction, machinery.outbox, self.behaviour.current)

        ledger = Ledger(machinery, tell)
        refunds = Refunds(machinery, tell_refund)
        chargebacks = Chargebacks(machinery)
        return _Parts(
            ledger=ledger,
            refunds=refunds,
            chargebacks=chargebacks,
            settlements=Settlements(machinery, ledger, refunds, chargebacks),
        )

    def _guarded(self, machinery: Machinery) -> Guarded:
        """Return what makes a route of an endpoint: behind the key, with faults around it."""
        gate = FaultGate(machinery.faults, machinery.clock, FAULT_REPLIES)

        def route(method: str, path: str, describe: Describe, endpoint: Endpoint) -> Route:
            guarded = authenticated(self._settings.secret_key, gate.guard(describe, endpoint))
            return Route(f"/v3{path}", guarded, methods=[method])

        return route

    def _charges(
        self, machinery: Machinery, ledger: Ledger, public_url: str, route: Guarded
    ) -> list[Route]:
        payments = PaymentsApi(ledger, self.behaviour, public_url, self._settings.merchant_name)
        lookups = TransactionsApi(ledger, machinery, f"{public_url}{HOSTED_PATH}")
        get, post = partial(route, "GET"), partial(route, "POST")
        by_id, by_reference = lookups.describe_by_id, lookups.describe_by_reference
        return [
            post("/payments", payments.describe_creation, payments.create),
            post("/payments/link/disable", payments.describe_disabling, payments.disable),
            get("/transactions/verify_by_reference", by_reference, lookups.verify_by_reference),
            get("/transactions/{id}/verify", by_id, lookups.verify),
            get("/transactions/{id}/events", by_id, lookups.events),
            post("/transactions/{id}/resend-hook", lookups.describe_resend, lookups.resend_hook),
            get("/transactions", by_reference, lookups.list_all),
        ]

    def _money_back(self, parts: _Parts, route: Guarded) -> list[Route]:
        refunds = RefundsApi(parts.ledger, parts.refunds, self.behaviour)
        chargebacks = ChargebacksApi(parts.chargebacks)
        return [
            route("POST", "/transactions/{id}/refund", refunds.describe_creation, refunds.create),
            route("GET", "/refunds/{id}", refunds.describe_by_id, refunds.fetch),
            route("GET", "/refunds", refunds.describe_list, refunds.list_all),
            route("GET", "/chargebacks", chargebacks.describe_list, chargebacks.list_all),
            route("PUT", "/chargebacks/{id}", chargebacks.describe_answer, chargebacks.answer),
        ]

    def _pages(self, ledger: Ledger) -> list[Route]:
        page = HostedPage(ledger, self.behaviour)
        forms = HostedForms(ledger, page)
        return [
            Route(f"{HOSTED_PATH}/{{token}}", page.show),
            Route(f"{HOSTED_PATH}/{{token}}/{{action}}", forms.post, methods=["POST"]),
        ]


def _merchant(settlements: Settlements, api: SettlementsApi, route: Guarded) -> list[Route]:
    account = AccountApi(settlements)
    get = partial(route, "GET")
    return [
        get("/settlements", api.describe, api.list_all),
        get("/settlements/{id}", api.describe, api.fetch),
        get("/transactions/fee", account.describe, account.fee),
        get("/balances", account.describe, account.balances),
        get("/balances/{currency}", account.describe, account.balance),
    ]


class Sandbox(sandbox.Sandbox):
    """`async with Sandbox(settings) as sandbox:` runs the stand-in on the current loop."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(Flutterwave(settings or Settings()))
