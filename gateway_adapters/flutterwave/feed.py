"""Flutterwave's record for reconciliation: transactions, then refunds, then chargebacks.

Its lists are by day and do not say in which time zone, so a day more on each side is asked for and
left out here. Refunds and chargebacks do not name their currency: it is their transaction's.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway_adapters.charges import Charge, Outcome
from gateway_adapters.errors import NotCreatedError, OutcomeUnknownError
from gateway_adapters.flutterwave import refund_rows
from gateway_adapters.flutterwave.client import FlutterwaveClient, Listing
from gateway_adapters.flutterwave.states import read_transaction
from gateway_adapters.json_body import JsonObject, amount_at, identifier_at, moment_at
from gateway_adapters.records import Period, Record, RecordKind, RecordPage
from gateway_adapters.wording import exact_money, outcome_for

_MARGIN = timedelta(days=1)
_PAGE_TOKEN = re.compile(r"(transactions|refunds|chargebacks):([1-9][0-9]{0,3})", re.ASCII)
_LAST_PAGE = 9999
_LISTINGS: Sequence[Listing] = ("transactions", "refunds", "chargebacks")
# Our references are one word with digits in it; what people write in a dashboard rarely is.
_REFERENCE = re.compile(r"(?=[a-zA-Z]*[0-9])[A-Za-z0-9]{8,40}", re.ASCII)

# Contract A10: declined by the merchant means that the bank is still to decide.
_CHARGEBACK_OUTCOMES = {
    "initiated": Outcome.PENDING,
    "pending": Outcome.PENDING,
    "declined": Outcome.PENDING,
    "accepted": Outcome.SUCCEEDED,
    "lost": Outcome.SUCCEEDED,
    "won": Outcome.FAILED,
    "reversed": Outcome.FAILED,
    "invalid": Outcome.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a walk over all three lists stands."""

    listing: Listing
    page: int

    @classmethod
    def of(cls, token: str) -> "_Place":
        """Read a page token. Raises `NotCreatedError`."""
        match = _PAGE_TOKEN.fullmatch(token or "transactions:1")
        if match is None:
            raise NotCreatedError("page_token_invalid", "the page token is none of ours")
        listing = next(each for each in _LISTINGS if each == match[1])
        return cls(listing=listing, page=int(match[2]))

    def token_after(self, total_pages: int) -> str:
        """Return the token of the next page; "" when there is none."""
        if self.page < total_pages:
            if self.page == _LAST_PAGE:
                raise _unreadable("more pages than one period can have")
            return f"{self.listing}:{self.page + 1}"
        following = _LISTINGS[_LISTINGS.index(self.listing) + 1 :]
        return f"{following[0]}:1" if following else ""


class Feed:
    """Reads what Flutterwave recorded, one page of one list at a time."""

    def __init__(self, client: FlutterwaveClient) -> None:
        self._client = client

    async def page(self, period: Period) -> RecordPage:
        """Return one page of the record; rows within it are in Flutterwave's own order.

        Rows that arrive meanwhile push others on to the next page: a row can come twice and is
        never missed.
        """
        place = _Place.of(period.page_token)
        query = {
            "from": (period.start - _MARGIN).date().isoformat(),
            "to": (period.end + _MARGIN).date().isoformat(),
        }
        page = await self._client.page(place.listing, query, place.page)
        token = place.token_after(page.total_pages)
        rows = [
            (row, created)
            for row in page.rows
            if period.start <= (created := _created(row)) < period.end
        ]
        return RecordPage(records=await self._records(place.listing, rows), next_page_token=token)

    async def _records(
        self, listing: Listing, rows: Sequence[tuple[JsonObject, datetime]]
    ) -> Sequence[Record]:
        if listing == "transactions":
            return [_transaction(row, created) for row, created in rows]
        charges: dict[str, Charge] = {}
        records: list[Record] = []
        for row, created in rows:
            transaction_id = refund_rows.charge_id(row)
            if transaction_id not in charges:
                charges[transaction_id] = await self._charge(transaction_id)
            read = _refund if listing == "refunds" else _chargeback
            records.append(read(row, created, charges[transaction_id]))
        return records

    async def _charge(self, transaction_id: str) -> Charge:
        row = await self._client.verify(transaction_id, "") if transaction_id else None
        charge = read_transaction(row).charge if row else None
        if (
            charge is None
            or charge.amount is None
            or charge.gateway_transaction_id != transaction_id
        ):
            raise _unreadable("a row whose transaction is not known")
        return charge


def _transaction(row: JsonObject, created: datetime) -> Record:
    report = read_transaction(row)
    if report.charge is None or not report.charge.gateway_transaction_id:
        raise _unreadable("a transaction without an identifier")
    return Record(
        kind=RecordKind.CHARGE, outcome=report.outcome, charge=report.charge, create_time=created
    )


def _refund(row: JsonObject, created: datetime, charge: Charge) -> Record:
    report = refund_rows.read_refund(row, _currency_of(charge))
    mark = refund_rows.comment(row)
    written = Charge(
        reference=mark if _REFERENCE.fullmatch(mark) else charge.reference,
        gateway_transaction_id=report.gateway_refund_id,
        amount=report.amount,
        failure=report.failure,
        gateway_status=report.gateway_status,
    )
    return _of_charge(RecordKind.REFUND, report.outcome, written, created, charge)


def _chargeback(row: JsonObject, created: datetime, charge: Charge) -> Record:
    status = identifier_at(row, "status")
    written = Charge(
        reference=charge.reference,
        gateway_transaction_id=identifier_at(row, "id"),
        amount=exact_money(_currency_of(charge), amount_at(row, "amount")),
        gateway_status=status,
    )
    outcome = outcome_for(status, _CHARGEBACK_OUTCOMES, "flutterwave")
    return _of_charge(RecordKind.CHARGEBACK, outcome, written, created, charge)


def _of_charge(
    kind: RecordKind, outcome: Outcome, written: Charge, created: datetime, charge: Charge
) -> Record:
    if not written.gateway_transaction_id or written.amount is None:
        raise _unreadable(f"a {kind.lower()} without an identifier or an exact amount")
    return Record(
        kind=kind,
        outcome=outcome,
        charge=written,
        create_time=created,
        charge_transaction_id=charge.gateway_transaction_id,
    )


def _currency_of(charge: Charge) -> str:
    return charge.amount.currency if charge.amount else ""


def _created(row: JsonObject) -> datetime:
    created = moment_at(row, "created_at", "createdAt")
    if created is None:
        raise _unreadable("a row without the time when it was recorded")
    return created


def _unreadable(detail: str) -> OutcomeUnknownError:
    """Return the failure of a row that cannot be read: without it the list looked complete."""
    return OutcomeUnknownError("unreadable_reply", detail, operator_alert=True)
