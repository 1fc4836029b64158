"""What members read: masked phone numbers and the sentences of failures."""

import pytest

from services.payments.domain.failures import MEMBER_MESSAGES, failure
from services.payments.domain.payment import masked_phone
from tests.unit.factories import NOW


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("+256772123456", "+256•••••••56"),
        ("+25477", "••••••"),
        ("+254771", "+254•71"),
        ("+2", "••"),
        ("", ""),
    ],
)
def test_a_phone_number_shows_its_first_four_and_last_two_characters_at_most(
    number: str, masked: str
) -> None:
    assert masked_phone(number) == masked


@pytest.mark.parametrize("length", range(21))
def test_a_masked_phone_number_never_gives_the_number_away(length: int) -> None:
    number = "+25677212345678901234"[:length]
    masked = masked_phone(number)
    assert len(masked) == length
    assert masked != number or not number


@pytest.mark.parametrize("code", list(MEMBER_MESSAGES))
def test_every_failure_has_a_sentence_for_the_member(code: str) -> None:
    failed = failure(code, NOW)
    assert (failed.code, failed.at) == (code, NOW)
    assert failed.message == MEMBER_MESSAGES[code]
    assert failed.message.endswith(".")


def test_an_unknown_code_keeps_its_name_and_reads_as_a_decline() -> None:
    failed = failure("do_not_honour", NOW)
    assert failed.code == "do_not_honour"
    assert failed.message == MEMBER_MESSAGES["declined"]
