"""Flutterwave's payouts to the merchant, with the transactions in each (contract A11)."""

import re
from datetime import datetime, timedelta

from gateway_adapters.errors import NotCreatedError, OutcomeUnknownError
from gateway_adapters.flutterwave.client import FlutterwaveClient
from gateway_adapters.json_body import JsonObject, amount_at, identifier_at, moment_at, rows_at
from gateway_adapters.records import (
    Period,
    SettlementLine,
    SettlementPage,
    SettlementRecord,
)
from gateway_adapters.wording import exact_money
from kit.money import Money

# By which of its days a settlement is listed is not documented; they are a few days apart.
_EARLIER, _LATER = timedelta(days=7), timedelta(days=1)
_PAGE_TOKEN = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_PAGE_SIZE = 10
_COMPLETED = "completed"


class Settlements:
    """Reads what Flutterwave paid out."""

    def __init__(self, client: FlutterwaveClient) -> None:
        self._client = client

    async def page(self, period: Period) -> SettlementPage:
        """Return one page of the settlements that were paid out in a period, oldest first.

        In which order Flutterwave lists them is not documented, so all are listed before the page's
        own are read. A page token counts the settlements on the pages before.
        """
        if period.page_token and not _PAGE_TOKEN.fullmatch(period.page_token):
            raise NotCreatedError("page_token_invalid", "the page token is none of ours")
        first = int(period.page_token or "0")
        query = {
            "from": (period.start - _EARLIER).date().isoformat(),
            "to": (period.end + _LATER).date().isoformat(),
        }
        rows = await self._client.every_page("settlements", query)
        paid = sorted({_key(row) for row in rows if _is_paid(row)})
        due = [identifier for at, identifier in paid if period.start <= at < period.end]
        last = first + _PAGE_SIZE
        return SettlementPage(
            settlements=[await self._settlement(each) for each in due[first:last]],
            next_page_token=str(last) if last < len(due) else "",
        )

    async def _settlement(self, identifier: str) -> SettlementRecord:
        row = await self._client.settlement(identifier)
        if identifier_at(row, "id") != identifier or not _is_paid(row):
            raise _unreadable("another settlement than the one that was listed")
        lines = rows_at(row, "transactions")
        if lines is None or identifier_at(row, "transaction_count") != str(len(lines)):
            raise _unreadable("a settlement without all its transactions")
        currency = identifier_at(row, "currency")
        return SettlementRecord(
            settlement_id=identifier,
            net=_money(row, "net_amount", currency),
            gross=_money(row, "gross_amount", currency),
            fees=_money(row, "app_fee", currency) + _optional(row, "stampduty_charge", currency),
            refunds=_optional(row, "refund", currency),
            chargebacks=_optional(row, "chargeback", currency),
            settle_time=_key(row)[0],
            lines=[_line(each, currency) for each in lines],
        )


def _key(row: JsonObject) -> tuple[datetime, str]:
    """Return when a settlement was paid out, and its identifier.

    `processed_date` can be null in one that is completed.
    """
    at = moment_at(row, "processed_date", "created_at")
    identifier = identifier_at(row, "id")
    if at is None or not identifier:
        raise _unreadable("a settlement without its time or its identifier")
    return at, identifier


def _is_paid(row: JsonObject) -> bool:
    return identifier_at(row, "status").lower() == _COMPLETED


def _line(row: JsonObject, currency: str) -> SettlementLine:
    own_currency = identifier_at(row, "currency") or currency
    identifier = identifier_at(row, "id")
    if not identifier:
        raise _unreadable("a settled transaction without its identifier")
    app_fee = exact_money(own_currency, amount_at(row, "app_fee"))
    duty = exact_money(own_currency, amount_at(row, "stampduty_charge") or 0)
    return SettlementLine(
        gateway_transaction_id=identifier,
        reference=identifier_at(row, "tx_ref"),
        gross=_money(row, "charged_amount", own_currency),
        fee=app_fee + duty if app_fee and duty else None,
    )


def _money(row: JsonObject, key: str, currency: str) -> Money:
    money = exact_money(currency, amount_at(row, key))
    if money is None:
        raise _unreadable(f"a settlement without an exact {key}")
    return money


def _optional(row: JsonObject, key: str, currency: str) -> Money:
    """Return an amount that is nothing when it is left out."""
    return Money(currency, 0) if row.get(key) is None else _money(row, key, currency)


def _unreadable(detail: str) -> OutcomeUnknownError:
    """Return the failure of a settlement that cannot be read: the list would look complete."""
    return OutcomeUnknownError("unreadable_reply", detail, operator_alert=True)
