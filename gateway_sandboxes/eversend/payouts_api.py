"""Payouts: quotations and what becomes of them (section 7). A refund is one (section 10)."""

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from gateway_sandboxes.amounts import parse_amount
from gateway_sandboxes.eversend.bodies import created_payout
from gateway_sandboxes.eversend.creation_reply import creation_reply
from gateway_sandboxes.eversend.order_reader import read_payload
from gateway_sandboxes.eversend.payout_reader import read_payout_order, read_quotation_order
from gateway_sandboxes.eversend.payouts import Payouts
from gateway_sandboxes.eversend.quotations import quoted
from gateway_sandboxes.eversend.records import Payout
from gateway_sandboxes.eversend.replies import RefusedError, success
from gateway_sandboxes.fault_gate import FaultGate
from gateway_sandboxes.faults import Subject
from gateway_sandboxes.machinery import Machinery


class QuotationGate(FaultGate):
    """Lets only those faults happen to a quotation that come before an effect: it has none."""

    @override
    async def _after_effect(self, subject: Subject, reply: Response) -> Response:
        return reply


class PayoutsApi:
    """The endpoints that send money to phones."""

    def __init__(self, payouts: Payouts, machinery: Machinery) -> None:
        self._payouts = payouts
        self._machinery = machinery

    async def quotation(self, request: Request) -> Response:
        """Quote a payout; nothing moves."""
        order = read_quotation_order(await read_payload(request))
        quotation = self._payouts.quotations.quote(order)
        return success({"token": quotation.token, "quotation": quoted(quotation)})

    async def create(self, request: Request) -> Response:
        """Send money on the terms of a quotation."""
        order = read_payout_order(await read_payload(request))
        if (existing := self._existing(order.transaction_ref)) is not None:
            return success({"transaction": created_payout(existing)})
        quotation = self._payouts.quotations.usable(order.token)
        if order.payee.country != quotation.destination_country:
            raise RefusedError(f"country {order.payee.country} does not match the quotation")
        payout = self._payouts.create(quotation, order.payee, order.transaction_ref)

        async def settle() -> None:
            self._payouts.succeed(payout)
            await self._machinery.outbox.wait_for_tries(payout.reference)

        return await creation_reply(payout.phone, {"transaction": created_payout(payout)}, settle)

    async def describe_quotation(self, request: Request) -> Subject:
        """Say what a quotation is about; it names neither a phone nor a reference."""
        payload = await read_payload(request)
        return Subject(operation="refund", amount=parse_amount(payload.get("amount")))

    async def describe_payout(self, request: Request) -> Subject:
        """Say what a payout is about; its amount is its quotation's."""
        payload = await read_payload(request)
        reference, phone = payload.get("transactionRef"), payload.get("phoneNumber")
        quotation = self._payouts.quotations.find(str(payload.get("token")))
        return Subject(
            operation="refund",
            reference=reference if isinstance(reference, str) else None,
            phone=phone if isinstance(phone, str) else None,
            amount=quotation.amount if quotation else None,
        )

    def _existing(self, reference: str | None) -> Payout | None:
        """Return what a repeated reference is answered with; None when it makes a new one."""
        mode = self._machinery.behaviour.current.duplicate_ref
        if reference is None or mode == "accept":
            return None
        existing = self._payouts.under_reference(reference)
        if existing and mode == "reject":
            raise RefusedError("transactionRef already exists")
        return existing[0] if existing else None
