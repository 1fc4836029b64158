"""Buys a membership for a member and follows the payment.

`python -m examples.python.buy_membership`, with the stack running (`make run`) and its addresses in
the environment (`set -a; . .run/env; set +a`).
"""

import asyncio
import os
import sys
import uuid

import grpc

from payments_client import PaymentsClient, reason_of
from protos.common.v1.billing_cycle_pb2 import BILLING_CYCLE_MONTHLY
from protos.common.v1.customer_pb2 import Customer
from protos.common.v1.payment_method_pb2 import PAYMENT_METHOD_CARD
from protos.payments.v1.payment_pb2 import PaymentStatus
from protos.payments.v1.payments_service_pb2 import CreatePaymentRequest


async def main() -> int:
    """Buy, tell the member where to pay, and wait for the outcome."""
    request = CreatePaymentRequest(
        user_id="alice",
        tier="pro",
        billing_cycle=BILLING_CYCLE_MONTHLY,
        payment_method=PAYMENT_METHOD_CARD,
        currency_code="UGX",
        customer=Customer(email="alice@creators.test", name="Alice"),
        # Keep it with the order: the same key gets the same payment, however often it is sent.
        idempotency_key=str(uuid.uuid4()),
    )
    async with PaymentsClient(
        os.environ["PAYMENTS_ADDRESS"], os.environ["SERVICE_TOKEN"]
    ) as client:
        try:
            payment = (await client.payments.CreatePayment(request)).payment
        except grpc.aio.AioRpcError as error:
            sys.stderr.write(f"not bought: {reason_of(error) or error.code().name}\n")
            return 1
        sys.stdout.write(f"pay at {payment.next_action.redirect_url}\n")
        async for state in client.watch(payment.payment_id):
            name = PaymentStatus.Name(state.status)
            sys.stdout.write(f"version {state.version}: {name}, {state.status_message}\n")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
