"""A gateway's own record in our words: transactions and settlements, for reconciliation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway_adapters.charges import Charge, Outcome
from kit.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """What to list: recorded at or after `start` and before `end`.

    Both are aware times. `page_token`: `next_page_token` of the page before; "" for the first.
    """

    start: datetime
    end: datetime
    page_token: str = ""


class RecordKind(StrEnum):
    """What a record is; each is `gateways.v1.TransactionKind` of the same name."""

    CHARGE = "CHARGE"
    REFUND = "REFUND"
    CHARGEBACK = "CHARGEBACK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One row of a gateway's record.

    `charge`: the row in the words of a charge. A refund's or chargeback's identifier and amount
    are its own; its reference is ours of the refund where the gateway keeps one, else of the
    charge, else "". `charge_transaction_id`: the gateway's identifier of the charge that a refund
    or chargeback belongs to; "" for charges, and where unknown.

    A chargeback is PENDING while it is disputed, SUCCEEDED when the money is gone, FAILED when it
    stays.
    """

    kind: RecordKind
    outcome: Outcome
    charge: Charge
    create_time: datetime
    charge_transaction_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """One page of records; `next_page_token` is "" on the last one."""

    records: Sequence[Record]
    next_page_token: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLine:
    """One charge in a settlement. `gross`: what the payer paid. `fee`: what the gateway kept.

    A fee finer than its currency is None: nothing is rounded.
    """

    gateway_transaction_id: str
    reference: str
    gross: Money
    fee: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementRecord:
    """One payout to the merchant, as the gateway has it: nothing here is added up by us."""

    settlement_id: str
    net: Money
    gross: Money
    fees: Money
    refunds: Money
    chargebacks: Money
    settle_time: datetime
    lines: Sequence[SettlementLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementPage:
    """One page of settlements; `next_page_token` is "" on the last one."""

    settlements: Sequence[SettlementRecord]
    next_page_token: str = ""
