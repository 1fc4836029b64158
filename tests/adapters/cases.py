"""The gateways that the shared suite runs against. A new gateway adds one case here."""

from gateway_sandboxes import eversend, flutterwave
from gateway_sandboxes.eversend.settings import SANDBOX_CLIENT_ID, SANDBOX_CLIENT_KEY
from gateway_sandboxes.flutterwave.settings import SANDBOX_KEY
from gateway_sandboxes.sandbox import Sandbox
from protos.common.v1.customer_pb2 import Customer
from protos.common.v1.money_pb2 import Money
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_CARD, PAYMENT_METHOD_MOBILE_MONEY
from protos.gateways.v1.gateway_service_pb2 import CreateChargeRequest
from tests.adapters.rig import Case

PHONE = "+256772123456"


def card_order(reference: str) -> CreateChargeRequest:
    """Return KES 499.00 by card."""
    return CreateChargeRequest(
        reference=reference,
        amount=Money(currency_code="KES", amount_minor=49_900),
        payment_method=PAYMENT_METHOD_CARD,
        customer=Customer(email="amina.k@example.com", name="Amina Kato"),
        return_url="https://creators.example/return?payment=1",
        description="Pro membership, one month",
    )


def momo_order(reference: str, phone: str = PHONE) -> CreateChargeRequest:
    """Return UGX 25,000 from a wallet."""
    return CreateChargeRequest(
        reference=reference,
        amount=Money(currency_code="UGX", amount_minor=25_000),
        payment_method=PAYMENT_METHOD_MOBILE_MONEY,
        customer=Customer(
            email="amina.k@example.com",
            name="Amina Kato",
            phone_number=phone,
            country_code="UG",
        ),
        return_url="https://creators.example/return",
        description="Pro membership, one month",
    )


def _without_a_domain(reference: str) -> CreateChargeRequest:
    order = card_order(reference)
    order.customer.email = "amina@localhost"
    return order


def _too_small(reference: str) -> CreateChargeRequest:
    order = momo_order(reference)
    order.amount.amount_minor = 100
    return order


CASES = {
    "eversend": Case(
        name="eversend",
        api_path="/v1",
        settings={
            "eversend_client_id": SANDBOX_CLIENT_ID,
            "eversend_client_secret": SANDBOX_CLIENT_KEY,
        },
        wrong_credentials={"eversend_client_secret": "eversend-another-clients-secret"},
        order=momo_order,
        refused=_too_small,
    ),
    "flutterwave": Case(
        name="flutterwave",
        api_path="/v3",
        settings={"flutterwave_secret_key": SANDBOX_KEY},
        wrong_credentials={"flutterwave_secret_key": "FLWSECK_TEST-of-another-merchant-X"},
        order=card_order,
        refused=_without_a_domain,
    ),
}


def sandbox_of(name: str) -> Sandbox:
    """Return a gateway's sandbox on free ports, not yet running."""
    if name == "eversend":
        return eversend.Sandbox(eversend.Settings(port=0, control_port=0))
    return flutterwave.Sandbox(flutterwave.Settings(port=0, control_port=0))
