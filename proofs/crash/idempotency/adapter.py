"""Both gateways' books behind the adapters' own gRPC service, so that real servers can use them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway_adapters import charges, refunds
from gateway_adapters.errors import NotCreatedError, NotOfferedError
from gateway_adapters.gateway import Abilities, Capability, Flow
from gateway_adapters.records import Period, RecordPage, SettlementPage
from gateway_adapters.servicer import DOMAIN, SERVICE_NAME, GatewayServicer
from kit.clock import Clock
from kit.interceptors import AccessPolicy
from kit.server import GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from kit.settings import NamedSecret
from proofs.crash.gateways import messages as m
from proofs.crash.gateways.books import GatewayBooks
from protos.gateways.v1.gateway_service_pb2_grpc import add_GatewayServiceServicer_to_server
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import ActionKind, Customer, PaymentMethod
from services.payments.domain.refund_reports import RefundOrder, RefundReport

_CURRENCIES = ("UGX", "KES", "NGN")


class BooksGateway:
    """Implements the adapters' contract `Gateway` over the books of one gateway."""

    def __init__(self, name: str, books: GatewayBooks, clock: Clock) -> None:
        self._name = name
        self._books = books
        self._clock = clock

    @property
    def name(self) -> str:
        """The gateway's name."""
        return self._name

    def describe(self) -> Abilities:
        """Offer cards everywhere, and mobile money in Uganda."""
        flow = Flow.PROMPT if self._name == "eversend" else Flow.HOSTED
        cards = [
            Capability(method=charges.Method.CARD, currency=currency, flow=Flow.HOSTED)
            for currency in _CURRENCIES
        ]
        phones = Capability(method=charges.Method.MOBILE_MONEY, currency="UGX", flow=flow)
        return Abilities(
            capabilities=[*cards, phones],
            can_cancel=True,
            can_refund=True,
            can_list_settlements=False,
        )

    async def create_charge(self, order: charges.ChargeOrder) -> charges.ChargeReport:
        """Create a charge."""
        payer = order.payer
        ordered = ChargeOrder(
            reference=order.reference,
            amount=order.amount,
            method=PaymentMethod(order.method.lower()),
            customer=Customer(email=payer.email, phone_number=payer.phone_number),
            return_url=order.return_url,
            description=order.description,
        )
        return self._charge(m.CreateCharge(self._name, ordered))

    async def get_charge(self, query: charges.ChargeQuery) -> charges.ChargeReport:
        """Look a charge up."""
        ask = m.GetCharge(self._name, query.reference, query.gateway_transaction_id)
        return self._charge(ask)

    async def cancel_charge(self, redirect_url: str) -> charges.Outcome:
        """Close a page."""
        reference = redirect_url.rpartition("/")[2]
        return self._charge(m.CancelCharge(self._name, reference)).outcome

    async def submit_otp(
        self, order: charges.ChargeOrder, state: str, otp: str
    ) -> charges.ChargeReport:
        """Hand in a one-time password; `state` says nothing here."""
        del state
        return self._charge(m.SubmitOtp(self._name, order.reference, otp))

    async def create_refund(self, order: refunds.RefundOrder) -> refunds.RefundReport:
        """Send money back."""
        ordered = RefundOrder(
            reference=order.refund_reference,
            charge_reference=order.charge_reference,
            charge_transaction_id=order.gateway_transaction_id,
            amount=order.amount,
            customer=Customer(email=order.payer.email),
        )
        return self._refund(m.CreateRefund(self._name, ordered))

    async def get_refund(self, query: refunds.RefundQuery) -> refunds.RefundReport:
        """Look a refund up."""
        return self._refund(m.GetRefund(self._name, query.refund_reference))

    async def list_transactions(self, period: Period) -> RecordPage:
        """Offer no statement."""
        raise NotOfferedError("method_not_supported", f"no statement of {period}")

    async def list_settlements(self, period: Period) -> SettlementPage:
        """Offer no payouts."""
        raise NotOfferedError("method_not_supported", f"no payouts of {period}")

    async def close(self) -> None:
        """Close nothing: there is no connection."""

    def _charge(self, ask: m.Ask) -> charges.ChargeReport:
        report = self._books.handle(m.Letter(at=self._clock.now(), ask=ask))
        if not isinstance(report, ChargeReport):
            raise TypeError(f"the books answer {ask} with {report}")
        if report.answer is Answer.NOT_CREATED:
            raise NotCreatedError(report.failure_code or "gateway_rejected", "refused")
        if report.answer is Answer.NOT_FOUND:
            return charges.NOT_FOUND
        return charges.ChargeReport(
            outcome=charges.Outcome(report.answer.upper()),
            charge=_charge(report),
            further_transaction_ids=report.further_transaction_ids,
        )

    def _refund(self, ask: m.Ask) -> refunds.RefundReport:
        report = self._books.handle(m.Letter(at=self._clock.now(), ask=ask))
        if not isinstance(report, RefundReport):
            raise TypeError(f"the books answer {ask} with {report}")
        return refunds.RefundReport(
            outcome=charges.Outcome(report.answer.upper()),
            gateway_refund_id=report.gateway_refund_id,
            amount=report.amount,
        )


def _charge(report: ChargeReport) -> charges.Charge:
    failure = charges.Failure(code=report.failure_code, detail="") if report.failure_code else None
    return charges.Charge(
        reference=report.reference,
        gateway_transaction_id=report.gateway_transaction_id,
        amount=report.amount,
        next_action=_next_action(report),
        failure=failure,
        expire_time=report.expires_at,
    )


def _next_action(
    report: ChargeReport,
) -> charges.OpenPage | charges.ApprovePrompt | charges.EnterOtp | None:
    kind = report.action.kind
    if kind is ActionKind.REDIRECT:
        return charges.OpenPage(url=report.link)
    if kind is ActionKind.OTP:
        return charges.EnterOtp(state=report.action_state)
    return charges.ApprovePrompt(phone_number="") if kind is ActionKind.PHONE_PROMPT else None


@asynccontextmanager
async def adapter(gateway: BooksGateway, clock: Clock, caller: NamedSecret) -> AsyncIterator[str]:
    """Serve a gateway as its adapter does, and yield the address. `caller`: who may call it."""
    options = ServerOptions(
        listen="127.0.0.1:0",
        service_names=(SERVICE_NAME,),
        domain=DOMAIN,
        policy=AccessPolicy(
            tokens=ServiceTokens([caller]), allowed={SERVICE_NAME: frozenset({caller.name})}
        ),
        drain_seconds=1.0,
    )
    server = GrpcServer(options, clock)
    add_GatewayServiceServicer_to_server(GatewayServicer(gateway), server.server)
    port = await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop()
