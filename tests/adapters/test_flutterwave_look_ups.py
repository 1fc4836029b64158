"""Looking a charge up at Flutterwave, with several tries under one reference."""

from typing import Any

import pytest

from gateway_adapters.charges import ChargeQuery, ChargeReport, Outcome
from gateway_adapters.errors import GatewayFailureError, OutcomeUnknownError
from gateway_adapters.flutterwave.states import decline_code, outcome_of
from kit.money import Money
from tests.adapters.flutterwave_replies import (
    BY_REFERENCE,
    KES,
    NOT_FOUND,
    REFERENCE,
    many,
    one,
    transaction,
)
from tests.adapters.scripted import scripted


async def looked_up(replies: dict[str, Any], transaction_id: str = "", **changes: object) -> Any:
    async with scripted("flutterwave", replies, **changes) as (gateway, _):
        query = ChargeQuery(reference=REFERENCE, gateway_transaction_id=transaction_id)
        return await gateway.get_charge(query)


async def look_up_failure(replies: dict[str, Any], transaction_id: str = "") -> GatewayFailureError:
    with pytest.raises(OutcomeUnknownError) as caught:
        await looked_up(replies, transaction_id)
    return caught.value


@pytest.mark.parametrize("status", [200, 400, 404])
async def test_an_unknown_transaction_is_not_found_whatever_the_http_status(status: int) -> None:
    found = await looked_up({BY_REFERENCE: (status, NOT_FOUND), "/transactions": many()})
    assert found.outcome is Outcome.NOT_FOUND


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_not_found_words_under_another_status_prove_nothing(status: int) -> None:
    await look_up_failure({BY_REFERENCE: (status, NOT_FOUND), "/transactions": many()})


async def test_a_success_is_reported_with_its_amount_and_fee() -> None:
    async with scripted("flutterwave", {BY_REFERENCE: one()}) as (gateway, script):
        query = ChargeQuery(reference=REFERENCE, gateway_transaction_id="")
        found = await gateway.get_charge(query)
    assert found.outcome is Outcome.SUCCEEDED
    assert found.charge
    assert (found.charge.amount, found.charge.fee) == (KES, Money("KES", 1_448))
    assert found.charge.gateway_transaction_id == "8830142"
    assert [request.path for request in script.requests] == [BY_REFERENCE, "/transactions"]


@pytest.mark.parametrize("by_id", ["", "8830142"])
async def test_other_successes_under_the_reference_are_named_beside_a_success(by_id: str) -> None:
    rows = [
        transaction(id="8830145"),
        transaction(id="8830144", status="failed"),
        transaction(id="8830143", tx_ref="cpanother1"),
        transaction(id="8830142"),
        transaction(id="990001"),
    ]
    replies = {
        BY_REFERENCE: one(),
        "/transactions/8830142/verify": one(),
        "/transactions": many(*rows),
    }
    found = await looked_up(replies, by_id)
    assert found.charge.gateway_transaction_id == "8830142"
    assert found.further_transaction_ids == ("990001", "8830145")


async def test_the_id_decides_which_of_two_successes_is_reported() -> None:
    replies = {
        BY_REFERENCE: one(),
        "/transactions/7/verify": one(id=7),
        "/transactions": many(transaction(), transaction(id="7")),
    }
    found = await looked_up(replies, "7")
    assert found.charge.gateway_transaction_id == "7"
    assert found.further_transaction_ids == ("8830142",)


@pytest.mark.parametrize("answer", [(500, "{}"), (200, "[]"), (404, "<html>"), (401, "{}")])
async def test_a_list_that_fails_does_not_turn_a_success_into_a_failure(answer: Any) -> None:
    found = await looked_up({BY_REFERENCE: one(), "/transactions": answer})
    assert found.outcome is Outcome.SUCCEEDED
    assert found.further_transaction_ids == ()


async def test_any_success_among_the_tries_wins_and_is_confirmed_by_its_id() -> None:
    replies = {
        BY_REFERENCE: one(id=3, status="failed"),
        "/transactions": many(
            transaction(id="3", status="failed"), transaction(id="2"), transaction(id="1")
        ),
        "/transactions/2/verify": one(id=2),
    }
    found = await looked_up(replies)
    assert found.outcome is Outcome.SUCCEEDED
    assert found.charge.gateway_transaction_id == "2"


async def test_a_listed_success_that_its_id_does_not_confirm_is_not_one() -> None:
    replies = {
        BY_REFERENCE: (400, NOT_FOUND),
        "/transactions": many(transaction(id="2")),
        "/transactions/2/verify": one(id=2, status="pending"),
    }
    assert (await looked_up(replies)).outcome is Outcome.PENDING


async def test_a_success_on_a_later_page_is_found() -> None:
    failed = [transaction(id=str(number), status="failed") for number in range(100, 110)]
    replies = {
        BY_REFERENCE: one(id=109, status="failed"),
        "/transactions": [many(*failed, pages=2), many(transaction(id="99"), pages=2)],
        "/transactions/99/verify": one(id=99),
    }
    assert (await looked_up(replies)).outcome is Outcome.SUCCEEDED


async def test_a_pending_try_keeps_the_charge_pending() -> None:
    tries = [transaction(id="1", status="failed"), transaction(id="2", status="pending")]
    found = await looked_up({BY_REFERENCE: one(status="failed"), "/transactions": many(*tries)})
    assert found.outcome is Outcome.PENDING
    assert found.charge.failure is None


@pytest.mark.parametrize(
    ("tries", "allowed", "outcome"),
    [
        (1, 1, Outcome.FAILED),
        (1, 2, Outcome.PENDING),
        (2, 2, Outcome.FAILED),
        (3, 5, Outcome.PENDING),
    ],
)
async def test_failed_tries_are_the_end_once_the_page_allows_no_other(
    tries: int, allowed: int, outcome: Outcome
) -> None:
    rows = [
        transaction(id=str(number), status="failed", processor_response=f"Declined {number}")
        for number in range(tries, 0, -1)
    ]
    replies = {BY_REFERENCE: one(id=1, status="failed"), "/transactions": many(*rows)}
    found = await looked_up(replies, flutterwave_max_retry_attempts=allowed)
    assert found.outcome is outcome
    assert found.charge.failure.code == "declined"
    assert found.charge.failure.detail == f"Declined {tries}"


async def test_rows_of_other_references_in_the_list_are_ignored() -> None:
    rows = [transaction(id="1", tx_ref="cpscript01x"), transaction(id="2", tx_ref="CPSCRIPT01")]
    found = await looked_up({BY_REFERENCE: (400, NOT_FOUND), "/transactions": many(*rows)})
    assert found.outcome is Outcome.NOT_FOUND


async def test_a_failed_try_found_by_its_id_does_not_hide_another_that_succeeded() -> None:
    replies = {"/transactions/7/verify": one(id=7, status="failed"), BY_REFERENCE: one()}
    found = await looked_up(replies, "7")
    assert found.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "replies",
    [
        {BY_REFERENCE: one(tx_ref="cpanother1")},
        {"/transactions/7/verify": one(id=7, tx_ref="cpanother1")},
        {"/transactions/7/verify": one(id=8)},
    ],
)
async def test_a_transaction_that_is_not_ours_proves_nothing(replies: dict[str, Any]) -> None:
    failure = await look_up_failure(replies, "" if BY_REFERENCE in replies else "7")
    assert failure.code == "reference_mismatch"


@pytest.mark.parametrize(
    "amount", ["1e99", "1e-99", "-0.001", '"12,500"', "null", "true", "[499]", "499.001"]
)
async def test_a_success_without_an_exact_amount_proves_nothing(amount: str) -> None:
    text = one(amount="AMOUNT").replace('"AMOUNT"', amount)
    failure = await look_up_failure({BY_REFERENCE: text})
    assert failure.operator_alert


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999999", "1e-999999"])
async def test_a_reply_with_what_is_no_number_is_unreadable(text: str) -> None:
    await look_up_failure({BY_REFERENCE: one(amount="AMOUNT").replace('"AMOUNT"', text)})


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        (499, 49_900),
        ("499", 49_900),
        ("499.00", 49_900),
        (499.5, 49_950),
        (0.29, 29),
        (98.6, 9_860),
    ],
)
async def test_amounts_are_read_exactly_however_they_are_written(
    amount: float | str, minor: int
) -> None:
    found = await looked_up({BY_REFERENCE: one(amount=amount)})
    assert found.charge.amount == Money("KES", minor)


async def test_a_fee_finer_than_the_currency_is_left_out_and_never_rounded() -> None:
    found = await looked_up({BY_REFERENCE: one(app_fee=26.875)})
    assert found.charge.fee is None


async def test_the_status_decides_and_not_the_processors_words() -> None:
    row = transaction(status="pending", processor_response="Successful")
    replies = {BY_REFERENCE: one(**row), "/transactions": many(row)}
    assert (await looked_up(replies)).outcome is Outcome.PENDING


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("successful", Outcome.SUCCEEDED),
        ("SUCCESSFUL", Outcome.SUCCEEDED),
        ("failed", Outcome.FAILED),
        ("cancelled", Outcome.FAILED),
        ("pending", Outcome.PENDING),
        ("pending auth", Outcome.PENDING),
        ("pending-validation", Outcome.PENDING),
        ("success-pending-validation", Outcome.PENDING),
        ("success", Outcome.PENDING),
        ("refunded", Outcome.PENDING),
        ("", Outcome.PENDING),
    ],
)
def test_each_status_means_exactly_this(status: str, outcome: Outcome) -> None:
    assert outcome_of(status) is outcome


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Insufficient Funds", "insufficient_funds"),
        ("Do not honour", "card_declined"),
        ("Do Not Honor", "card_declined"),
        ("Incorrect PIN", "incorrect_pin"),
        ("Wrong OTP entered", "incorrect_otp"),
        ("Suspected fraud", "fraud_suspected"),
        ("FRAUDULENT", "fraud_suspected"),
        ("Restricted card, retain card", "card_restricted"),
        ("Transaction not permitted to cardholder", "card_restricted"),
        ("Expired card", "card_expired"),
        ("invalid token supplied", "invalid_card"),
        ("Invalid transaction", "card_declined"),
        ("Transaction Failed", "declined"),
        ("Mocked a Failed Transaction", "declined"),
        ("", "declined"),
    ],
)
def test_each_decline_has_a_stable_code(words: str, code: str) -> None:
    assert decline_code(words) == code


async def test_a_declines_detail_is_bounded_and_without_personal_data() -> None:
    words = "Please call +256772123456 or mail amina.k@example.com\n" + "x" * 500
    row = transaction(status="failed", processor_response=words)
    found: ChargeReport = await looked_up({BY_REFERENCE: one(**row), "/transactions": many(row)})
    assert found.charge
    assert found.charge.failure
    detail = found.charge.failure.detail
    assert len(detail) <= 200
    assert "772123456" not in detail
    assert "amina" not in detail
    assert "\n" not in detail
