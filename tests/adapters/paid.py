"""Paid charges and refunds of them, in the words of the contract."""

from protos.common.v1.money_pb2 import Money
from protos.gateways.v1 import gateway_service_pb2 as pb
from protos.gateways.v1.charge_pb2 import Charge
from tests.adapters.rig import Rig

LATER_SECONDS = 3600


async def paid_charge(rig: Rig, reference: str) -> Charge:
    """Create a charge, let the payer pay, and return what the gateway knows about it."""
    await rig.adapter.create(rig.case.order(reference))
    await rig.sandbox.tell(f"transactions/{reference}/complete")
    return (await rig.adapter.look_up(reference)).charge


def part_of(rig: Rig, charge: Charge, refund_reference: str = "") -> pb.CreateRefundRequest:
    """Return a refund of two fifths of a charge."""
    return pb.CreateRefundRequest(
        refund_reference=refund_reference or f"{charge.reference}r1",
        charge_reference=charge.reference,
        gateway_transaction_id=charge.gateway_transaction_id,
        amount=Money(
            currency_code=charge.amount.currency_code,
            amount_minor=charge.amount.amount_minor * 2 // 5,
        ),
        customer=rig.case.order(charge.reference).customer,
    )


async def let_time_pass(rig: Rig) -> None:
    """Let the gateway finish what it has accepted."""
    await rig.sandbox.tell("clock", advance_seconds=LATER_SECONDS)
