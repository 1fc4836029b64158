"""What a driven process says to the gateways and to the people around them, over one socket."""

from datetime import datetime

import msgspec

from services.payments.domain.charges import ChargeOrder
from services.payments.domain.refund_reports import RefundOrder


class CreateCharge(msgspec.Struct, tag=True, frozen=True):
    """Ask a gateway for a charge."""

    gateway: str
    order: ChargeOrder


class GetCharge(msgspec.Struct, tag=True, frozen=True):
    """Ask what became of a charge; with `transaction_id`, of one of its transactions."""

    gateway: str
    reference: str
    transaction_id: str = ""


class CancelCharge(msgspec.Struct, tag=True, frozen=True):
    """Have a charge closed."""

    gateway: str
    reference: str


class SubmitOtp(msgspec.Struct, tag=True, frozen=True):
    """Hand in a one-time password."""

    gateway: str
    reference: str
    otp: str


class CreateRefund(msgspec.Struct, tag=True, frozen=True):
    """Have money sent back."""

    gateway: str
    order: RefundOrder


class GetRefund(msgspec.Struct, tag=True, frozen=True):
    """Ask what became of a refund."""

    gateway: str
    reference: str


class PageShown(msgspec.Struct, tag=True, frozen=True):
    """A member has the link of a hosted page before them."""

    link: str


class PayersPay(msgspec.Struct, tag=True, frozen=True):
    """Payers pay whatever they can: every prompt on a phone, every page that was shown.

    `payer`: the e-mail address of one; everybody when empty.
    """

    payer: str = ""


class PayersDecline(msgspec.Struct, tag=True, frozen=True):
    """Payers decline whatever they can. `payer`: as for `PayersPay`."""

    payer: str = ""


class Answered(msgspec.Struct, tag=True, frozen=True):
    """A client was answered under an idempotency key."""

    key: str
    answer: str


class TimePasses(msgspec.Struct, tag=True, frozen=True):
    """Nothing but the time."""


class Begins(msgspec.Struct, tag=True, frozen=True):
    """What came before was preparation: from here on points count."""


class Ended(msgspec.Struct, tag=True, frozen=True):
    """The story ended. `reached`: how often it reached each moment."""

    reached: dict[str, int]


Ask = (
    CreateCharge
    | GetCharge
    | CancelCharge
    | SubmitOtp
    | CreateRefund
    | GetRefund
    | PageShown
    | PayersPay
    | PayersDecline
    | Answered
    | TimePasses
    | Begins
    | Ended
)


class Letter(msgspec.Struct, frozen=True):
    """One message. `at`: the sender's time. `on_its_way`: it takes effect only minutes later."""

    at: datetime
    ask: Ask
    on_its_way: bool = False
