"""Eversend behind the `Gateway` contract: collections by prompt, refunds by payout."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import msgspec

from gateway_adapters.charges import (
    NOT_FOUND,
    ApprovePrompt,
    Charge,
    ChargeOrder,
    ChargeQuery,
    ChargeReport,
    EnterOtp,
    Method,
    OpenPage,
    Outcome,
)
from gateway_adapters.errors import NotCreatedError, NotOfferedError, OutcomeUnknownError
from gateway_adapters.eversend.auth import Credentials, TokenSource
from gateway_adapters.eversend.client import EversendClient
from gateway_adapters.eversend.records import list_records
from gateway_adapters.eversend.refunds import Refunds
from gateway_adapters.eversend.settings import EversendSettings
from gateway_adapters.eversend.states import most_hopeful, read_transaction
from gateway_adapters.gateway import Abilities, Capability, Flow, require_capability
from gateway_adapters.http import HttpBoundary, HttpOptions
from gateway_adapters.json_body import JsonObject, identifier_at
from gateway_adapters.records import Period, RecordPage, SettlementPage
from gateway_adapters.refunds import RefundOrder, RefundQuery, RefundReport
from kit.clock import Clock
from kit.ids import Ids
from kit.money import Money

# Nothing is documented; fifteen minutes is where the contract stops waiting (§6).
_PROMPT_LIFETIME = timedelta(minutes=15)
_MOMO_PATH = "/collections/momo"
_LARGEST_AMOUNT = 2**31 - 1  # the field is declared int32 (§1)
# The one corridor whose payer is sent to a page (§5.3).
_REDIRECTED = ("GH", "GHS")
_LINK_FIELDS = ("redirectUrl", "redirect_url", "authorizationUrl", "checkoutUrl", "paymentUrl")


class EversendGateway:
    """Charges through Eversend collections."""

    name = "eversend"

    def __init__(self, client: EversendClient, settings: EversendSettings, clock: Clock) -> None:
        self._client = client
        self._refunds = Refunds(client, settings)
        self._settings = settings
        self._clock = clock
        self._abilities = Abilities(
            capabilities=_capabilities(settings),
            can_cancel=False,
            can_refund=settings.eversend_refund_strategy == "payout",
            can_list_settlements=False,
        )

    def describe(self) -> Abilities:
        """Say what Eversend can do."""
        return self._abilities

    async def create_charge(self, order: ChargeOrder) -> ChargeReport:
        """Send the prompt, or first the one-time password where the account needs one (§5.2)."""
        require_capability(self._abilities, order)
        self._wire_amount(order.amount)
        mode = self._settings.eversend_otp_mode
        if order.method is Method.CARD or mode == "off":
            return await self._collect(order)
        pin_id = await self._client.send_otp(order.payer.phone_number, mode)
        charge = Charge(reference=order.reference, amount=order.amount)
        return self._required(charge, EnterOtp(state=pin_id))

    async def get_charge(self, query: ChargeQuery) -> ChargeReport:
        """Look up by id, else by our reference.

        The id decides what is reported, and must agree with the reference when both are given. A
        collection that is not found by its id is sought by the reference.
        """
        if query.gateway_transaction_id:
            node = await self._client.transaction(query.gateway_transaction_id, query.reference)
            if node is not None or not query.reference:
                return _report(node, query.reference)
        return await self._by_reference(query)

    async def cancel_charge(self, redirect_url: str) -> Outcome:  # noqa: ARG002 - the contract's signature
        """Refuse: a prompt cannot be taken back from a phone."""
        raise NotOfferedError("cancel_not_supported", "Eversend cannot close a collection")

    async def submit_otp(self, order: ChargeOrder, state: str, otp: str) -> ChargeReport:
        """Create the collection with the payer's one-time password (§5.3)."""
        if self._settings.eversend_otp_mode == "off":
            raise NotOfferedError("action_not_supported", "one-time passwords are switched off")
        require_capability(self._abilities, order)
        return await self._collect(order, {"pinId": state, "pin": otp})

    async def create_refund(self, order: RefundOrder) -> RefundReport:
        """Pay out to the payer's phone: Eversend has no refunds (§10)."""
        return await self._refunds.create(order)

    async def get_refund(self, query: RefundQuery) -> RefundReport:
        """Look the payout up by its id, else by our reference."""
        return await self._refunds.get(query)

    async def list_transactions(self, period: Period) -> RecordPage:
        """List collections as charges and payouts as refunds."""
        return await list_records(self._client, period)

    async def list_settlements(self, period: Period) -> SettlementPage:  # noqa: ARG002 - the contract's signature
        """Refuse: money stays in wallets until the merchant moves it."""
        raise NotOfferedError("settlements_not_supported", "Eversend has no settlements")

    async def close(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def _collect(self, order: ChargeOrder, otp: dict[str, str] | None = None) -> ChargeReport:
        by_card = order.method is Method.CARD
        path = self._settings.eversend_card_path if by_card else _MOMO_PATH
        body = self._card_body(order) if by_card else self._momo_body(order)
        if otp:
            body["otp"] = otp
        node = await self._client.collect(path, body, order.reference)
        report = read_transaction({"transactionRef": order.reference, **node})
        if report.outcome is not Outcome.PENDING or report.charge is None:
            return report
        link = self._link_in(node, by_card=by_card)
        if by_card and not link:
            raise OutcomeUnknownError("unreadable_reply", "a card collection without a page")
        action = (
            OpenPage(url=link) if link else ApprovePrompt(phone_number=order.payer.phone_number)
        )
        return self._required(report.charge, action)

    async def _by_reference(self, query: ChargeQuery) -> ChargeReport:
        reference = query.reference
        if self._settings.eversend_lookup_by_ref == "path":
            return _report(await self._client.transaction(reference, reference), reference)
        rows = await self._client.search(reference, "collection")
        found = [read_transaction(row) for row in rows]
        return _sum_up(found, query.gateway_transaction_id) if found else NOT_FOUND

    def _required(
        self, charge: Charge, action: OpenPage | ApprovePrompt | EnterOtp
    ) -> ChargeReport:
        return ChargeReport(
            outcome=Outcome.REQUIRES_ACTION,
            charge=replace(
                charge, next_action=action, expire_time=self._clock.now() + _PROMPT_LIFETIME
            ),
        )

    def _momo_body(self, order: ChargeOrder) -> dict[str, object]:
        """Return only fields that are listed: unknown ones are refused (§1)."""
        body = self._collection_body(order, order.payer.country)
        body["phone"] = order.payer.phone_number
        if (order.payer.country, order.amount.currency) == _REDIRECTED and order.return_url:
            body[self._settings.eversend_redirect_field] = order.return_url
        return body

    def _card_body(self, order: ChargeOrder) -> dict[str, object]:
        country = next(
            corridor.country
            for corridor in self._settings.eversend_corridors
            if corridor.currency == order.amount.currency
        )
        body = self._collection_body(order, order.payer.country or country)
        if order.return_url:
            body[self._settings.eversend_redirect_field] = order.return_url
        return body

    def _collection_body(self, order: ChargeOrder, country: str) -> dict[str, object]:
        customer = {"email": order.payer.email, "name": order.payer.name}
        present = {key: value for key, value in customer.items() if value}
        as_string = self._settings.eversend_customer_as_string
        return {
            "amount": self._wire_amount(order.amount),
            "country": country,
            "currency": order.amount.currency,
            "transactionRef": order.reference,
            "customer": msgspec.json.encode(present).decode() if as_string else present,
        }

    def _wire_amount(self, amount: Money) -> object:
        """Return an amount as Eversend writes it: whole major units, unless fractions are allowed.

        Raises `NotCreatedError`: the amount is refused before anything is sent.
        """
        major = amount.to_major()
        whole = major == major.to_integral_value()
        if major > _LARGEST_AMOUNT or not (
            whole or self._settings.eversend_allow_fractional_amounts
        ):
            raise NotCreatedError(
                "amount_not_supported", f"{amount.currency} collections take whole units only"
            )
        return int(major) if whole else major

    def _link_in(self, node: JsonObject, *, by_card: bool) -> str:
        """Return the page that a reply sends the payer to, or ""."""
        fields = self._settings.eversend_card_link_fields if by_card else _LINK_FIELDS
        links = (node.get(name) for name in fields)
        return next(
            (link for link in links if isinstance(link, str) and link.startswith("http")), ""
        )


def build(settings: EversendSettings, clock: Clock, ids: Ids) -> EversendGateway:
    """Make the gateway from its settings."""
    http = HttpBoundary(
        HttpOptions(
            gateway=EversendGateway.name,
            base_url=settings.eversend_base_url,
            timeout_seconds=settings.eversend_timeout_seconds,
            proxy=settings.eversend_https_proxy,
        ),
        clock,
        ids,
    )
    credentials = Credentials(
        client_id=settings.eversend_client_id,
        client_secret=settings.eversend_client_secret,
        origin=settings.eversend_origin,
        ttl_fallback_seconds=settings.eversend_token_ttl_fallback_seconds,
    )
    client = EversendClient(http, TokenSource(http, credentials, clock), credentials)
    return EversendGateway(client, settings, clock)


def _capabilities(settings: EversendSettings) -> tuple[Capability, ...]:
    """Return what the configured corridors allow; cards only with a private contract (§9)."""
    by_currency: dict[str, set[str]] = {}
    for corridor in settings.eversend_corridors:
        by_currency.setdefault(corridor.currency, set()).add(corridor.country)
    wallets = tuple(
        Capability(
            method=Method.MOBILE_MONEY,
            currency=currency,
            flow=Flow.PROMPT,
            countries=frozenset(countries),
        )
        for currency, countries in by_currency.items()
    )
    if not settings.eversend_card_enabled:
        return wallets
    cards = tuple(
        Capability(method=Method.CARD, currency=currency, flow=Flow.HOSTED)
        for currency in by_currency
    )
    return (*wallets, *cards)


def _report(node: JsonObject | None, reference: str) -> ChargeReport:
    """Read a transaction and require that it is ours: an id can point at another order's."""
    if node is None:
        return NOT_FOUND
    if identifier_at(node, "type") not in ("", "collection"):
        raise OutcomeUnknownError("reference_mismatch", "the transaction is no collection")
    report = read_transaction(node)
    if reference and report.charge and report.charge.reference != reference:
        raise OutcomeUnknownError("reference_mismatch", "the transaction has another reference")
    return report


def _sum_up(found: Sequence[ChargeReport], transaction_id: str) -> ChargeReport:
    """Return what the transactions under one reference mean, and the others that took money.

    `found`: at least one. `transaction_id`: the one that was asked for, if any.
    """
    asked = [report for report in found if transaction_id and _id_of(report) == transaction_id]
    reported = most_hopeful(asked or found)
    paid = (report for report in found if report.outcome is Outcome.SUCCEEDED)
    further = (_id_of(report) for report in paid if report is not reported)
    return replace(reported, further_transaction_ids=tuple(filter(None, further)))


def _id_of(report: ChargeReport) -> str:
    return report.charge.gateway_transaction_id if report.charge else ""
