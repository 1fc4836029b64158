"""Bodies of strangers are read exactly or not at all."""

from decimal import Decimal

import pytest

from gateway_adapters.json_body import JsonBodyError, identifier_at, read_json_object


def test_fractions_are_decimals_and_whole_numbers_stay_whole() -> None:
    document = read_json_object(b'{"a":0.1,"b":100,"c":1.10,"d":1e2}')
    assert document == {"a": Decimal("0.1"), "b": 100, "c": Decimal("1.10"), "d": Decimal("1E+2")}
    assert str(document["c"]) == "1.10"


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"1", b"null", b"{", b"{}}", b"{'a':1}", b'{"a":01}', b'{"a":NaN}',
        b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1,"a":1}', b'{"n":{"a":1,"a":1}}',
        b"\xef\xbb\xbf{}", b'{"a":"\xff"}', b'{"a":"tab\there"}', b'{"a":' * 10_000,
        b"<html></html>", '{"a":1}'.encode("utf-16"), b'{"a":' + b"1" * 5_000 + b"}",
        b'{"a":"\\u0000"}', b'{"\\u0000":1}', b'{"a":"\\ud800"}', b'{"a":1e101}', b'{"a":1e-101}',
        b'{"a":' + b"1" * 101 + b"}", b'{"a":' + b"[" * 32 + b"]" * 32 + b"}",
    ],
)  # fmt: skip
def test_what_is_not_one_strict_object_is_refused(raw: bytes) -> None:
    with pytest.raises(JsonBodyError):
        read_json_object(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":"\\ud83d\\ude00"}', b'{"a":"\\\\ud800"}', b'{"a":"\\\\u0000"}', b'{"a":1e100}',
        b'{"a":1e-100}', b'{"a":' + b"1" * 100 + b"}", b'{"a":' + b"[" * 31 + b"]" * 31 + b"}",
        b'{"a":"' + b"[" * 1000 + b'"}', b" \t\r\n{} ",
    ],
)  # fmt: skip
def test_what_only_looks_like_it_is_read(raw: bytes) -> None:
    assert read_json_object(raw) is not None


def test_a_body_over_the_limit_is_refused_and_one_at_it_is_read() -> None:
    assert read_json_object(b'{"a": 1}', limit=8) == {"a": 1}
    with pytest.raises(JsonBodyError):
        read_json_object(b'{"a":  1}', limit=8)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('"abc"', "abc"), ("17", "17"), ('"17"', "17"), ("0", "0"), ("-1", "-1"), ("true", ""),
        ("null", ""), ("1.5", ""), ("[]", ""), ("{}", ""), ('""', ""), ('"a\\nb"', ""),
        ('"caf\\u00e9"', ""), ('"' + "x" * 129 + '"', ""),
    ],
)  # fmt: skip
def test_an_identifier_is_short_printable_text_or_a_whole_number(value: str, text: str) -> None:
    assert identifier_at(read_json_object(f'{{"id":{value}}}'.encode()), "id") == text


def test_the_first_usable_of_several_spellings_is_taken() -> None:
    document = read_json_object(b'{"tx_ref":null,"txRef":"cpscript01"}')
    assert identifier_at(document, "tx_ref", "txRef") == "cpscript01"
