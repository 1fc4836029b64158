"""CreatePayment refuses hostile input: field by field, all at once, before anything happens."""

from collections.abc import Iterator

import pytest

from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_ANNUAL, BILLING_CYCLE_MONTHLY
from protos.common.v1.customer_pb2 import Customer
from protos.common.v1.payment_method_pb2 import (
    PAYMENT_METHOD_CARD,
    PAYMENT_METHOD_EXPRESS,
    PAYMENT_METHOD_MOBILE_MONEY,
)
from protos.payments.v1.payments_service_pb2 import CreatePaymentRequest
from tests.unit.refusals import violations_of

# Never part of a line of text: NUL, line ends, escape, delete, C1, separators, and what reorders
# the text that a person sees.
CONTROLS = [
    "a\x00b", "a\nb", "a\r\nb", "a\tb", "a\x1b[31mb", "a\x7fb", "a\x85b", "a\x9fb",
    "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "a\u200fb", "\ufeffab",
]  # fmt: skip
HOSTILE: dict[str, list[object]] = {
    "user_id": ["", "x" * 101, *CONTROLS],
    "tier": [
        "", "Pro", "pro ", " pro", "pro\n", "pro\x00", "p" * 41, "-pro", "_pro", "\u0440ro",
        "pro'--", "../pro", "PRO", "pr\u043e",
    ],
    "billing_cycle": [0, 3, 99, -1, 2**31 - 1],
    "payment_method": [0, 4, 99, -1, -(2**31)],
    "currency_code": [
        "", "ugx", "UG", "UGXX", "UGX ", "UGX\n", "\uff35\uff27\uff38", "U X", "UGX\x00", "123",
    ],
    "customer.email": [
        "", "a", "a@", "@b.com", "a@b", "a@b.c", "a b@c.com", "a@b c.com", "a@@b.com", "a@b.com\n",
        "a@b.com,c@d.com", "<a@b.com>", '"a"@b.com', "a@-b.com", "a@b.com.", "a@b.c0m",
        "a\\@b.com", "a:b@c.com", "a" * 65 + "@b.com", "a@" + "b" * 100 + ".com",
        *(f"{text}@example.com" for text in CONTROLS),
    ],
    "customer.name": ["x" * 101, *CONTROLS],
    "customer.phone_number": [
        "256772654321", "+0772654321", "0772654321", "+256 772 123456", "+256-772-654321",
        "+256772", "+25677265432178", "+2567726543217890",
        "+\u0662\u0665\u0666\u0667\u0667\u0662\u0666\u0665\u0664\u0663\u0662\u0661", "x",
        "+256772654321\n", "+256772654321;ext=1", "tel:+256772654321", "+99912345678",
        "+254712345678",
        "++256772654321", "+256772654321\x00",
    ],
    "customer.country_code": [
        "ug", "UGA", "U", "XX", "ZZ", "001", "UG ", "UG\n", "UG\x00", "\uff35\uff27",
    ],
    "return_url": [
        "javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "file:///etc/passwd",
        "ftp://shop.example/", "//shop.example/", "/return", "shop.example/return", "https:",
        "https://", "https:///return", "https:/shop.example", "https://user@shop.example/",
        "https://user:secret@shop.example/", "https://:secret@shop.example/",
        "https://@shop.example/", "https://shop.example\\@evil.example/",
        "https://evil.example\\.shop.example/", " https://shop.example/", "https://shop.example/ x",
        "https://shop.example/\n", "java\nscript:alert(1)", "https://shop.example/\x00",
        "https://shop.example:99999/", "https://shop.example:port/", "https://[::1/",
        "https://shop.example/\u202e", "https://shop.example/\u00a0",
        "https://shop.example/" + "x" * 2000,
    ],
    "idempotency_key": ["", "x" * 256, "a b", "a\tb", "key\n", "ключ", "key\x00", "\u200b", "é"],
    "payment_option": ["PayPal", "paypal ", "card", "x" * 5000, "paypal\x00"],
    "mobile_money_network": ["x" * 41, *CONTROLS],
}  # fmt: skip

LONG_ENOUGH_TO_RECOGNISE = 8


def valid() -> CreatePaymentRequest:
    return CreatePaymentRequest(
        user_id="member-1",
        tier="pro",
        billing_cycle=BILLING_CYCLE_MONTHLY,
        payment_method=PAYMENT_METHOD_MOBILE_MONEY,
        currency_code="UGX",
        customer=Customer(
            email="amina@example.com",
            name="Amina Okello",
            phone_number="+256772123456",
            country_code="UG",
        ),
        return_url="https://creators.example/return?from=app#top",
        idempotency_key="key-1",
    )


def with_value(path: str, value: object) -> CreatePaymentRequest:
    """Return a valid request but for one field."""
    request = valid()
    *parents, name = path.split(".")
    owner = getattr(request, parents[0]) if parents else request
    setattr(owner, name, value)
    return request


def hostile() -> Iterator[tuple[str, object]]:
    for path, values in HOSTILE.items():
        for value in values:
            yield path, value


async def test_a_valid_request_is_accepted() -> None:
    assert await violations_of("CreatePayment", valid()) == ()


@pytest.mark.parametrize(
    ("path", "value"),
    list(hostile()),
    ids=[f"{path}-{number}" for number, (path, _) in enumerate(hostile())],
)
async def test_a_hostile_value_is_refused_by_the_name_of_its_field(
    path: str, value: object
) -> None:
    violations = await violations_of("CreatePayment", with_value(path, value))
    assert [violation.field for violation in violations] == [path]


def test_every_field_of_the_request_has_hostile_values() -> None:
    fields = CreatePaymentRequest.DESCRIPTOR.fields_by_name
    paths = {name for name in fields if name != "customer"}
    paths |= {f"customer.{name}" for name in Customer.DESCRIPTOR.fields_by_name}
    assert paths == HOSTILE.keys()


async def test_a_refusal_never_repeats_the_value() -> None:
    for path, value in hostile():
        if isinstance(value, str) and len(value) >= LONG_ENOUGH_TO_RECOGNISE:
            [violation] = await violations_of("CreatePayment", with_value(path, value))
            assert value.strip() not in violation.description


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("user_id", "x" * 100),
        ("user_id", "auth0|5f7c8ec7c33c6c004bbafe82"),
        ("tier", "team_10-plus"),
        ("billing_cycle", BILLING_CYCLE_ANNUAL),
        ("customer.email", "first.last+tag@mail.example.co.ug"),
        ("customer.email", "jörg@example.com"),
        ("customer.name", ""),
        ("customer.name", "Nguyễn Thị Ánh \u2018Amina\u2019 O\u2019Kelló-van der Berg"),
        (
            "customer.name",
            "\u0645\u062d\u0645\u062f \u0639\u0628\u062f\u200c\u0627\u0644\u0644\u0647",
        ),
        ("customer.phone_number", "+256392123456"),
        ("return_url", ""),
        ("return_url", "http://127.0.0.1:8080/return"),
        ("return_url", "HTTPS://creators.example/a%20b?x=@y"),
        ("idempotency_key", "!~" + "x" * 253),
        ("payment_option", "google_pay"),
        ("mobile_money_network", "MTN"),
    ],
)
async def test_unusual_but_honest_values_are_accepted(path: str, value: object) -> None:
    assert await violations_of("CreatePayment", with_value(path, value)) == ()


async def test_everything_that_is_wrong_is_reported_at_once() -> None:
    request = CreatePaymentRequest(
        payment_method=PAYMENT_METHOD_MOBILE_MONEY,
        return_url="http://creators.example/",
        payment_option="?",
        customer=Customer(name="\0"),
        mobile_money_network="x" * 41,
    )
    request.MergeFromString(b"\x98\x06\x01")  # field 99
    violations = await violations_of("CreatePayment", request, https_only=True)
    assert sorted(violation.field for violation in violations) == [
        "#99",
        "billing_cycle",
        "currency_code",
        "customer.country_code",
        "customer.email",
        "customer.name",
        "customer.phone_number",
        "idempotency_key",
        "mobile_money_network",
        "payment_option",
        "return_url",
        "tier",
        "user_id",
    ]


@pytest.mark.parametrize("name", ["phone_number", "country_code"])
async def test_mobile_money_needs_a_number_and_its_country(name: str) -> None:
    violations = await violations_of("CreatePayment", with_value(f"customer.{name}", ""))
    assert [(each.field, each.description) for each in violations] == [
        (f"customer.{name}", "is required for mobile money")
    ]


async def test_the_number_of_mobile_money_belongs_to_its_country() -> None:
    violations = await violations_of("CreatePayment", with_value("customer.country_code", "KE"))
    assert [each.field for each in violations] == ["customer.phone_number"]


@pytest.mark.parametrize("method", [PAYMENT_METHOD_CARD, PAYMENT_METHOD_EXPRESS])
async def test_other_methods_need_no_number_and_take_one_from_abroad(method: int) -> None:
    request = with_value("customer.country_code", "KE")
    request.payment_method = method  # type: ignore[assignment]  # stubs want the enum's own type
    assert await violations_of("CreatePayment", request) == ()
    request.customer.phone_number = request.customer.country_code = ""
    assert await violations_of("CreatePayment", request) == ()


@pytest.mark.parametrize("url", ["http://shop.example/", "HTTP://shop.example/", "hTTp://x.y/"])
async def test_outside_development_the_member_returns_over_https(url: str) -> None:
    request = with_value("return_url", url)
    assert await violations_of("CreatePayment", request) == ()
    violations = await violations_of("CreatePayment", request, https_only=True)
    assert [(each.field, each.description) for each in violations] == [
        ("return_url", "must be https")
    ]


# Fields as they arrive from a caller that knows more than we do: tag, then value (protobuf wire
# format: field number * 8 + wire type).
AN_AMOUNT = b"\x0a\x03UGX\x10\x01"  # a Money message: one shilling
UNKNOWN = {
    "#11": b"\x58\x01",
    "#12": b"\x62" + bytes([len(AN_AMOUNT)]) + AN_AMOUNT,
    "#99": b"\x99\x06" + bytes(8),
    "#536870911": b"\xf8\xff\xff\xff\x0f\x01",
    "customer.#5": b"\x32\x02\x28\x01",
    "customer.#9": b"\x32"
    + bytes([2 + len(AN_AMOUNT)])
    + b"\x4a"
    + bytes([len(AN_AMOUNT)])
    + AN_AMOUNT,
}


@pytest.mark.parametrize("path", list(UNKNOWN))
async def test_a_field_that_we_do_not_know_is_refused_and_never_ignored(path: str) -> None:
    request = CreatePaymentRequest.FromString(valid().SerializeToString() + UNKNOWN[path])
    [violation] = await violations_of("CreatePayment", request)
    assert violation.field == path
    assert "amounts come from the price book" in violation.description
