"""Eversend's endpoints that we use, one method each (contract §5, §6, §7)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from http import HTTPStatus
from typing import Literal

from gateway_adapters.errors import (
    GatewayFailureError,
    NotCreatedError,
    NotSentError,
    OutcomeUnknownError,
)
from gateway_adapters.eversend.auth import Credentials, TokenSource
from gateway_adapters.eversend.states import (
    creation_failure,
    is_origin_refused,
    payout_failure,
    refusal_words,
)
from gateway_adapters.http import HttpBoundary, HttpCall
from gateway_adapters.json_body import JsonObject, identifier_at, object_at, objects_at
from gateway_adapters.verdicts import GATEWAY_CONFIGURATION, HttpReply, Verdict, failure_of_look_up
from gateway_adapters.wording import detail_of

PAGE_ROWS = 100
_MAX_PIN_ID = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list of transactions, as they were sent."""

    rows: Sequence[JsonObject]
    is_last: bool


class EversendClient:
    """Calls Eversend."""

    def __init__(self, http: HttpBoundary, tokens: TokenSource, credentials: Credentials) -> None:
        self._http = http
        self._tokens = tokens
        self._credentials = credentials

    async def send_otp(self, phone: str, channel: Literal["sms", "whatsapp"]) -> str:
        """Have a one-time password sent to a phone; return its `pinId`: `POST /collections/otp`.

        No collection exists yet, so every failure is a proof: `NotSentError` or `NotCreatedError`.
        """
        body = {"phone": phone}
        if channel == "whatsapp":
            body["code_type"] = "whatsapp"
        call = HttpCall(operation="send_otp", method="POST", route="/collections/otp", body=body)
        document = await self._prepare(call)
        pin_id = identifier_at(object_at(document, "data") or {}, "pinId")
        if not pin_id or len(pin_id) > _MAX_PIN_ID:
            raise NotSentError("unreadable_reply", "no pinId for the one-time password")
        return pin_id

    async def collect(self, path: str, body: Mapping[str, object], reference: str) -> JsonObject:
        """Create a collection and return its transaction: `POST /collections/momo` or another.

        Raises `NotSentError`, `NotCreatedError` or `OutcomeUnknownError`.
        """
        call = HttpCall(
            operation="collect", method="POST", route=path, body=body, reference=reference
        )
        reply = await self._authorized(call)
        node = _transaction_in(_created(reply, creation_failure(reply)))
        if node is None or identifier_at(node, "transactionRef") not in ("", reference):
            raise OutcomeUnknownError("unreadable_reply", "a success without our transaction")
        return node

    async def transaction(self, key: str, reference: str) -> JsonObject | None:
        """Return one transaction by its id (or, where that works, by our reference), or None.

        `reference`: for the log. Raises `NotSentError` or `OutcomeUnknownError`.
        """
        reply = await self._get(
            HttpCall(
                operation="transaction",
                method="GET",
                route="/transactions/{id}",
                parts={"id": key},
                reference=reference,
            )
        )
        if reply.status == HTTPStatus.NOT_FOUND and reply.document is not None:
            return None
        node = _transaction_in(_answer(reply))
        if node is None:
            raise OutcomeUnknownError("unreadable_reply", "a reply without a transaction")
        return node

    async def search(
        self, reference: str, kind: Literal["collection", "payout"]
    ) -> list[JsonObject]:
        """Return the transactions whose reference is exactly ours: `GET /transactions?search=`.

        Raises `NotSentError` or `OutcomeUnknownError`.
        """
        query = {"search": reference, "type": kind, "limit": str(PAGE_ROWS)}
        rows = objects_at(await self._list("search", query, reference), "transactions")
        return [row for row in rows if identifier_at(row, "transactionRef") == reference]

    async def page(self, since: date, until: date, number: int) -> Page:
        """Return one page of every transaction created on these days: `GET /transactions`.

        `number`: from 1. Raises `NotSentError` or `OutcomeUnknownError`, the latter also for a page
        that does not say whether another follows.
        """
        query = {
            "from": since.isoformat(),
            "to": until.isoformat(),
            "page": str(number),
            "limit": str(PAGE_ROWS),
        }
        data = await self._list("list", query, "")
        rows = objects_at(data, "transactions")
        listed = data["transactions"]
        counts = [identifier_at(data, name) for name in ("page", "limit", "total")]
        whole = all(text.isdecimal() for text in counts) and int(counts[0]) == number
        if not whole or not isinstance(listed, list) or len(rows) != len(listed):
            raise OutcomeUnknownError("unreadable_reply", "a page that cannot be counted")
        _, limit, total = map(int, counts)
        return Page(rows=rows, is_last=not rows or number * limit >= total)

    async def quote(self, body: Mapping[str, object], reference: str) -> JsonObject:
        """Return what a payout would cost, and its token: `POST /payouts/quotation`.

        Nothing moves before `pay_out`, so every failure is a proof: `NotSentError` or
        `NotCreatedError`.
        """
        call = HttpCall(
            operation="quote_payout",
            method="POST",
            route="/payouts/quotation",
            body=body,
            reference=reference,
        )
        return object_at(await self._prepare(call), "data") or {}

    async def pay_out(self, body: Mapping[str, object], reference: str) -> JsonObject:
        """Send money and return the payout's transaction: `POST /payouts`.

        Sent once, whatever happens: not even a 401 is answered with a second try, because money
        leaves here. Raises `NotSentError`, `NotCreatedError` or `OutcomeUnknownError`.
        """
        call = HttpCall(
            operation="pay_out", method="POST", route="/payouts", body=body, reference=reference
        )
        reply = await self._with_token(call, await self._tokens.token())
        node = _transaction_in(_created(reply, payout_failure(reply)))
        if node is None or identifier_at(node, "transactionRef") not in ("", reference):
            raise OutcomeUnknownError("unreadable_reply", "a success without our payout")
        return node

    async def close(self) -> None:
        """Stop what is under way and close every connection."""
        await self._tokens.close()
        await self._http.close()

    async def _get(self, call: HttpCall) -> HttpReply:
        """Make a look-up. Not being able to ask proves nothing about the charge."""
        try:
            return await self._authorized(call)
        except NotCreatedError as error:
            raise OutcomeUnknownError(
                error.code, error.detail, operator_alert=error.operator_alert
            ) from error

    async def _list(self, operation: str, query: Mapping[str, str], reference: str) -> JsonObject:
        """Return the `data` of a list of transactions; its rows are in there."""
        reply = await self._get(
            HttpCall(
                operation=operation,
                method="GET",
                route="/transactions",
                query=query,
                reference=reference,
            )
        )
        data = object_at(_answer(reply), "data")
        if data is None or not isinstance(data.get("transactions"), list):
            raise OutcomeUnknownError("unreadable_reply", "a reply without a list")
        return data

    async def _prepare(self, call: HttpCall) -> JsonObject:
        """Make a call that only prepares another: failing, it proves that nothing was created."""
        try:
            reply = await self._authorized(call)
            return _created(reply, creation_failure(reply))
        except OutcomeUnknownError as error:
            raise NotSentError(error.code, error.detail) from error

    async def _authorized(self, call: HttpCall) -> HttpReply:
        """Make a call with the current token, and once more with a new one after a plain 401.

        Sending a POST again is safe here alone: a 401 means that it was not processed (§2). A
        refused origin is not about the token and is not tried again.
        """
        token = await self._tokens.token()
        reply = await self._with_token(call, token)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            reply = await self._with_token(call, await self._tokens.token())
        return reply

    async def _with_token(self, call: HttpCall, token: str) -> HttpReply:
        """Make a call once; forget the token when it is refused."""
        headers = {"Authorization": f"Bearer {token}", **self._credentials.origin_headers()}
        reply = await self._http.exchange(replace(call, headers=headers))
        if is_origin_refused(reply):
            raise _origin_failure(reply)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            self._tokens.discard(token)
        return reply


def _origin_failure(reply: HttpReply) -> GatewayFailureError:
    detail = detail_of(refusal_words(reply))
    return NotCreatedError(GATEWAY_CONFIGURATION, detail, operator_alert=True)


def _created(reply: HttpReply, failure: GatewayFailureError | None) -> JsonObject:
    """Return the body of a reply to a POST, or raise the failure that it proves."""
    if failure:
        raise failure
    return reply.document or {}


def _answer(reply: HttpReply) -> JsonObject:
    document = reply.document or {}
    if reply.verdict is not Verdict.ANSWERED or document.get("success") is not True:
        raise failure_of_look_up(reply, refusal_words(reply))
    return document


def _transaction_in(document: JsonObject) -> JsonObject | None:
    """Find the transaction in any of the three shapes that replies have (§6)."""
    data = object_at(document, "data") or {}
    candidates = (*objects_at(data, "transactions")[:1], object_at(data, "transaction"), data)
    found = (node for node in candidates if node and ("transactionId" in node or "status" in node))
    return next(found, None)
