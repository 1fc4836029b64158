"""Eversend's endpoints that we use, one method each (contract §5, §6)."""

from collections.abc import Mapping
from dataclasses import replace
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
    refusal_words,
)
from gateway_adapters.gateway import detail_of
from gateway_adapters.http import HttpBoundary, HttpCall
from gateway_adapters.json_body import JsonObject, identifier_at, object_at, objects_at
from gateway_adapters.verdicts import GATEWAY_CONFIGURATION, HttpReply, Verdict, failure_of_look_up

_MAX_PIN_ID = 64


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
        try:
            document = await self._create("send_otp", "/collections/otp", body, "")
        except OutcomeUnknownError as error:
            raise NotSentError(error.code, error.detail) from error
        pin_id = identifier_at(object_at(document, "data") or {}, "pinId")
        if not pin_id or len(pin_id) > _MAX_PIN_ID:
            raise NotSentError("unreadable_reply", "no pinId for the one-time password")
        return pin_id

    async def collect(self, path: str, body: Mapping[str, object], reference: str) -> JsonObject:
        """Create a collection and return its transaction: `POST /collections/momo` or another.

        Raises `NotSentError`, `NotCreatedError` or `OutcomeUnknownError`.
        """
        document = await self._create("collect", path, body, reference)
        node = _transaction_in(document)
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

    async def search(self, reference: str) -> list[JsonObject]:
        """Return the transactions whose reference is exactly ours: `GET /transactions?search=`.

        Raises `NotSentError` or `OutcomeUnknownError`.
        """
        reply = await self._get(
            HttpCall(
                operation="search",
                method="GET",
                route="/transactions",
                query={"search": reference, "type": "collection"},
                reference=reference,
            )
        )
        data = object_at(_answer(reply), "data")
        if data is None or not isinstance(data.get("transactions"), list):
            raise OutcomeUnknownError("unreadable_reply", "a reply without a list")
        rows = objects_at(data, "transactions")
        return [row for row in rows if identifier_at(row, "transactionRef") == reference]

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

    async def _create(
        self, operation: str, route: str, body: Mapping[str, object], reference: str
    ) -> JsonObject:
        """Send a request that creates something and return its reply, or raise what it proves."""
        reply = await self._authorized(
            HttpCall(
                operation=operation, method="POST", route=route, body=body, reference=reference
            )
        )
        failure = creation_failure(reply)
        if failure:
            raise failure
        return reply.document or {}

    async def _authorized(self, call: HttpCall) -> HttpReply:
        """Make a call with the current token, and once more with a new one after a plain 401.

        Sending a POST again is safe here alone: a 401 means that it was not processed (§2). A
        refused origin is not about the token and is not tried again.
        """
        token = await self._tokens.token()
        reply = await self._http.exchange(self._signed(call, token))
        if reply.status == HTTPStatus.UNAUTHORIZED and not is_origin_refused(reply):
            self._tokens.discard(token)
            token = await self._tokens.token()
            reply = await self._http.exchange(self._signed(call, token))
        if is_origin_refused(reply):
            raise _origin_failure(reply)
        return reply

    def _signed(self, call: HttpCall, token: str) -> HttpCall:
        headers = {"Authorization": f"Bearer {token}", **self._credentials.origin_headers()}
        return replace(call, headers=headers)


def _origin_failure(reply: HttpReply) -> GatewayFailureError:
    detail = detail_of(refusal_words(reply))
    return NotCreatedError(GATEWAY_CONFIGURATION, detail, operator_alert=True)


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
