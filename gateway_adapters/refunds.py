"""Refunds in our words: what is ordered, what is asked, what a gateway says."""

from dataclasses import dataclass

from gateway_adapters.charges import Failure, Outcome, Payer
from kit.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundOrder:
    """Money to send back.

    `refund_reference`: ours, never used before. `charge_reference`, `gateway_transaction_id`: of
    the charge it comes from. `amount`: all of what was taken or part of it. `payer`: for gateways
    that refund by payout; empty when it was not given.
    """

    refund_reference: str
    charge_reference: str
    gateway_transaction_id: str
    amount: Money
    payer: Payer


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundQuery:
    """Which refund to look up.

    `refund_reference`: ours. `gateway_refund_id`: "" when the reply that had it was lost.
    `gateway_transaction_id`: of the charge. `amount`: what was to go back; None when not given.
    """

    refund_reference: str
    gateway_refund_id: str
    gateway_transaction_id: str
    amount: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReport:
    """A gateway's answer about a refund.

    PENDING: accepted, and the payer does not have the money yet. SUCCEEDED: the payer has it.
    FAILED: it will not happen. `fee`: what the gateway takes from us for it. `gateway_status`: the
    gateway's own word, for the audit trail.
    """

    outcome: Outcome
    gateway_refund_id: str = ""
    amount: Money | None = None
    fee: Money | None = None
    failure: Failure | None = None
    gateway_status: str = ""


REFUND_NOT_FOUND = RefundReport(outcome=Outcome.NOT_FOUND)
