"""Money is exact, bounded, and never a float."""

from decimal import Decimal, localcontext
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.money import EXPONENTS, MAX_MINOR, Money, MoneyError, parse_decimal

currencies = st.sampled_from(sorted(EXPONENTS))
minors = st.integers(min_value=-MAX_MINOR, max_value=MAX_MINOR)

HOSTILE_TEXT = [
    "", " ", "-", "+", ".", "1.", ".5", "-.5", "+1", "--1", "1-", "1 ", " 1", "1\n", "\t1", "1 000",
    "1,000", "1,5", "1_000", "1e3", "1E3", "1e-3", "1e999999", "-1e999999", "1e-999999", "0x10",
    "0b1", "0o7", "NaN", "nan", "sNaN", "-NaN", "Infinity", "-Infinity", "inf", "1.0.0", "1/2",
    "UGX 1", "$1", "1%", "null", "None", "true", "\u0661\u0662\u0663", "\uff11\uff12", "\u00b2",
    "\u2160", "1\u00a0000", "1\u200b", "\u22121", "1\x00", "9" * 19, "1." + "0" * 10, "9" * 100_000,
    "0." + "1" * 100_000,
]  # fmt: skip

HOSTILE_VALUES = [
    Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("-Infinity"),
    Decimal("1e999999"), Decimal("-1e999999"), Decimal("1e-999999"), Decimal("1e19"),
    Decimal("0.0000000001"), 10**18, -(10**18), 10**4000, True, False, None, 1.0, 0.1,
    float("nan"), float("inf"), b"1", [1], {"amount": 1}, 1j,
]  # fmt: skip


@given(currencies, minors)
def test_every_amount_of_every_currency_survives_the_way_to_major_units_and_back(
    currency: str, minor: int
) -> None:
    money = Money(currency, minor)

    assert Money.from_major(currency, money.to_major()) == money
    assert Money.from_major(currency, format(money.to_major(), "f")) == money


@given(currencies, minors)
def test_major_units_have_exactly_the_currencys_decimals(currency: str, minor: int) -> None:
    text = format(Money(currency, minor).to_major(), "f")

    assert len(text.partition(".")[2]) == EXPONENTS[currency]
    assert "e" not in text.lower()


@given(currencies, minors, minors)
def test_adding_and_subtracting_are_exact_or_refused(currency: str, one: int, other: int) -> None:
    left, right = Money(currency, one), Money(currency, other)
    for combine, expected in ((Money.__add__, one + other), (Money.__sub__, one - other)):
        if abs(expected) <= MAX_MINOR:
            assert combine(left, right).minor == expected
        else:
            with pytest.raises(MoneyError):
                combine(left, right)


@given(currencies, st.decimals(allow_nan=True, allow_infinity=True))
def test_any_decimal_is_converted_exactly_or_refused(currency: str, major: Decimal) -> None:
    try:
        money = Money.from_major(currency, major)
    except MoneyError:
        return
    with localcontext(prec=60):
        assert Decimal(money.minor) == major.scaleb(EXPONENTS[currency])


@given(currencies, st.text(max_size=80))
def test_any_text_is_converted_exactly_or_refused(currency: str, text: str) -> None:
    try:
        money = Money.from_major(currency, text)
    except MoneyError:
        return
    assert money.to_major() == Decimal(text)


@pytest.mark.parametrize("text", HOSTILE_TEXT, ids=lambda text: repr(text[:20]))
def test_text_that_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        parse_decimal(text)


@pytest.mark.parametrize("value", HOSTILE_VALUES, ids=lambda value: repr(value)[:20])
def test_values_that_are_not_plain_decimals_are_refused(value: object) -> None:
    with pytest.raises(MoneyError):
        Money.from_major("UGX", cast("Any", value))


@pytest.mark.parametrize(
    ("currency", "major"), [("UGX", "1.5"), ("KES", "1.005"), ("KWD", "1.0005"), ("XOF", "0.1")]
)
def test_nothing_is_ever_rounded(currency: str, major: str) -> None:
    with pytest.raises(MoneyError, match="rounded"):
        Money.from_major(currency, major)


def test_zeros_behind_the_currencys_decimals_lose_nothing() -> None:
    assert Money.from_major("UGX", "25000.00") == Money("UGX", 25_000)


@pytest.mark.parametrize(
    ("currency", "minor", "text"),
    [("UGX", 25_000, "UGX 25,000"), ("KES", 49_900, "KES 499.00"), ("KWD", -1, "KWD -0.001")],
)
def test_it_reads_as_people_write_it(currency: str, minor: int, text: str) -> None:
    assert str(Money(currency, minor)) == text


@pytest.mark.parametrize("currency", ["", "ugx", "UGX ", "XXX", "UG", "\uff35GX"])
def test_unknown_currencies_are_refused(currency: str) -> None:
    with pytest.raises(MoneyError):
        Money(currency, 1)


@pytest.mark.parametrize("minor", [1.0, True, "1", None, Decimal(1), MAX_MINOR + 1])
def test_minor_units_are_bounded_whole_numbers(minor: object) -> None:
    with pytest.raises(MoneyError):
        Money("UGX", cast("Any", minor))


def test_currencies_never_mix() -> None:
    for combine in (Money.__add__, Money.__sub__):
        with pytest.raises(MoneyError):
            combine(Money("UGX", 1), Money("KES", 1))


def test_multiplying_by_a_fraction_is_refused() -> None:
    with pytest.raises(MoneyError):
        Money("UGX", 10) * cast("Any", 0.5)


def test_the_exponents_that_gateways_of_the_region_use_are_the_published_ones() -> None:
    published = {
        0: ["UGX", "RWF", "XAF", "XOF", "GNF", "KMF"],
        2: ["KES", "NGN", "GHS", "TZS", "ZMW", "MWK", "ZAR", "USD", "EUR", "GBP"],
        3: ["KWD", "TND", "BHD", "JOD", "OMR"],
    }
    for exponent, names in published.items():
        assert {EXPONENTS[name] for name in names} == {exponent}
