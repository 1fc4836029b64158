"""Flutterwave: the hosted page, driven by its forms as a browser without scripts would."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.sandboxes.rigs import FlutterwaveRig

PIN_CARD = {"card_number": "5531 8866 5214 2950", "expiry": "09/32", "cvv": "564"}
POOR_CARD = {"card_number": "5258585922666506", "expiry": "09/31", "cvv": "883"}


def returned(reply: httpx.Response) -> dict[str, str]:
    """Return the query with which the payer was sent back to the merchant."""
    assert reply.status_code == 303
    target = urlsplit(reply.headers["location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == "https://shop.example/return"
    return {name: values[0] for name, values in parse_qs(target.query).items()}


async def last_attempt(rig: FlutterwaveRig) -> tuple[str, str]:
    attempts = await rig.charges("ref-1", "attempt")
    return attempts[-1]["status"], attempts[-1]["processor_response"]


async def test_the_page_shows_merchant_amount_and_usable_options(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link(
        customizations={"title": "<b>Kampala</b> Creators", "description": "Pro, one month"}
    )

    page = await flutterwave.api.get(link)

    assert page.status_code == 200
    assert "Sandbox — no real money" in page.text
    assert "&lt;b&gt;Kampala&lt;/b&gt; Creators" in page.text
    assert "25,000" in page.text
    assert 'id="option-card"' in page.text
    assert 'id="option-mobilemoneyuganda"' in page.text
    assert 'id="option-banktransfer"' not in page.text
    assert "<script" not in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_a_card_with_pin_succeeds_after_pin_and_otp(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link(payment_options="card")

    await flutterwave.submit(link, "card", **PIN_CARD)
    assert "Enter your card PIN" in (await flutterwave.api.get(link)).text
    assert await flutterwave.charges("ref-1", "attempt") == []
    await flutterwave.submit(link, "pin", pin="3310")
    assert "one-time password" in (await flutterwave.api.get(link)).text
    assert await last_attempt(flutterwave) == ("pending", "Pending validation")
    done = await flutterwave.submit(link, "otp", otp="12345")

    (attempt,) = await flutterwave.charges("ref-1", "attempt")
    assert attempt["status"] == "successful"
    assert returned(done) == {
        "order": "7",
        "status": "completed",
        "tx_ref": "ref-1",
        "transaction_id": str(attempt["id"]),
    }


@pytest.mark.parametrize(
    ("otp", "reason"), [("5548", "Incorrect OTP"), ("6648", "Insufficient Funds")]
)
async def test_some_one_time_passwords_fail(
    flutterwave: FlutterwaveRig, otp: str, reason: str
) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "card", **PIN_CARD)
    await flutterwave.submit(link, "pin", pin="3310")

    reply = await flutterwave.submit(link, "otp", otp=otp)

    assert reply.headers["location"] == urlsplit(link).path
    assert await last_attempt(flutterwave) == ("failed", reason)
    assert reason in (await flutterwave.api.get(link)).text


async def test_a_wrong_pin_fails_the_attempt(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "card", **PIN_CARD)

    await flutterwave.submit(link, "pin", pin="0000")

    assert await last_attempt(flutterwave) == ("failed", "Incorrect PIN")


@pytest.mark.parametrize(
    ("decision", "outcome"),
    [
        ("approve", ("successful", "Approved. Successful")),
        ("decline", ("failed", "Transaction not authenticated")),
    ],
)
async def test_a_3d_secure_card_is_decided_at_the_bank(
    flutterwave: FlutterwaveRig, decision: str, outcome: tuple[str, str]
) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "card", card_number="5438898014560229", expiry="10/31")
    assert "Your bank asks you to confirm" in (await flutterwave.api.get(link)).text

    await flutterwave.submit(link, "3ds", decision=decision)

    assert await last_attempt(flutterwave) == outcome


async def test_a_card_without_authentication_succeeds_at_once(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()

    done = await flutterwave.submit(link, "card", card_number="5061460166976054667")

    assert returned(done)["status"] == "completed"


async def test_a_card_with_address_check_asks_for_the_address(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "card", card_number="4556052704172643")

    incomplete = await flutterwave.submit(link, "avs", city="Kampala")
    done = await flutterwave.submit(link, "avs", address="1 Example Road", city="Kampala")

    assert incomplete.status_code == 422
    assert returned(done)["status"] == "completed"


@pytest.mark.parametrize(
    ("number", "expiry", "reason"),
    [
        ("5143010522339965", "08/32", "Declined. Address verification failed"),
        ("5143010522339965", "08/31", "Do Not Honour"),
        ("5590131743294314", "11/32", "Declined. Suspected fraud"),
        ("5258585922666506", "09/31", "Insufficient Funds"),
        ("5640007065275380", "05/26", "Insufficient Funds"),
        ("5551651630381384", "08/31", "Restricted card, retain card"),
        ("5551658157653822", "08/31", "Invalid transaction"),
        ("5258582054729020", "11/30", "Transaction not permitted to cardholder"),
        ("5258588264565682", "11/30", "Transaction not permitted on terminal"),
        ("5258589130149016", "11/30", "Transaction error"),
        ("5399834697894723", "09/31", "Incorrect PIN"),
    ],
)
async def test_the_documented_failing_cards_fail_in_their_own_words(
    flutterwave: FlutterwaveRig, number: str, expiry: str, reason: str
) -> None:
    link = await flutterwave.link()

    await flutterwave.submit(link, "card", card_number=number, expiry=expiry)

    assert await last_attempt(flutterwave) == ("failed", reason)


async def test_a_card_that_is_no_test_card_is_not_attempted(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()

    reply = await flutterwave.submit(link, "card", card_number="4111111111111111")

    assert reply.status_code == 422
    assert "Only the test cards" in reply.text
    assert "4111111111111111" not in reply.text
    assert await flutterwave.charges("ref-1", "attempt") == []


@pytest.mark.parametrize(
    ("phone", "form", "outcome"),
    [
        ("256772000481", {"decision": "approve", "otp": "123456"}, ("successful", "Approved")),
        ("256772000481", {"decision": "approve", "otp": "1"}, ("failed", "Incorrect OTP")),
        ("256772000481", {"decision": "decline"}, ("failed", "Declined by the customer")),
        (
            "+256121212121",
            {"decision": "approve", "otp": "123456"},
            ("failed", "Mocked a Failed Transaction"),
        ),
    ],
)
async def test_mobile_money_is_confirmed_on_the_phone(
    flutterwave: FlutterwaveRig, phone: str, form: dict[str, str], outcome: tuple[str, str]
) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "mobile-money", option="mobilemoneyuganda", phone=phone)
    assert await last_attempt(flutterwave) == ("pending", "Transaction in progress")

    await flutterwave.submit(link, "mobile-otp", **form)

    assert await last_attempt(flutterwave) == outcome


async def test_mobile_money_needs_a_phone_number(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()

    reply = await flutterwave.submit(
        link, "mobile-money", option="mobilemoneyuganda", phone="call me"
    )

    assert reply.status_code == 422
    assert 'aria-invalid="true"' in reply.text


async def test_a_bank_transfer_shows_the_account_and_takes_the_payers_word(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link(currency="NGN")
    page = await flutterwave.api.get(link, params={"option": "banktransfer"})

    done = await flutterwave.submit(link, "bank-transfer")

    assert "0067100155" in page.text
    assert returned(done)["status"] == "completed"


@pytest.mark.parametrize(
    ("tx_ref", "status"), [("ref-1", "completed"), ("ref_failed_mock", "failed")]
)
async def test_an_express_method_is_one_press(
    flutterwave: FlutterwaveRig, tx_ref: str, status: str
) -> None:
    link = await flutterwave.link(tx_ref, currency="USD", max_retry_attempt=1)

    done = await flutterwave.submit(link, "express", option="applepay")

    assert returned(done)["status"] == status


async def test_an_option_the_link_does_not_offer_changes_nothing(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link(payment_options="card")

    await flutterwave.submit(link, "express", option="applepay")
    await flutterwave.submit(link, "mobile-money", option="mobilemoneyuganda", phone="256772000481")
    await flutterwave.submit(link, "bank-transfer")

    assert await flutterwave.charges("ref-1", "attempt") == []


async def test_a_form_from_an_earlier_step_changes_nothing(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "card", **PIN_CARD)
    await flutterwave.submit(link, "pin", pin="3310")

    await flutterwave.submit(link, "card", **POOR_CARD)
    await flutterwave.submit(link, "pin", pin="0000")
    await flutterwave.submit(link, "back")

    assert await last_attempt(flutterwave) == ("pending", "Pending validation")


async def test_before_a_transaction_exists_the_payer_may_choose_again(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "card", **PIN_CARD)

    await flutterwave.submit(link, "back")

    assert 'id="card-form"' in (await flutterwave.api.get(link)).text


async def test_cancelling_goes_back_without_a_transaction_id(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()

    done = await flutterwave.submit(link, "cancel")

    assert returned(done) == {"order": "7", "status": "cancelled", "tx_ref": "ref-1"}
    assert "Payment cancelled" in (await flutterwave.api.get(link)).text


async def test_an_attempt_under_way_fails_when_the_link_is_closed(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "mobile-money", option="mobilemoneyuganda", phone="256772000481")

    await flutterwave.api.post("/v3/payments/link/disable", json={"link": link})

    assert await last_attempt(flutterwave) == ("failed", "Cancelled")


async def test_leaving_after_failed_attempts_says_failed(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link()
    await flutterwave.submit(link, "card", **POOR_CARD)

    done = await flutterwave.submit(link, "cancel")

    assert returned(done) == {"order": "7", "status": "failed", "tx_ref": "ref-1"}


async def test_the_session_ends_when_the_retries_are_used_up(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link(configurations={"max_retry_attempt": 2})
    await flutterwave.submit(link, "card", **POOR_CARD)
    assert "1 attempt left" in " ".join((await flutterwave.api.get(link)).text.split())

    done = await flutterwave.submit(link, "card", **POOR_CARD)
    after = await flutterwave.submit(link, "card", **PIN_CARD)

    assert returned(done) == {"order": "7", "status": "failed", "tx_ref": "ref-1"}
    assert returned(after)["status"] == "failed"
    assert len(await flutterwave.charges("ref-1", "attempt")) == 2


async def test_the_session_times_out_counted_from_the_first_look(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link(configurations={"session_duration": 10})
    await flutterwave.steer("clock", advance_seconds=3600)
    await flutterwave.submit(link, "card", **PIN_CARD)
    await flutterwave.submit(link, "pin", pin="3310")

    await flutterwave.steer("clock", advance_seconds=601)

    assert "Session timed out" in (await flutterwave.api.get(link)).text
    assert await last_attempt(flutterwave) == ("failed", "Session timed out")


async def test_a_link_expires_unopened_at_its_time(flutterwave: FlutterwaveRig) -> None:
    link = await flutterwave.link(link_expiration="2999-01-01T00:00:00Z")
    other = await flutterwave.link("ref-2", link_expiration="2020-01-01T00:00:00.000Z")

    assert "Session timed out" in (await flutterwave.api.get(other)).text
    assert 'id="card-form"' in (await flutterwave.api.get(link)).text


async def test_without_a_redirect_url_the_page_tells_the_outcome(
    flutterwave: FlutterwaveRig,
) -> None:
    link = await flutterwave.link(redirect_url=None)

    done = await flutterwave.submit(link, "card", card_number="5061460166976054667")

    assert done.headers["location"] == urlsplit(link).path
    assert "Payment complete" in (await flutterwave.api.get(link)).text


async def test_the_word_for_paid_can_be_the_documented_one(flutterwave: FlutterwaveRig) -> None:
    await flutterwave.steer("config", return_status="successful")
    link = await flutterwave.link()

    done = await flutterwave.submit(link, "card", card_number="5061460166976054667")

    assert returned(done)["status"] == "successful"


async def test_a_link_that_never_existed_says_so(flutterwave: FlutterwaveRig) -> None:
    reply = await flutterwave.api.get("/v3/hosted/pay/flwlnk-nope")

    assert reply.status_code == 404
    assert "does not exist" in reply.text
