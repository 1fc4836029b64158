"""Flutterwave behind the `Gateway` contract: hosted checkout, verification, closing the page."""

from dataclasses import replace
from datetime import timedelta

from gateway_adapters.charges import (
    NOT_FOUND,
    Charge,
    ChargeOrder,
    ChargeQuery,
    ChargeReport,
    Method,
    OpenPage,
    Outcome,
)
from gateway_adapters.errors import (
    NotCreatedError,
    NotOfferedError,
    NotSentError,
    OutcomeUnknownError,
)
from gateway_adapters.flutterwave.auth import KeyAuth
from gateway_adapters.flutterwave.client import FlutterwaveClient
from gateway_adapters.flutterwave.feed import Feed
from gateway_adapters.flutterwave.refunds import Refunds
from gateway_adapters.flutterwave.settings import FlutterwaveSettings
from gateway_adapters.flutterwave.settlements import Settlements
from gateway_adapters.flutterwave.states import outcome_of, read_transaction, sum_up
from gateway_adapters.gateway import Abilities, Capability, Flow, require_capability
from gateway_adapters.http import HttpBoundary, HttpOptions
from gateway_adapters.json_body import JsonObject, identifier_at
from gateway_adapters.records import Period, RecordPage, SettlementPage
from gateway_adapters.refunds import RefundOrder, RefundQuery, RefundReport
from gateway_adapters.wording import plain_decimal
from kit.clock import Clock
from kit.ids import Ids

# Contract A2 and A3.2. SLL and STD are left out: ISO 4217 has withdrawn both codes.
_CARD_CURRENCIES = (
    "CAD", "CLP", "COP", "EGP", "EUR", "GBP", "GHS", "GNF", "KES", "MAD", "MWK", "NGN", "RWF",
    "TZS", "UGX", "USD", "XAF", "XOF", "ZAR", "ZMW",
)  # fmt: skip
# Currency → Flutterwave's name of its mobile-money option, and the countries behind it.
_MOBILE_MONEY = {
    "GHS": ("mobilemoneyghana", frozenset({"GH"})),
    "KES": ("mpesa", frozenset({"KE"})),
    "MWK": ("mobilemoneymalawi", frozenset({"MW"})),
    "RWF": ("mobilemoneyrwanda", frozenset({"RW"})),
    "TZS": ("mobilemoneytanzania", frozenset({"TZ"})),
    "UGX": ("mobilemoneyuganda", frozenset({"UG"})),
    "XAF": ("mobilemoneyfranco", frozenset({"CM"})),
    "XOF": ("mobilemoneyfranco", frozenset({"BF", "CI", "ML", "SN"})),
    "ZMW": ("mobilemoneyzambia", frozenset({"ZM"})),
}
_WALLETS = ("google_pay", "apple_pay")
_EXPRESS = {
    "NGN": ("bank_transfer", *_WALLETS),
    "USD": _WALLETS,
    "EUR": _WALLETS,
    "GBP": _WALLETS,
    "ZAR": _WALLETS,
}
_OPTION_NAMES = {
    "bank_transfer": "banktransfer",
    "google_pay": "googlepay",
    "apple_pay": "applepay",
}

_CAPABILITIES = (
    *(
        Capability(method=Method.CARD, currency=currency, flow=Flow.HOSTED)
        for currency in _CARD_CURRENCIES
    ),
    *(
        Capability(
            method=Method.MOBILE_MONEY, currency=currency, flow=Flow.HOSTED, countries=countries
        )
        for currency, (_, countries) in _MOBILE_MONEY.items()
    ),
    *(
        Capability(method=Method.EXPRESS, currency=currency, flow=Flow.HOSTED, options=options)
        for currency, options in _EXPRESS.items()
    ),
)


class FlutterwaveGateway:
    """Charges through Flutterwave's hosted checkout."""

    name = "flutterwave"

    def __init__(
        self, client: FlutterwaveClient, settings: FlutterwaveSettings, clock: Clock
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._refunds = Refunds(client)
        self._feed = Feed(client)
        self._settlements = Settlements(client)

    def describe(self) -> Abilities:
        """Say what Flutterwave can do."""
        return Abilities(
            capabilities=_CAPABILITIES,
            can_cancel=True,
            can_refund=True,
            can_list_settlements=True,
        )

    async def create_charge(self, order: ChargeOrder) -> ChargeReport:
        """Create a hosted page; there is no transaction before the payer tries (contract A3.1)."""
        require_capability(self.describe(), order)
        link = await self._client.create_link(self._body(order), order.reference)
        # Counted from the reply, so that it is never before the page's own end.
        session = timedelta(minutes=self._settings.flutterwave_session_minutes)
        return ChargeReport(
            outcome=Outcome.REQUIRES_ACTION,
            charge=Charge(
                reference=order.reference,
                amount=order.amount,
                next_action=OpenPage(url=link),
                expire_time=self._clock.now() + session,
            ),
        )

    async def get_charge(self, query: ChargeQuery) -> ChargeReport:
        """Verify by id when one is given, then by our reference unless that was a success.

        A payer can try several times under one reference (contract A3.4): a failed try found by id
        says nothing about the others. Nor does a success: the others are asked about too.
        """
        found = await self._found(query)
        if found.outcome is not Outcome.SUCCEEDED or found.charge is None:
            return found
        return replace(found, further_transaction_ids=await self._further(found.charge))

    async def cancel_charge(self, redirect_url: str) -> Outcome:
        """Disable the hosted link (contract A3.1)."""
        if not redirect_url:
            raise NotCreatedError("invalid_request", "the hosted link is needed to close a charge")
        return await self._client.disable_link(redirect_url)

    async def submit_otp(self, order: ChargeOrder, state: str, otp: str) -> ChargeReport:  # noqa: ARG002 - the contract's signature
        """Refuse: the hosted page asks for one-time passwords itself."""
        raise NotOfferedError("action_not_supported", "the hosted page asks the payer itself")

    async def create_refund(self, order: RefundOrder) -> RefundReport:
        """Ask for a refund (contract A4)."""
        return await self._refunds.create(order)

    async def get_refund(self, query: RefundQuery) -> RefundReport:
        """Look a refund up by its id, or by our reference in its comments (contract A4)."""
        return await self._refunds.get(query)

    async def list_transactions(self, period: Period) -> RecordPage:
        """List transactions, then refunds, then chargebacks (contract A4, A9, A10)."""
        return await self._feed.page(period)

    async def list_settlements(self, period: Period) -> SettlementPage:
        """List settlements with their transactions (contract A11)."""
        return await self._settlements.page(period)

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def _found(self, query: ChargeQuery) -> ChargeReport:
        reference, transaction_id = query.reference, query.gateway_transaction_id
        if transaction_id:
            found = await self._verified(transaction_id, reference)
            if found.outcome is Outcome.SUCCEEDED or not reference:
                return found
        return await self._by_reference(reference)

    async def _further(self, paid: Charge) -> tuple[str, ...]:
        """Return the other successes under a reference; none when nobody can be asked.

        Whatever goes wrong here must not turn the success into a failure. The log has it.
        """
        if not paid.reference:
            return ()
        try:
            rows = await self._client.list_by_reference(paid.reference)
        except (NotSentError, OutcomeUnknownError):
            return ()
        successful = {
            identifier_at(row, "id")
            for row in rows
            if outcome_of(identifier_at(row, "status")) is Outcome.SUCCEEDED
        }
        return tuple(sorted(successful - {"", paid.gateway_transaction_id}, key=_age))

    async def _by_reference(self, reference: str) -> ChargeReport:
        """Ask about a reference, and look at every try under it unless one is a success.

        Which try verification by reference picks is not documented (contract A3.5).
        """
        picked = await self._client.verify_by_reference(reference)
        first = _report(picked, reference) if picked else None
        if first and first.outcome is Outcome.SUCCEEDED:
            return first
        rows = await self._client.list_by_reference(reference)
        tries = {identifier_at(row, "id"): read_transaction(row) for row in rows}
        if first and first.charge:
            tries.setdefault(first.charge.gateway_transaction_id, first)
        if not tries:
            return NOT_FOUND
        in_order = [tries[identifier] for identifier in sorted(tries, key=_age)]
        summary = sum_up(in_order, self._settings.flutterwave_max_retry_attempts)
        if summary.outcome is Outcome.SUCCEEDED and summary.charge:
            return await self._verified(summary.charge.gateway_transaction_id, reference)
        return summary

    async def _verified(self, transaction_id: str, reference: str) -> ChargeReport:
        row = await self._client.verify(transaction_id, reference)
        if row is None:
            return NOT_FOUND
        if identifier_at(row, "id") != transaction_id:
            raise OutcomeUnknownError("reference_mismatch", "another transaction was returned")
        return _report(row, reference)

    def _body(self, order: ChargeOrder) -> dict[str, object]:
        payer = {
            "email": order.payer.email,
            "name": order.payer.name,
            "phonenumber": order.payer.phone_number.removeprefix("+"),
        }
        texts = {
            "title": self._settings.flutterwave_checkout_title,
            "description": order.description,
        }
        body: dict[str, object] = {
            "tx_ref": order.reference,
            "amount": plain_decimal(order.amount),
            # Left out, it would be NGN (contract A3.1).
            "currency": order.amount.currency,
            "payment_options": _payment_options(order),
            "customer": {key: value for key, value in payer.items() if value},
            "customizations": {key: value for key, value in texts.items() if value},
            "meta": {"reference": order.reference},
            **self._configuration(),
        }
        if order.return_url:
            body["redirect_url"] = order.return_url
        return body

    def _configuration(self) -> dict[str, object]:
        """Return the page's limits where this account expects them (contract A3.1 names three)."""
        limits: dict[str, object] = {
            "session_duration": self._settings.flutterwave_session_minutes,
            "max_retry_attempt": self._settings.flutterwave_max_retry_attempts,
        }
        style = self._settings.flutterwave_configuration_style
        return limits if style == "flat" else {style: limits}


def build(settings: FlutterwaveSettings, clock: Clock, ids: Ids) -> FlutterwaveGateway:
    """Make the gateway from its settings."""
    http = HttpBoundary(
        HttpOptions(
            gateway=FlutterwaveGateway.name,
            base_url=settings.flutterwave_base_url,
            timeout_seconds=settings.flutterwave_timeout_seconds,
            proxy=settings.flutterwave_https_proxy,
        ),
        clock,
        ids,
    )
    client = FlutterwaveClient(http, KeyAuth(settings.flutterwave_secret_key))
    return FlutterwaveGateway(client, settings, clock)


def _payment_options(order: ChargeOrder) -> str:
    """Return Flutterwave's names of what the payer may use (contract A3.2)."""
    if order.method is Method.CARD:
        return "card"
    if order.method is Method.MOBILE_MONEY:
        return _MOBILE_MONEY[order.amount.currency][0]
    options = (order.option,) if order.option else _EXPRESS[order.amount.currency]
    return ",".join(_OPTION_NAMES[option] for option in options)


def _report(row: JsonObject, reference: str) -> ChargeReport:
    """Read a transaction and require that it is ours: an id can point at another order's."""
    report = read_transaction(row)
    if reference and report.charge and report.charge.reference != reference:
        raise OutcomeUnknownError("reference_mismatch", "the transaction has another reference")
    return report


def _age(transaction_id: str) -> tuple[int, str]:
    """Sort identifiers by age: they are growing numbers, written as text in lists (A1)."""
    return len(transaction_id), transaction_id
