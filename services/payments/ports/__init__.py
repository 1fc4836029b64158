"""What the operations need from outside, as Protocols."""

from services.payments.ports.gateways import (
    Capability,
    GatewayDescription,
    Gateways,
    NotListed,
    SettlementPage,
    TransactionPage,
)
from services.payments.ports.limits import Ask, Rate, RateLimits
from services.payments.ports.money import After, Captures, Ledger, RefundAttempts, Refunds
from services.payments.ports.options import DEFAULT_TIMING, Routing, Timing
from services.payments.ports.reconciliation import BreakFilter, FoundBreak, Reconciliation
from services.payments.ports.sharing import EVERYTHING, Share
from services.payments.ports.signals import PaymentFeed, Wakeups
from services.payments.ports.storage import (
    Attempts,
    AuditTrail,
    EventFilter,
    GatewayEvents,
    IdempotencyKeys,
    IdempotencyRecord,
    IdempotencyScope,
    Memberships,
    Outbox,
    PaymentFilter,
    Payments,
    Prices,
    Storage,
    Work,
)

__all__ = [
    "DEFAULT_TIMING",
    "EVERYTHING",
    "After",
    "Ask",
    "Attempts",
    "AuditTrail",
    "BreakFilter",
    "Capability",
    "Captures",
    "EventFilter",
    "FoundBreak",
    "GatewayDescription",
    "GatewayEvents",
    "Gateways",
    "IdempotencyKeys",
    "IdempotencyRecord",
    "IdempotencyScope",
    "Ledger",
    "Memberships",
    "NotListed",
    "Outbox",
    "PaymentFeed",
    "PaymentFilter",
    "Payments",
    "Prices",
    "Rate",
    "RateLimits",
    "Reconciliation",
    "RefundAttempts",
    "Refunds",
    "Routing",
    "SettlementPage",
    "Share",
    "Storage",
    "Timing",
    "TransactionPage",
    "Wakeups",
    "Work",
]
