"""Flutterwave's v3 endpoints that we use, one method each (contract A3)."""

from collections.abc import Mapping
from http import HTTPStatus
from itertools import count

from gateway_adapters.errors import OutcomeUnknownError
from gateway_adapters.flutterwave.auth import KeyAuth
from gateway_adapters.flutterwave.states import creation_failure, error_words, is_success
from gateway_adapters.gateway import Outcome, detail_of
from gateway_adapters.http import HttpBoundary, HttpCall
from gateway_adapters.json_body import JsonObject, identifier_at, object_at, objects_at
from gateway_adapters.verdicts import HttpReply, Verdict, failure_of_look_up

_NOT_FOUND_WORDS = "no transaction was found"
_NOT_FOUND_STATUSES = frozenset({HTTPStatus.OK, HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND})
_INACTIVE_WORDS = "currently inactive"
# Ten rows a page (contract A1); a hosted page allows ten tries at most, plus late transfers.
_MAX_PAGES = 5


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
        call = HttpCall(
            operation="verify",
            method="GET",
            route="/transactions/{id}/verify",
            parts={"id": transaction_id},
            headers=self._auth.headers(),
            reference=reference,
        )
        return _transaction(await self._http.exchange(call))

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
            if reply.verdict is not Verdict.ANSWERED or not is_success(reply):
                raise failure_of_look_up(reply, error_words(reply))
            document = reply.document or {}
            rows += objects_at(document, "data")
            if page >= min(_total_pages(document), _MAX_PAGES):
                break
        return [row for row in rows if identifier_at(row, "tx_ref") == reference]

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

    async def _post(
        self, operation: str, route: str, body: Mapping[str, object], reference: str
    ) -> HttpReply:
        return await self._http.exchange(
            HttpCall(
                operation=operation,
                method="POST",
                route=route,
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
    data = object_at(reply.document or {}, "data")
    if reply.verdict is Verdict.ANSWERED and is_success(reply) and data is not None:
        return data
    raise failure_of_look_up(reply, detail_of(words))


def _total_pages(document: JsonObject) -> int:
    info = object_at(object_at(document, "meta") or {}, "page_info") or {}
    total = info.get("total_pages")
    return total if isinstance(total, int) else 1
