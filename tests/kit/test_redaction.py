"""Secrets and personal data do not reach a log, however they are wrapped."""

import datetime as dt
import decimal
import json
import uuid
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from kit.redaction import HIDDEN, redact, redact_text

SECRET = "abcSECRETabc"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZW1iZXItMSJ9.c2lnbmF0dXJlLWJ5dGVz"

TEXTS_WITH_A_SECRET = [
    f"token={SECRET}",
    f"token = {SECRET}",
    f"TOKEN: {SECRET}",
    f"password:\n  {SECRET}",
    f"password => {SECRET}",
    f"password -> {SECRET}",
    f"PASSWORD:={SECRET}",
    f"passwd='{SECRET} with spaces {SECRET}'",
    f"host=db user=app password={SECRET} dbname=payments",
    f"api-key={SECRET}",
    f"ApiKey: {SECRET}",
    f"clientId: {SECRET}",
    f"client_secret={SECRET}&grant_type=x",
    f"GET /callback?access_token={SECRET}&x=1",
    f"verif-hash: {SECRET}",
    f"verif_hash={SECRET}",
    f"X-Eversend-Signature: {SECRET}",
    f"Authorization: Bearer {SECRET}",
    f"authorization: {SECRET}",
    f"Authorization: Basic {SECRET}",
    f"Bearer\n{SECRET}",
    f"bearer: {SECRET}",
    f"Cookie: a=1; session={SECRET}; b={SECRET}",
    f"set-cookie: sid={SECRET}; Path=/",
    repr({"password": f"{SECRET} {SECRET}"}),
    repr([("authorization", SECRET)]),
    repr([(b"verif-hash", SECRET.encode())]),
    repr(json.dumps({"otp": SECRET}).encode()),
    json.dumps({"accessToken": SECRET, "refreshToken": SECRET}),
    json.dumps({"body": json.dumps({"pin": SECRET})}),
    json.dumps(json.dumps(json.dumps({"token": SECRET}))),
    f"postgresql://app:{SECRET}@db/payments",
    f"postgresql://app:{SECRET}@with@signs@db/payments",
    f"postgresql://app:{SECRET}/with/slashes@db/payments",
    f"redis://:{SECRET}@cache",
    f"proxy http://user:{SECRET}@proxy:3128 refused",
    f"FLWSECK_TEST-{SECRET}-X",
    f"FLWSECK-{SECRET}-X leaked",
    f"sk_live_{SECRET}",
    f"whsec_{SECRET}",
]

PERSONAL_TEXTS = [
    "4111111111111111",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "4111.1111.1111.1111",
    "4111_1111_1111_1111",
    "4111  1111  1111  1111",
    "4111\t1111\t1111\t1111",
    "4111\n1111\n1111\n1111",
    "4111\u00a01111\u00a01111\u00a01111",
    "card 4111 1111 1111 1111 12/27",
    "card 54 4111 1111 1111 1111",
    "x4111111111111111x",
    "card_4111111111111111_end",
    "378282246310005",
    "30569309025904",
    "2223003122003222",
    "5061460410120223210",
    "6304000000000000000",
    "+256772123456",
    "+256 772 123 456",
    "+256-772-123-456",
    "+256(0)772123456",
    "00256772123456",
    "256772123456",
    "254 712 345 678",
    "2348012345678",
    "0772123456",
    "0803 123 4567",
    "phone%2B256772123456",
    "tel:+256772123456",
    "john.doe+tag@mail.example.co.ug",
    "<john.doe@example.com>",
    "mailto:john.doe@example.com",
    "john.doe%40example.com",
    "JOHN.DOE@EXAMPLE.COM,",
    "john.doe\\u0040example.com",
    "john.doe&#64;example.com",
    "john.doe@localhost",
    '"john doe"@example.com',
    "john.o'doe@example.com",
    "j\u00f6hn.doe@ex\u00e4mple.com",
    "https://john.doe@example.com/path",
    JWT,
    f"token is {JWT}.",
    "OTP: 998877",
    "your otp is 998877",
    "cvv 998",
]

HARMLESS_TEXTS = [
    "cp0b1c2d3f4g5h6j7k8m9n0p1q",
    "0192f0c1-2345-7abc-8def-0123456789ab",
    "4111111a-1111-1111-1111-111111111111",
    "BE31795300012345",
    "408136545",
    "1700000000000",
    "2026-11-23T02:08:42.824342Z",
    "UGX 25,000",
    "127.0.0.1:50051",
    "charge.completed",
    "/webhooks/{gateway}",
    "payments.v1.PaymentsService/CreatePayment",
    "4111111111111112",
    "the mapping: shipping and pinned things",
]


@pytest.mark.parametrize("text", TEXTS_WITH_A_SECRET, ids=repr)
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    assert SECRET not in redact_text(text)


@pytest.mark.parametrize("text", PERSONAL_TEXTS, ids=repr)
def test_personal_data_in_a_text_is_hidden(text: str) -> None:
    hidden = redact_text(text)

    assert HIDDEN in hidden
    digits = "".join(character for character in hidden if character.isdigit())
    assert len(digits) < 6
    assert "doe" not in hidden.lower()


@pytest.mark.parametrize("text", HARMLESS_TEXTS, ids=repr)
def test_what_operators_need_stays_readable(text: str) -> None:
    assert redact_text(text) == text


@pytest.mark.parametrize(
    "key",
    [
        "token", "Token", "TOKEN", "x-user-token", "X_Service_Token", "accessToken", "Pass-Word",
        "passwd", "api_key", "X-API-KEY", "Authorization", "Set-Cookie", "verif-hash",
        "X-Eversend-Signature", "client.secret", "clientId", "OTP", "pin", "PIN", "pin_id", "cvv",
        "CardNumber", "card.number", "pan", "Email", "e-mail", "phone_number", "phoneNumber",
        "customer_name", "customer", "billing_address", "bvn", "raw_body", "tok\u200ben",
        "\uff54oken", "\u017fecret", "tok en",
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: [d], lambda d: {"outer": ({"in": d},)}])
def test_a_secrets_name_hides_its_value_however_it_is_spelled_and_nested(
    key: str, wrap: Any
) -> None:
    for value in (SECRET, [SECRET], {"inner": SECRET}, SECRET.encode(), 123_456):
        assert SECRET not in str(redact(wrap({key: value})))
        assert "123456" not in str(redact(wrap({key: value})))


@pytest.mark.parametrize("key", ["page_token", "span_id", "company", "listen_address", "ping_ms"])
def test_harmless_names_that_look_like_secrets_stay(key: str) -> None:
    assert redact("value", key) == "value"


def test_keys_themselves_are_redacted() -> None:
    assert "doe" not in str(redact({"john.doe@example.com": 1, ("token", SECRET): 2}))
    assert SECRET not in str(redact({("token", SECRET): 2}))


class _Talkative:
    def __str__(self) -> str:
        return f"password={SECRET} john.doe@example.com"


class _Silent:
    def __str__(self) -> str:
        raise RuntimeError("no text")


class _Number(int):
    pass


@dataclass
class _Customer:
    email: str
    otp: str


@pytest.mark.parametrize(
    "value",
    [
        _Talkative(),
        [_Talkative()],
        {"any": {"deep": (_Talkative(),)}},
        _Customer(email="john.doe@example.com", otp=SECRET),
        {"set": {f"token={SECRET}"}},
        frozenset({f"token={SECRET}"}),
        ValueError(f"token={SECRET} for john.doe@example.com"),
        f"token={SECRET}".encode(),
        bytearray(f"token={SECRET}".encode()),
        memoryview(f"token={SECRET}".encode()),
        orjson.dumps({"token": SECRET, "email": "john.doe@example.com"}).decode(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_no_kind_of_value_is_a_way_around(value: object) -> None:
    hidden = str(redact(value))

    assert SECRET not in hidden
    assert "doe" not in hidden


@pytest.mark.parametrize(
    "value",
    [
        4111111111111111,
        256772123456,
        4111111111111111.0,
        decimal.Decimal(4111111111111111),
        _Number(4111111111111111),
    ],
    ids=repr,
)
def test_numbers_are_looked_at_too(value: object) -> None:
    assert redact(value) == HIDDEN


@pytest.mark.parametrize("value", [25_000, 0, -1, 1.5, True, None, 10**15])
def test_ordinary_numbers_stay_what_they_are(value: object) -> None:
    assert redact(value) is value


@pytest.mark.parametrize(
    "value",
    [
        uuid.UUID("41111111-1111-1111-1111-111111111111"),
        dt.datetime(2026, 11, 23, 2, 8, tzinfo=dt.UTC),
    ],
)
def test_identifiers_and_times_stay_readable(value: object) -> None:
    assert redact(value) == str(value)


def test_an_object_without_text_does_not_break_the_log() -> None:
    assert redact(_Silent()) == "[_Silent without text]"


def test_a_structure_that_contains_itself_comes_to_an_end() -> None:
    endless: dict[str, Any] = {"token": SECRET}
    endless["self"] = endless

    hidden = json.dumps(redact(endless))

    assert SECRET not in hidden
    assert "nested too deeply" in hidden


@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000,
        "x-" * 50_000,
        "a." * 50_000,
        "4 " * 50_000,
        "token" * 20_000,
        "pin" + " " * 100_000,
        "otp" + "\\" * 100_000,
        '"a ' * 30_000,
        "://a:" * 20_000,
        "%40" * 30_000,
        "+1 " * 30_000,
        "eyJ" * 30_000,
    ],
    ids=lambda text: text[:8],
)
def test_a_hostile_text_costs_no_more_than_an_ordinary_one(text: str) -> None:
    # A pattern that backtracks would need minutes; the length bound is what keeps it linear.
    assert len(redact_text(text)) < 60_000


def test_a_database_error_does_not_tell_the_row_that_offends() -> None:
    error = (
        'new row violates check constraint "amount_check"\n'
        'DETAIL:  Failing row contains (1, Ada Obi, {"name": "Ada Obi"}, 14500).\n'
        "HINT: none"
    )
    redacted = redact_text(error)
    assert "Ada" not in redacted
    assert "amount_check" in redacted
    assert "HINT: none" in redacted
