"""The purchases of the demonstration."""

from dataclasses import dataclass

from protos.common.v1 import billing_cycle_pb2, payment_method_pb2

TIER = "pro"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One purchase.

    `gateway`: which one must have taken it. `eversend_away`: whether Eversend cannot be reached.
    """

    title: str
    method: payment_method_pb2.PaymentMethod.ValueType
    cycle: billing_cycle_pb2.BillingCycle.ValueType
    currency: str
    country: str
    phone: str
    gateway: str
    eversend_away: bool = False


SCENARIOS = (
    Scenario(
        title="1. Card, on Flutterwave's hosted page",
        method=payment_method_pb2.PAYMENT_METHOD_CARD,
        cycle=billing_cycle_pb2.BILLING_CYCLE_MONTHLY,
        currency="NGN",
        country="NG",
        phone="+2348031234321",
        gateway="flutterwave",
    ),
    Scenario(
        title="2. Mobile money, approved on the payer's phone through Eversend",
        method=payment_method_pb2.PAYMENT_METHOD_MOBILE_MONEY,
        cycle=billing_cycle_pb2.BILLING_CYCLE_ANNUAL,
        currency="UGX",
        country="UG",
        phone="+256772123456",
        gateway="eversend",
    ),
    Scenario(
        title="3. Mobile money while Eversend cannot be reached: Flutterwave takes it",
        method=payment_method_pb2.PAYMENT_METHOD_MOBILE_MONEY,
        cycle=billing_cycle_pb2.BILLING_CYCLE_MONTHLY,
        currency="KES",
        country="KE",
        phone="+254712345678",
        gateway="flutterwave",
        eversend_away=True,
    ),
)
