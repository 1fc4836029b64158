"""Refunds through Eversend: a payout to the payer's own phone (contract §7, §10)."""

from collections.abc import Sequence

from gateway_adapters.charges import Payer
from gateway_adapters.errors import NotCreatedError, OutcomeUnknownError
from gateway_adapters.eversend.client import EversendClient
from gateway_adapters.eversend.settings import EversendSettings
from gateway_adapters.eversend.states import QUOTATION_REFUSED, most_hopeful, read_payout
from gateway_adapters.json_body import JsonObject, amount_at, identifier_at, object_at
from gateway_adapters.refunds import REFUND_NOT_FOUND, RefundOrder, RefundQuery, RefundReport
from gateway_adapters.wording import exact_money
from kit.money import Money

_PERCENT = 100


class Refunds:
    """Creates and finds payouts that give money back."""

    def __init__(self, client: EversendClient, settings: EversendSettings) -> None:
        self._client = client
        self._settings = settings

    async def create(self, order: RefundOrder) -> RefundReport:
        """Have the payout quoted, check what it costs, and send it once.

        Nothing moves before the second call, so whatever goes wrong until then is a proof.
        """
        if self._settings.eversend_refund_strategy != "payout":
            raise NotCreatedError(
                "refund_not_supported",
                f"EVERSEND_REFUND_STRATEGY is {self._settings.eversend_refund_strategy}",
                operator_alert=True,
            )
        body = self._payout_body(order)
        token = self._accepted(await self._quoted(order), order.amount)
        node = await self._client.pay_out({"token": token, **body}, order.refund_reference)
        report = read_payout(node)
        _require_amount(report, order.amount)
        return report

    async def get(self, query: RefundQuery) -> RefundReport:
        """Look up by the payout's id, else by our reference of the refund."""
        found = [_report(node, query) for node in await self._found(query)]
        return most_hopeful(found) if found else REFUND_NOT_FOUND

    async def _found(self, query: RefundQuery) -> Sequence[JsonObject]:
        reference, node = query.refund_reference, None
        if query.gateway_refund_id:
            node = await self._client.transaction(query.gateway_refund_id, reference)
        if node is None and self._settings.eversend_lookup_by_ref == "search":
            return await self._client.search(reference, "payout")
        if node is None:
            node = await self._client.transaction(reference, reference)
        return [node] if node is not None else []

    async def _quoted(self, order: RefundOrder) -> JsonObject:
        currency = order.amount.currency
        body = {
            "sourceWallet": currency,
            "amount": _wire_amount(order.amount),
            "amountType": "DESTINATION",
            "type": "momo",
            "destinationCountry": order.payer.country,
            "destinationCurrency": currency,
        }
        return await self._client.quote(body, order.refund_reference)

    def _accepted(self, data: JsonObject, amount: Money) -> str:
        """Return the token of a quotation that gives the payer exactly this and costs little.

        Raises `NotCreatedError`: nothing was sent.
        """
        quotation, token = object_at(data, "quotation") or {}, data.get("token")
        arrives = exact_money(
            identifier_at(quotation, "destinationCurrency"),
            amount_at(quotation, "destinationAmount"),
        )
        total = exact_money(
            identifier_at(quotation, "sourceCurrency"), amount_at(quotation, "totalAmount")
        )
        if not isinstance(token, str) or not token or arrives != amount or total is None:
            raise NotCreatedError(
                QUOTATION_REFUSED, "the quotation is for something else", operator_alert=True
            )
        dearest = amount.minor * (_PERCENT + self._settings.eversend_refund_max_fee_percent)
        if total.currency != amount.currency or not (
            amount.minor * _PERCENT <= total.minor * _PERCENT <= dearest
        ):
            raise NotCreatedError(
                "refund_fee_too_high",
                f"the payout would cost {total} in all for {amount}",
                operator_alert=True,
            )
        return token

    def _payout_body(self, order: RefundOrder) -> dict[str, object]:
        """Return whom the payout goes to: listed fields only, unknown ones are refused (§1).

        Raises `NotCreatedError` when the payer is not known well enough.
        """
        if not order.payer.phone_number or not order.payer.country:
            raise NotCreatedError(
                "payer_not_reachable", "a refund by payout needs the payer's phone and country"
            )
        first_name, last_name = self._names(order.payer)
        return {
            "phoneNumber": order.payer.phone_number,
            "firstName": first_name,
            "lastName": last_name,
            "country": order.payer.country,
            "transactionRef": order.refund_reference,
        }

    def _names(self, payer: Payer) -> tuple[str, str]:
        """Split the payer's name; what is missing comes from the setting (§10)."""
        first, last = self._settings.eversend_payout_default_names
        given, *others = payer.name.split() or [first]
        return given, " ".join(others) or last


def _wire_amount(amount: Money) -> object:
    """Return an amount in major units; payouts take fractions, as exact numbers (§7.1)."""
    major = amount.to_major()
    return int(major) if major == major.to_integral_value() else major


def _report(node: JsonObject, query: RefundQuery) -> RefundReport:
    """Read a payout and require that it is ours: an id can point at another transaction."""
    if identifier_at(node, "type") not in ("", "payout"):
        raise OutcomeUnknownError("reference_mismatch", "the transaction is no payout")
    if identifier_at(node, "transactionRef") != query.refund_reference:
        raise OutcomeUnknownError("reference_mismatch", "the payout has another reference")
    report = read_payout(node)
    if query.amount is not None:
        _require_amount(report, query.amount)
    return report


def _require_amount(report: RefundReport, amount: Money) -> None:
    """Raise `OutcomeUnknownError` when a payout has another amount than the one asked for."""
    if report.amount not in (None, amount):
        raise OutcomeUnknownError(
            "amount_mismatch", "the payout has another amount", operator_alert=True
        )
