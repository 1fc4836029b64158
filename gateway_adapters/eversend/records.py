"""Eversend's record of transactions, for reconciliation (contract §6)."""

import re
from datetime import date, datetime, timedelta

from gateway_adapters.charges import Charge, Outcome
from gateway_adapters.errors import NotCreatedError, OutcomeUnknownError
from gateway_adapters.eversend.client import EversendClient
from gateway_adapters.eversend.states import read_payout, read_transaction
from gateway_adapters.json_body import JsonObject, identifier_at
from gateway_adapters.records import Period, Record, RecordKind, RecordPage
from gateway_adapters.refunds import RefundReport

_PAGE_TOKEN = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_ONE_DAY = timedelta(days=1)
# Between wallets of our own: no payer is concerned.
_EXCHANGE = "exchange"


async def list_records(client: EversendClient, period: Period) -> RecordPage:
    """List one page of collections and payouts that were created in a period, newest first.

    A page token is the number of a page. Rows that arrive meanwhile push others on to the next
    page, so that a row can come twice but never be missed. Raises `NotCreatedError` for a token
    that is none, else `NotSentError` or `OutcomeUnknownError`.
    """
    if period.page_token and not _PAGE_TOKEN.fullmatch(period.page_token):
        raise NotCreatedError("page_token_invalid", "the page token is none of ours")
    number = int(period.page_token or "1")
    page = await client.page(*_days(period), number)
    records = [_record(row) for row in page.rows if identifier_at(row, "type").lower() != _EXCHANGE]
    return RecordPage(
        records=[each for each in records if period.start <= each.create_time < period.end],
        next_page_token="" if page.is_last else str(number + 1),
    )


def _days(period: Period) -> tuple[date, date]:
    """Return the days to ask for: one more on each side, as their time zone is not documented."""
    first, last = period.start.date(), period.end.date()
    return max(first, date.min + _ONE_DAY) - _ONE_DAY, min(last, date.max - _ONE_DAY) + _ONE_DAY


def _record(row: JsonObject) -> Record:
    """Read one row. Raises `OutcomeUnknownError`: a list without it would look complete."""
    kind = identifier_at(row, "type").lower()
    created = _moment(identifier_at(row, "createdAt"))
    if created is None:
        raise _unreadable("a transaction without its time")
    if kind == "collection":
        report = read_transaction(row)
        return _checked(RecordKind.CHARGE, report.outcome, report.charge, created)
    if kind == "payout":
        refund = read_payout(row)
        return _checked(RecordKind.REFUND, refund.outcome, _as_charge(row, refund), created)
    raise _unreadable("a transaction of an unknown type")


def _checked(kind: RecordKind, outcome: Outcome, charge: Charge | None, at: datetime) -> Record:
    if charge is None or not charge.gateway_transaction_id or charge.amount is None:
        raise _unreadable("a transaction without its id or an exact amount")
    return Record(kind=kind, outcome=outcome, charge=charge, create_time=at)


def _as_charge(row: JsonObject, refund: RefundReport) -> Charge:
    return Charge(
        reference=identifier_at(row, "transactionRef"),
        gateway_transaction_id=refund.gateway_refund_id,
        amount=refund.amount,
        fee=refund.fee,
        failure=refund.failure,
        gateway_status=refund.gateway_status,
    )


def _moment(text: str) -> datetime | None:
    """Return a time with its zone, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _unreadable(detail: str) -> OutcomeUnknownError:
    return OutcomeUnknownError("unreadable_reply", detail, operator_alert=True)
