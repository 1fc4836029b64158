"""What we ask a gateway to charge, and what it answers."""

from dataclasses import dataclass
from datetime import datetime

from kit.money import Money
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import NO_ACTION, Customer, NextAction, PaymentMethod


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeOrder:
    """The charge to create. `reference` was never sent to anybody before."""

    reference: str
    amount: Money
    method: PaymentMethod
    customer: Customer
    return_url: str
    description: str
    option: str = ""
    network: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeReport:
    """What an adapter answered about a charge.

    `amount`: what the gateway was asked to take, as the gateway has it. `link`: the hosted page.
    `action_state`: the adapter's own, for a one-time password. `failure_code`: why it failed.
    `gateway_status`: the gateway's own word. `operator_alert`: the configuration or the account is
    at fault. `further_transaction_ids`: others under the same reference that took money too.
    """

    answer: Answer
    reference: str = ""
    gateway_transaction_id: str = ""
    amount: Money | None = None
    fee: Money | None = None
    action: NextAction = NO_ACTION
    link: str = ""
    action_state: str = ""
    failure_code: str = ""
    detail: str = ""
    gateway_status: str = ""
    expires_at: datetime | None = None
    operator_alert: bool = False
    further_transaction_ids: tuple[str, ...] = ()
