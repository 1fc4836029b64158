"""The documented test cards (contract A13): what each does when a payer enters it."""

import re
from dataclasses import dataclass
from typing import Literal

Flow = Literal["pin", "3ds", "avs", "noauth", "decline"]

RIGHT_PIN = "3310"
USUAL_OTP = "12345"
WRONG_OTP = "5548"
POOR_OTP = "6648"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCard:
    """A test card; `number` may appear twice with different expiries and outcomes.

    `flow` is the step after the card form; for `decline` the outcome is the bank's words.
    """

    __test__ = False  # the name is the domain's, not a test class

    number: str
    expiry: str
    cvv: str
    flow: Flow
    outcome: str = ""
    auth_model: str = "NOAUTH"
    network: str = "MASTERCARD"


def _accepted(
    number: str, expiry: str, cvv: str, flow: Flow, network: str = "MASTERCARD"
) -> TestCard:
    models = {"pin": "PIN", "3ds": "VBVSECURECODE", "avs": "AVS_NOAUTH"}
    auth_model = models.get(flow, "NOAUTH")
    return TestCard(
        number=number, expiry=expiry, cvv=cvv, flow=flow, auth_model=auth_model, network=network
    )


def _declined(number: str, expiry: str, cvv: str, outcome: str) -> TestCard:
    return TestCard(
        number=number,
        expiry=expiry,
        cvv=cvv,
        flow="decline",
        outcome=outcome,
        auth_model="PIN" if outcome == "Incorrect PIN" else "VBVSECURECODE",
        network="AFRIGO" if number.startswith("5640") else "MASTERCARD",
    )


TEST_CARDS = (
    _accepted("5531886652142950", "09/32", "564", "pin"),
    _accepted("5438898014560229", "10/31", "564", "3ds"),
    _accepted("4187427415564246", "09/32", "828", "3ds", "VISA"),
    _accepted("5640003941605320", "05/26", "044", "3ds", "AFRIGO"),
    _accepted("5061460410120223210", "10/31", "780", "pin", "VERVE"),
    _accepted("5061460166976054667", "10/29", "564", "noauth", "VERVE"),
    _accepted("4556052704172643", "09/32", "899", "avs", "VISA"),
    _accepted("5377283645077450", "09/31", "789", "noauth"),
    _declined("5143010522339965", "08/32", "276", "Declined. Address verification failed"),
    _declined("5143010522339965", "08/31", "276", "Do Not Honour"),
    _declined("5590131743294314", "11/32", "887", "Declined. Suspected fraud"),
    _declined("5258585922666506", "09/31", "883", "Insufficient Funds"),
    _declined("5640007065275380", "05/26", "044", "Insufficient Funds"),
    _declined("5551651630381384", "08/31", "276", "Restricted card, retain card"),
    _declined("5551658157653822", "08/31", "276", "Invalid transaction"),
    _declined("5258582054729020", "11/30", "887", "Transaction not permitted to cardholder"),
    _declined("5258588264565682", "11/30", "887", "Transaction not permitted on terminal"),
    _declined("5258589130149016", "11/30", "887", "Transaction error"),
    _declined("5399834697894723", "09/31", "883", "Incorrect PIN"),
)


def find_card(number: str, expiry: str) -> int | None:
    """Return the position of the test card a payer typed; None for any other card.

    The expiry only chooses between two cards of the same number.
    """
    digits, month_year = re.sub(r"\D", "", number), re.sub(r"\D", "", expiry)
    same = [at for at, card in enumerate(TEST_CARDS) if card.number == digits]
    exact = [at for at in same if TEST_CARDS[at].expiry.replace("/", "") == month_year]
    return next(iter(exact or same), None)
