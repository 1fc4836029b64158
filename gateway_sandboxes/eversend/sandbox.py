"""The Eversend sandbox put together: settings in, a running stand-in out."""

import re
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway_sandboxes import sandbox
from gateway_sandboxes.eversend.account import Account
from gateway_sandboxes.eversend.auth_api import AuthApi
from gateway_sandboxes.eversend.book import EversendBook
from gateway_sandboxes.eversend.checkout_page import CheckoutPage
from gateway_sandboxes.eversend.collections_api import CHECKOUT_PATH, CollectionsApi
from gateway_sandboxes.eversend.lookups_api import LookupsApi
from gateway_sandboxes.eversend.notifications import announce, delivery_policy
from gateway_sandboxes.eversend.payouts_api import PayoutsApi, QuotationGate
from gateway_sandboxes.eversend.phone_page import PHONE_PATH, PhonePage
from gateway_sandboxes.eversend.records import Row
from gateway_sandboxes.eversend.replies import Refusals, RefusedError
from gateway_sandboxes.eversend.settings import Settings
from gateway_sandboxes.fault_gate import Describe, Endpoint, FaultGate
from gateway_sandboxes.json_http import InvalidJsonError
from gateway_sandboxes.machinery import Machinery
from gateway_sandboxes.sandbox import Place, StandIn
from gateway_sandboxes.settings import Switchable
from gateway_sandboxes.webhooks import Policy


class SingleSlashes:
    """Lets `//` in a path count as `/`: the official Node client asks for `/v1//transactions`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its path tidied."""
        path = re.sub("/{2,}", "/", scope["path"])
        await self._app({**scope, "path": path}, receive, send)


class Eversend:
    """What `gateway_sandboxes.sandbox.Sandbox` needs to run this gateway."""

    name = "eversend"

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

        def tell(row: Row) -> None:
            announce(row, machinery.outbox, self.behaviour.current)

        account = Account.opened(machinery, tell)
        refusals = Refusals(self.behaviour)
        app = Starlette(
            routes=[
                *self._api(machinery, account, refusals, public_url),
                *self._pages(account),
            ],
            middleware=[Middleware(SingleSlashes)],
            exception_handlers=dict.fromkeys(
                (RefusedError, InvalidJsonError, HTTPException), refusals.refused
            ),
        )
        app.router.redirect_slashes = False
        return StandIn(app=app, book=EversendBook(account))

    def _api(
        self, machinery: Machinery, account: Account, refusals: Refusals, public_url: str
    ) -> list[Route]:
        auth = AuthApi(self._settings, machinery)
        collections = CollectionsApi(account, machinery, public_url)
        payouts = PayoutsApi(account.payouts, machinery)
        lookups = LookupsApi(account, machinery)
        gate = FaultGate(machinery.faults, machinery.clock, refusals.for_faults())
        quotation_gate = QuotationGate(machinery.faults, machinery.clock, refusals.for_faults())
        quotation = quotation_gate.guard(payouts.describe_quotation, payouts.quotation)

        def route(method: str, path: str, describe: Describe, endpoint: Endpoint) -> Route:
            guarded = auth.authenticated(gate.guard(describe, endpoint))
            return Route(f"/v1{path}", guarded, methods=[method])

        get, post = partial(route, "GET"), partial(route, "POST")
        token = auth.origin_checked(gate.guard(auth.describe_token, auth.token))
        other, creation = lookups.describe_other, collections.describe_creation
        return [
            Route("/v1/auth/token", token),
            get("/wallets", other, lookups.wallets),
            get("/wallets/{currency}", other, lookups.wallet),
            post("/collections/fees", other, collections.fees),
            post("/collections/otp", other, collections.one_time_password),
            post("/collections/momo", creation, collections.momo),
            post("/collections/card", creation, collections.card),
            Route("/v1/payouts/quotation", auth.authenticated(quotation), methods=["POST"]),
            post("/payouts", payouts.describe_payout, payouts.create),
            get("/transactions", lookups.describe_search, lookups.transactions),
            get("/transactions/{id}", lookups.describe_transaction, lookups.transaction),
        ]

    def _pages(self, account: Account) -> list[Route]:
        phone = PhonePage(account, self._settings.merchant_name)
        checkout = CheckoutPage(account.ledger, self._settings.merchant_name)
        prompt = f"{PHONE_PATH}/{{phone}}/prompts/{{transaction_id}}"
        checkout_path = f"{CHECKOUT_PATH}/{{transaction_id}}"
        return [
            Route(PHONE_PATH, phone.phones),
            Route(f"{PHONE_PATH}/{{phone}}", phone.phone),
            Route(f"{prompt}/approve", phone.approve, methods=["POST"]),
            Route(f"{prompt}/decline", phone.decline, methods=["POST"]),
            Route(checkout_path, checkout.show),
            Route(checkout_path, checkout.decide, methods=["POST"]),
        ]


class Sandbox(sandbox.Sandbox):
    """`async with Sandbox(settings) as sandbox:` runs the stand-in on the current loop."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__(Eversend(settings or Settings()))
