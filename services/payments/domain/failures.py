"""Why payments fail: stable codes and the sentence that a member reads."""

from datetime import datetime

from services.payments.domain.attempts import INTERRUPTED
from services.payments.domain.payment import Failure

GATEWAY_UNAVAILABLE = "gateway_unavailable"
GATEWAY_REJECTED = "gateway_rejected"

_DECLINED = "The payment was declined. No money was taken; try again or use another method."
_AWAY = "The payment provider cannot be reached. No money was taken; try again in a few minutes."
_REFUSED = "The payment provider refused the payment. No money was taken; try another method."

MEMBER_MESSAGES: dict[str, str] = {
    # What the payer, their bank or their operator decided.
    "declined": _DECLINED,
    "card_declined": "Your bank declined the card. Try another card or another method.",
    "insufficient_funds": "There is not enough money on the account. Top it up or use another one.",
    "incorrect_pin": "The PIN was not right. Try again.",
    "incorrect_otp": "The one-time password was not right. Try again.",
    "invalid_card": "The card details are not valid. Check them or use another card.",
    "card_expired": "The card has expired. Use another card.",
    "card_restricted": "This card cannot be used for this payment. Use another card.",
    "fraud_suspected": "Your bank blocked the payment. Call your bank or use another method.",
    "payer_declined": "The payment was declined on the phone. You can try again.",
    "prompt_expired": "The prompt was not answered in time. You can try again.",
    # What the gateway does not take.
    "invalid_phone_number": "The phone number was not accepted. Check it and try again.",
    "amount_not_supported": "This amount cannot be paid with this method. Use another method.",
    "currency_not_supported": "This currency cannot be paid with this method. Use another method.",
    "country_not_supported": "This method is not offered in your country. Use another method.",
    "method_not_supported": "This method is not offered at the moment. Use another method.",
    "payment_option_not_supported": "This option is not offered. Use another one.",
    "otp_required": "The provider asks for a one-time password. Use another method.",
    "invalid_request": _REFUSED,
    GATEWAY_REJECTED: _REFUSED,
    # What went wrong between us and the gateway, on proof that no money was taken.
    GATEWAY_UNAVAILABLE: _AWAY,
    "gateway_unreachable": _AWAY,
    "gateway_error": _AWAY,
    "no_reply": _AWAY,
    "deadline_too_short": _AWAY,
    "unreadable_reply": _AWAY,
    "rate_limited": _AWAY,
    "gateway_configuration": _AWAY,
    "gateway_credentials": _AWAY,
    "duplicate_reference": _AWAY,
    "never_confirmed": (
        "The provider never confirmed the payment. You can try again; should money be taken after"
        " all, it completes this payment or comes back to you."
    ),
    "amount_mismatch": (
        "The amount that arrived was not the price. It is sent back; please try again."
    ),
    # Why money could not be sent back; staff read these.
    "refund_not_found": "The gateway never got the refund. Try it again.",
    "refund_failed": "The gateway could not send the money back. Try it again or pay it by hand.",
    "refund_superseded": "An earlier try has succeeded after all.",
    "refund_not_supported": "The gateway does not refund. Pay it back by hand.",
    INTERRUPTED: "The payment was interrupted before it began. No money was taken; try again.",
}


def failure(code: str, at: datetime) -> Failure:
    """Return the failure of a code at a time, with the member's sentence.

    An unknown code keeps its name and reads as a plain decline.
    """
    return Failure(code=code, message=MEMBER_MESSAGES.get(code, _DECLINED), at=at)
