"""Members read sentences in their language, and every language has all of them."""

import string
from collections.abc import AsyncIterator

import httpx
import pytest

from kit.errors import ErrorCode, ServiceError
from protos.payments.v1 import payments_service_pb2 as pb
from protos.payments.v1.payment_pb2 import (
    PAYMENT_STATUS_FAILED,
    NextAction,
    Payment,
    PaymentFailure,
)
from services.bff.language import LANGUAGES, Language, language_for
from services.payments import mapping
from services.payments.domain.failures import MEMBER_MESSAGES
from tests.bff.conftest import logged_in
from tests.bff.scripted import PAYMENT_ID, ScriptedService, payment

ENGLISH = LANGUAGES["en"]
# Staff read these about refunds; no member ever does.
_FOR_STAFF = {name for name in MEMBER_MESSAGES if name.startswith("refund_")}


@pytest.mark.parametrize("language", LANGUAGES.values(), ids=LANGUAGES)
def test_every_language_has_the_same_texts(language: Language) -> None:
    assert {part: set(texts) for part, texts in language.texts.items()} == {
        part: set(texts) for part, texts in ENGLISH.texts.items()
    }
    for texts in language.texts.values():
        for text in texts.values():
            assert text == text.strip()
            assert text[-1] in string.punctuation


@pytest.mark.parametrize("name", sorted(LANGUAGES.keys() - {"en"}))
def test_a_translation_is_none_of_the_english_texts(name: str) -> None:
    for part, texts in LANGUAGES[name].texts.items():
        assert not set(texts.values()) & set(ENGLISH.texts[part].values())


@pytest.mark.parametrize("code", sorted(MEMBER_MESSAGES.keys() - _FOR_STAFF))
def test_failures_read_in_english_as_the_payments_service_writes_them(code: str) -> None:
    assert ENGLISH.failure(code) == MEMBER_MESSAGES[code]


def test_an_unknown_failure_reads_as_a_decline() -> None:
    assert ENGLISH.failure("new_code") == ENGLISH.failure("declined")


def test_payments_read_in_english_as_the_payments_service_writes_them() -> None:
    for status, text in mapping._STATUS_MESSAGES.items():
        assert ENGLISH.payment(status.value) == text
    for kind, text in mapping._ACTION_MESSAGES.items():
        assert ENGLISH.payment(kind.value.removesuffix("_url")) == text


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("fr", "fr"),
        ("FR-ca", "fr"),
        ("sw-KE,en;q=0.8", "sw"),
        ("en;q=0.5, fr;q=0.9, sw;q=0.7", "fr"),
        ("de, fr;q=0.1", "fr"),
        ("de, *;q=0.5", "en"),
        ("fr;q=0", "en"),
        ("fr;q=2", "en"),
        ("fr;q=nan", "en"),
        ("fr;q=", "en"),
        ("lu,lg", "en"),
        ("../../etc/passwd", "en"),
        (",;=" * 1000, "en"),
        ("fr;q=0.5;q=0.9", "en"),
        ("x" * 100_000, "en"),
    ],
)
def test_the_best_language_that_we_have_is_chosen(header: str, code: str) -> None:
    assert language_for(header).code == code


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "You have tried too often. Please wait a moment and try again."),
        ("fr", "Vous avez essayé trop souvent. Patientez un instant, puis réessayez."),
        ("sw", "Umejaribu mara nyingi mno. Subiri kidogo kisha ujaribu tena."),
    ],
)
async def test_a_problem_is_told_in_the_members_language(
    bff: httpx.AsyncClient, service: ScriptedService, language: str, text: str
) -> None:
    service.answers["GetPayment"] = ServiceError(
        ErrorCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", "from the service"
    )
    response = await bff.get(
        f"/api/payments/{PAYMENT_ID}", headers=logged_in(accept_language=language)
    )

    assert response.json()["detail"] == text
    assert response.headers["content-language"] == language
    assert "accept-language" in response.headers["vary"].lower()


async def test_a_payment_is_told_in_the_members_language(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    failed = payment(
        status=PAYMENT_STATUS_FAILED,
        next_action=NextAction(),
        failure=PaymentFailure(code="card_expired", message="from the service"),
    )
    service.answers["GetPayment"] = pb.GetPaymentResponse(payment=failed)

    response = await bff.get(f"/api/payments/{PAYMENT_ID}", headers=logged_in(accept_language="fr"))

    assert response.json()["status_message"] == "La carte a expiré. Utilisez une autre carte."
    assert response.json()["failure"]["message"] == response.json()["status_message"]


async def test_money_that_is_held_is_said_to_have_arrived(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    held = payment(held_for_review=True)
    service.answers["GetPayment"] = pb.GetPaymentResponse(payment=held)

    response = await bff.get(f"/api/payments/{PAYMENT_ID}", headers=logged_in())

    assert response.json()["status_message"] == ENGLISH.payment("held_for_review")


async def test_live_updates_are_told_in_the_members_language(
    bff: httpx.AsyncClient, service: ScriptedService
) -> None:
    async def once(_request: object) -> AsyncIterator[Payment]:
        yield payment()

    service.answers["WatchPayment"] = once
    response = await bff.get(
        f"/api/payments/{PAYMENT_ID}/events", headers=logged_in(accept_language="sw")
    )

    assert "Kamilisha malipo yako" in response.text
