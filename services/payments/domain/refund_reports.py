"""What we ask a gateway to send back, and what it answers."""

from dataclasses import dataclass

from kit.money import Money
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Customer


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """The refund to create. `reference`: ours, never used before. `charge_*`: of the money taken.

    `customer`: the payer, for gateways that refund by payout.
    """

    reference: str
    charge_reference: str
    charge_transaction_id: str
    amount: Money
    customer: Customer


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundQuery:
    """The refund to look up. `gateway_refund_id`: empty while the gateway named none."""

    reference: str
    gateway_refund_id: str
    charge_transaction_id: str
    amount: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReport:
    """What an adapter answered about a refund.

    `answer`: as for charges; SUCCEEDED means that the payer has the money, PENDING that it is
    accepted. `fee`: what the gateway takes for it. `operator_alert`: the account is at fault.
    """

    answer: Answer
    gateway_refund_id: str = ""
    amount: Money | None = None
    fee: Money | None = None
    failure_code: str = ""
    detail: str = ""
    gateway_status: str = ""
    operator_alert: bool = False
