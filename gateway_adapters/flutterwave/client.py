"""Flutterwave's v3 endpoints that we use, one method each (contract A3, A4, A9 to A11)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
from typing import Literal, TypeAlias

from gateway_adapters.charges import Outcome
from gateway_adapters.errors import OutcomeUnknownError
from gateway_adapters.flutterwave.auth import KeyAuth
from gateway_adapters.flutterwave.states import (
    creation_failure,
    error_words,
    is_success,
    refund_failure,
)
from gateway_adapters.http import HttpBoundary, HttpCall
from gateway_adapters.json_body import JsonObject, identifier_at, object_at, objects_at, rows_at
from gateway_adapters.verdicts import HttpReply, Verdict, failure_of_look_up

_NOT_FOUND_WORDS = "no transaction was found"
_NOT_FOUND_STATUSES = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND})
_INACTIVE_WORDS = "currently inactive"
# Ten rows a page (contract A1); a hosted page allows ten tries at most, plus late transfers.
_MAX_PAGES = 5
# More than this in one list that is read as a whole is not believable.
_MOST_PAGES = 20
_NO_REFUND_WORDS = ("no refund was found", "not found")

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)

Listing: TypeAlias = Literal["transactions", "refunds", "chargebacks", "settlements"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of a list, whole."""

    rows: Sequence[JsonObject]
    total_pages: int


class FlutterwaveClient:
    """Calls Flutterwave."""

    def __init__(self, http: HttpBoundary, auth: KeyAuth) -> None:
        self._http = http
        self._auth = auth

    async def create_link(self, body: Mapping[str, object], reference: str) -> str:
        """Create a hosted page and return its link: `POST /payments`.

        Raises `NotSentError`, `NotCreatedError` or `OutcomeUnknownError`.
        """
        reply = await self._post("create_link", "/payments", body, reference)
        failure = creation_failure(reply)
        if failure:
            raise failure
        link = (object_at(reply.document or {}, "data") or {}).get("link")
        if not isinstance(link, str) or not link.startswith(("https://", "http://")):
            raise OutcomeUnknownError("unreadable_reply", "a success without a link")
        return link

    async def disable_link(self, link: str) -> Outcome:
        """Close a hosted page: `POST /payments/link/disable`.

        SUCCEEDED when it is closed or was already, FAILED when Flutterwave refuses. Raises
        `NotSentError` or `OutcomeUnknownError`.
        """
        reply = await self._post("disable_link", "/payments/link/disable", {"link": link}, "")
        words = error_words(reply)
        if reply.verdict is Verdict.ANSWERED and is_success(reply):
            return Outcome.SUCCEEDED
        if reply.status == HTTPStatus.BAD_REQUEST and _INACTIVE_WORDS in words.lower():
            return Outcome.SUCCEEDED
        if reply.verdict in (Verdict.ANSWERED, Verdict.REFUSED) and words:
            return Outcome.FAILED
        raise failure_of_look_up(reply, words)

    async def verify(self, transaction_id: str, reference: str) -> JsonObject | None:
        """Return one transaction, None when Flutterwave does not know it.

        `reference`: for the log. Raises `NotSentError` or `OutcomeUnknownError`.
        """
        parts = {"id": transaction_id}
        return _transaction(
            await self._get("verify", "/transactions/{id}/verify", parts, reference)
        )

    async def verify_by_reference(self, reference: str) -> JsonObject | None:
        """Return the transaction that Flutterwave picks for a reference, None when there is none.

        Raises `NotSentError` or `OutcomeUnknownError`.
        """
        call = HttpCall(
            operation="verify_by_reference",
            method="GET",
            route="/transactions/verify_by_reference",
            query={"tx_ref": reference},
            headers=self._auth.headers(),
            reference=reference,
        )
        return _transaction(await self._http.exchange(call))

    async def list_by_reference(self, reference: str) -> list[JsonObject]:
        """Return every transaction under a reference: `GET /transactions?tx_ref=`.

        Raises `NotSentError` or `OutcomeUnknownError`.
        """
        rows: list[JsonObject] = []
        for page in count(1):
            reply = await self._list_page(reference, page)
            _require_answer(reply)
            document = reply.document or {}
            rows += objects_at(document, "data")
            if page >= min(_total_pages(document) or 1, _MAX_PAGES):
                break
        return [row for row in rows if identifier_at(row, "tx_ref") == reference]

    async def create_refund(
        self, transaction_id: str, body: Mapping[str, object], reference: str
    ) -> JsonObject:
        """Ask for a refund and return it: `POST /transactions/{id}/refund`.

        Raises `NotSentError`, `NotCreatedError` or `OutcomeUnknownError`.
        """
        parts = {"id": transaction_id}
        reply = await self._post("refund", "/transactions/{id}/refund", body, reference, parts)
        failure = refund_failure(reply)
        if failure:
            raise failure
        data = object_at(reply.document or {}, "data") or {}
        if not identifier_at(data, "id"):
            raise OutcomeUnknownError("unreadable_reply", "a success without a refund")
        return data

    async def refund(self, refund_id: str, reference: str) -> JsonObject | None:
        """Return one refund, None when Flutterwave does not know it: `GET /refunds/{id}`.

        How it says so is not established. Raises `NotSentError` or `OutcomeUnknownError`.
        """
        reply = await self._get("get_refund", "/refunds/{id}", {"id": refund_id}, reference)
        words = error_words(reply).lower()
        if reply.status in _NOT_FOUND_STATUSES and any(each in words for each in _NO_REFUND_WORDS):
            return None
        row = _data(reply)
        if identifier_at(row, "id") != refund_id:
            raise OutcomeUnknownError("reference_mismatch", "another refund was returned")
        return row

    async def refunds_of(self, transaction_id: str, reference: str) -> Sequence[JsonObject]:
        """Return every refund of a transaction: `GET /refunds?id=`.

        Raises `NotSentError` or `OutcomeUnknownError`.
        """
        return await self.every_page("refunds", {"id": transaction_id}, reference)

    async def settlement(self, settlement_id: str) -> JsonObject:
        """Return one settlement with its transactions: `GET /settlements/{id}`.

        Raises `NotSentError` or `OutcomeUnknownError`.
        """
        parts = {"id": settlement_id}
        return _data(await self._get("get_settlement", "/settlements/{id}", parts, ""))

    async def every_page(
        self, listing: Listing, query: Mapping[str, str], reference: str = ""
    ) -> Sequence[JsonObject]:
        """Return a whole list. Raises `NotSentError` or `OutcomeUnknownError`."""
        rows: list[JsonObject] = []
        for number in range(1, _MOST_PAGES + 1):
            page = await self.page(listing, query, number, reference)
            rows += page.rows
            if number >= page.total_pages:
                return rows
        raise OutcomeUnknownError("unreadable_reply", f"{listing}: a list without an end")

    async def page(
        self, listing: Listing, query: Mapping[str, str], number: int, reference: str = ""
    ) -> ListPage:
        """Return one page of a list, all of it or nothing: `GET /{listing}`.

        Raises `NotSentError` or `OutcomeUnknownError`.
        """
        reply = await self._http.exchange(
            HttpCall(
                operation=f"list_{listing}",
                method="GET",
                route=f"/{listing}",
                query={**query, "page": str(number)},
                headers=self._auth.headers(),
                reference=reference,
            )
        )
        _require_answer(reply)
        document = reply.document or {}
        rows, total = rows_at(document, "data"), _total_pages(document)
        if rows is None or total is None:
            raise OutcomeUnknownError("unreadable_reply", f"{listing}: a list without its pages")
        return ListPage(rows=rows, total_pages=total)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.close()

    async def _list_page(self, reference: str, page: int) -> HttpReply:
        return await self._http.exchange(
            HttpCall(
                operation="list_by_reference",
                method="GET",
                route="/transactions",
                query={"tx_ref": reference, "page": str(page)},
                headers=self._auth.headers(),
                reference=reference,
            )
        )

    async def _get(
        self, operation: str, route: str, parts: Mapping[str, str], reference: str
    ) -> HttpReply:
        return await self._http.exchange(
            HttpCall(
                operation=operation,
                method="GET",
                route=route,
                parts=parts,
                headers=self._auth.headers(),
                reference=reference,
            )
        )

    async def _post(
        self,
        operation: str,
        route: str,
        body: Mapping[str, object],
        reference: str,
        parts: Mapping[str, str] | None = None,
    ) -> HttpReply:
        return await self._http.exchange(
            HttpCall(
                operation=operation,
                method="POST",
                route=route,
                parts=parts or {},
                headers=self._auth.headers(),
                body=body,
                reference=reference,
            )
        )


def _transaction(reply: HttpReply) -> JsonObject | None:
    """Read the reply of a verification; three layers must agree (contract A1)."""
    words = error_words(reply)
    if _NOT_FOUND_WORDS in words.lower() and reply.status in _NOT_FOUND_STATUSES:
        return None
    return _data(reply)


def _data(reply: HttpReply) -> JsonObject:
    """Return the object that a look-up brought. Raises `OutcomeUnknownError`."""
    _require_answer(reply)
    data = object_at(reply.document or {}, "data")
    if data is None:
        raise failure_of_look_up(reply, "")
    return data


def _require_answer(reply: HttpReply) -> None:
    """Raise `OutcomeUnknownError` unless a look-up was answered with a success envelope."""
    if reply.verdict is not Verdict.ANSWERED or not is_success(reply):
        raise failure_of_look_up(reply, error_words(reply))


def _total_pages(document: JsonObject) -> int | None:
    info = object_at(object_at(document, "meta") or {}, "page_info") or {}
    total = identifier_at(info, "total_pages")
    return int(total) if _NUMBER.fullmatch(total) else None
