"""Page tokens: they lead on exactly where the page ended, in the list that they belong to."""

import base64
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

import msgspec
import pytest

from kit.errors import InvalidRequestError
from services.payments.domain.states import PaymentStatus
from services.payments.page_tokens import keyset_of, next_page_token, page_size
from services.payments.ports import PaymentFilter
from tests.unit.factories import NOW, make_payment

LAST = make_payment(id=UUID("018f0000-0000-7000-8000-00000000abcd"))
WANTED = PaymentFilter(
    user_id="member-1",
    status=PaymentStatus.COMPLETED,
    gateway="eversend",
    created_from=NOW,
    created_before=NOW + timedelta(days=1),
)
TOKEN = next_page_token(LAST, WANTED)


def refused(token: str, wanted: PaymentFilter = WANTED) -> str:
    with pytest.raises(InvalidRequestError) as error:
        keyset_of(token, wanted)
    [violation] = error.value.violations
    assert violation.field == "page_token"
    return violation.description


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(value)).decode()


def parts() -> list[Any]:
    """Return what a token of ours holds: the time, the payment and the filters' digest."""
    return msgspec.msgpack.decode(base64.urlsafe_b64decode(TOKEN), type=list[Any])


def test_a_token_leads_on_after_the_last_payment_to_the_microsecond() -> None:
    assert keyset_of(TOKEN, WANTED) == (LAST.created_at, LAST.id)


def test_the_first_page_needs_no_token() -> None:
    assert keyset_of("", WANTED) is None


def test_a_token_fits_into_the_request_field() -> None:
    assert len(TOKEN) <= 500


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user_id", "member-2"),
        ("user_id", None),
        ("status", PaymentStatus.FAILED),
        ("gateway", "flutterwave"),
        ("created_from", NOW - timedelta(microseconds=1)),
        ("created_before", None),
    ],
)
def test_a_token_belongs_to_the_filters_that_it_began_with(field: str, value: Any) -> None:
    other = replace(WANTED, **{field: value})
    assert refused(TOKEN, other) == "belongs to a list with other filters"


def test_the_position_is_no_filter() -> None:
    assert keyset_of(TOKEN, replace(WANTED, before=(NOW, LAST.id))) is not None


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "not a token",
        "\u00e9\u00e9\u00e9\u00e9",
        "AAAA",
        TOKEN[:-4],
        TOKEN + "AAAA",
        TOKEN.replace("=", "") + "*",
        encoded(None),
        encoded({"created_at": NOW}),
        encoded([*parts(), 1]),
        encoded([*parts()[:2], b""]),
        encoded(["2026-03-14T15:09:26", *parts()[1:]]),
        encoded([*parts()[:1], "no uuid", *parts()[2:]]),
        encoded([1e300, *parts()[1:]]),
    ],
)
def test_what_is_no_token_of_ours_is_refused(token: str) -> None:
    assert refused(token)


def test_whatever_is_changed_in_a_token_it_is_refused_or_names_a_place_in_the_list() -> None:
    raw = base64.urlsafe_b64decode(TOKEN)
    for index, flipped in product(range(len(raw)), (0x01, 0x80)):
        changed = bytes([*raw[:index], raw[index] ^ flipped, *raw[index + 1 :]])
        try:
            keyset = keyset_of(base64.urlsafe_b64encode(changed).decode(), WANTED)
        except InvalidRequestError:
            continue
        assert keyset is not None
        created_at, payment_id = keyset
        assert created_at.tzinfo is not None
        assert isinstance(payment_id, UUID)


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 50), (1, 1), (200, 200), (201, 200), (2**31 - 1, 200)]
)
def test_a_page_has_a_default_and_a_largest_size(asked: int, given: int) -> None:
    assert page_size(asked) == given


@pytest.mark.parametrize("asked", [-1, -(2**31)])
def test_a_negative_page_size_is_refused(asked: int) -> None:
    with pytest.raises(InvalidRequestError) as error:
        page_size(asked)
    assert [each.field for each in error.value.violations] == ["page_size"]
