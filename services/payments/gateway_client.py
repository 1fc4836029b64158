"""Speaks to the gateways' adapters: a failed call becomes an answer, never an exception."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from kit.channel import ServiceChannel
from kit.clock import Clock
from kit.errors import ServiceError
from kit.logs import get_logger
from kit.status import from_rpc_error
from protos.common.v1 import customer_pb2
from protos.gateways.v1 import gateway_service_pb2, gateway_service_pb2_grpc
from services.payments.domain.attempts import Attempt
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import Customer
from services.payments.domain.reconciliation import Period
from services.payments.domain.refund_reports import RefundOrder, RefundQuery, RefundReport
from services.payments.gateway_replies import (
    CHARGES,
    REFUNDS,
    SETTLEMENTS,
    TRANSACTIONS,
    Reader,
    description_of,
)
from services.payments.mapping import METHODS_TO_PROTO, money, timestamp
from services.payments.ports import (
    DEFAULT_TIMING,
    GatewayDescription,
    NotListed,
    SettlementPage,
    Timing,
    TransactionPage,
)

_log = get_logger(__name__)

_DESCRIBE_SECONDS = 1.0
_DESCRIPTION_LIFETIME_SECONDS = 10.0
# A page can be a hundred rows, and an adapter may have to ask about each of them.
_LIST_SECONDS = 60.0

ReportT = TypeVar("ReportT")


class GatewayClient:
    """Implements the port `Gateways` over one channel per adapter."""

    def __init__(
        self, channels: Mapping[str, ServiceChannel], clock: Clock, timing: Timing = DEFAULT_TIMING
    ) -> None:
        self._adapters = {
            name: _Adapter(name, channel, clock) for name, channel in channels.items()
        }
        self._timing = timing

    @property
    def names(self) -> Sequence[str]:
        """Every configured gateway, reachable or not."""
        return list(self._adapters)

    async def describe(self) -> Mapping[str, GatewayDescription]:
        """Return what the reachable gateways can do."""
        described = await asyncio.gather(
            *(adapter.describe() for adapter in self._adapters.values())
        )
        return {each.name: each for each in described if each is not None}

    async def create_charge(self, gateway: str, order: ChargeOrder) -> ChargeReport:
        """Create a charge; what cannot be proven is UNKNOWN."""
        adapter = self._adapters.get(gateway)
        if adapter is None:
            return _not_configured(gateway, CHARGES)
        # The adapter was there when the route was chosen; one that restarts is back in a second.
        call = _Call(
            adapter.stub.CreateCharge, _create_request(order), self._timing.charge, wait=True
        )
        return _about(order.reference, await adapter.ask(call, CHARGES))

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        """Look an attempt up by our own stored reference."""
        adapter = self._adapters.get(attempt.gateway)
        if adapter is None:
            return _not_configured(attempt.gateway, CHARGES)
        request = gateway_service_pb2.GetChargeRequest(
            reference=attempt.reference,
            gateway_transaction_id=attempt.gateway_transaction_id,
            currency_code=attempt.amount.currency,
        )
        return await adapter.ask(
            _Call(adapter.stub.GetCharge, request, self._timing.look_up), CHARGES
        )

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:
        """Close an attempt."""
        adapter = self._adapters.get(attempt.gateway)
        if adapter is None:
            return _not_configured(attempt.gateway, CHARGES)
        request = gateway_service_pb2.CancelChargeRequest(
            reference=attempt.reference,
            gateway_transaction_id=attempt.gateway_transaction_id,
            redirect_url=attempt.link,
        )
        return await adapter.ask(
            _Call(adapter.stub.CancelCharge, request, self._timing.look_up), CHARGES
        )

    async def submit_action(self, attempt: Attempt, order: ChargeOrder, otp: str) -> ChargeReport:
        """Hand in a one-time password; what cannot be proven is UNKNOWN."""
        adapter = self._adapters.get(attempt.gateway)
        if adapter is None:
            return _not_configured(attempt.gateway, CHARGES)
        request = gateway_service_pb2.SubmitChargeActionRequest(
            charge=_create_request(order), otp_state=attempt.action_state, otp=otp
        )
        call = _Call(adapter.stub.SubmitChargeAction, request, self._timing.charge, wait=True)
        return _about(order.reference, await adapter.ask(call, CHARGES))

    async def create_refund(self, gateway: str, order: RefundOrder) -> RefundReport:
        """Send money back; what cannot be proven is UNKNOWN."""
        adapter = self._adapters.get(gateway)
        if adapter is None:
            return _not_configured(gateway, REFUNDS)
        request = gateway_service_pb2.CreateRefundRequest(
            refund_reference=order.reference,
            charge_reference=order.charge_reference,
            gateway_transaction_id=order.charge_transaction_id,
            amount=money(order.amount),
            customer=_customer(order.customer),
        )
        return await adapter.ask(
            _Call(adapter.stub.CreateRefund, request, self._timing.charge), REFUNDS
        )

    async def get_refund(self, gateway: str, query: RefundQuery) -> RefundReport:
        """Look a refund up by our own stored reference."""
        adapter = self._adapters.get(gateway)
        if adapter is None:
            return _not_configured(gateway, REFUNDS)
        request = gateway_service_pb2.GetRefundRequest(
            refund_reference=query.reference,
            gateway_refund_id=query.gateway_refund_id,
            gateway_transaction_id=query.charge_transaction_id,
            amount=money(query.amount),
        )
        return await adapter.ask(
            _Call(adapter.stub.GetRefund, request, self._timing.look_up), REFUNDS
        )

    async def list_transactions(
        self, gateway: str, period: Period, page_token: str
    ) -> TransactionPage | NotListed:
        """Read one page of what a gateway recorded in a period."""
        adapter = self._adapters.get(gateway)
        if adapter is None:
            return _not_configured(gateway, TRANSACTIONS)
        request = gateway_service_pb2.ListTransactionsRequest(**_range(period, page_token))
        call = _Call(adapter.stub.ListTransactions, request, _LIST_SECONDS)
        return await adapter.ask(call, TRANSACTIONS)

    async def list_settlements(
        self, gateway: str, period: Period, page_token: str
    ) -> SettlementPage | NotListed:
        """Read one page of what a gateway paid out in a period, oldest first."""
        adapter = self._adapters.get(gateway)
        if adapter is None:
            return _not_configured(gateway, SETTLEMENTS)
        request = gateway_service_pb2.ListSettlementsRequest(**_range(period, page_token))
        call = _Call(adapter.stub.ListSettlements, request, _LIST_SECONDS)
        return await adapter.ask(call, SETTLEMENTS)


def _create_request(order: ChargeOrder) -> gateway_service_pb2.CreateChargeRequest:
    return gateway_service_pb2.CreateChargeRequest(
        reference=order.reference,
        amount=money(order.amount),
        payment_method=METHODS_TO_PROTO[order.method],
        customer=_customer(order.customer),
        return_url=order.return_url,
        description=order.description,
        payment_option=order.option,
        mobile_money_network=order.network,
    )


def _customer(customer: Customer) -> customer_pb2.Customer:
    return customer_pb2.Customer(
        email=customer.email,
        name=customer.name,
        phone_number=customer.phone_number,
        country_code=customer.country_code,
    )


def _range(period: Period, page_token: str) -> dict[str, Any]:
    # "from" is a word of the language and can only be passed like this.
    return {
        "from": timestamp(period.start),
        "to": timestamp(period.end),
        "page_token": page_token,
    }


def _about(reference: str, report: ChargeReport) -> ChargeReport:
    """Return a report about our own reference; one about another proves nothing."""
    if report.reference not in ("", reference):
        return ChargeReport(answer=Answer.UNKNOWN, detail="the answer names another reference")
    return report


def _not_configured(gateway: str, reader: Reader[ReportT]) -> ReportT:
    _log.error("gateway_not_configured", gateway=gateway, alert=True)
    return reader.unsent(f"{gateway} is not configured")


@dataclass(slots=True)
class _Known:
    description: GatewayDescription
    fresh_until: float


@dataclass(frozen=True, slots=True)
class _Call:
    """One call to an adapter. `wait`: whether a connection that is being made is waited for."""

    method: Any
    request: Any
    seconds: float
    wait: bool = False


class _Adapter:
    """One adapter: its channel, and what it last said it can do."""

    def __init__(self, name: str, channel: ServiceChannel, clock: Clock) -> None:
        self.stub = gateway_service_pb2_grpc.GatewayServiceStub(channel.channel)
        self._name = name
        self._channel = channel
        self._clock = clock
        self._known: _Known | None = None

    async def describe(self) -> GatewayDescription | None:
        """Return what the gateway can do, or None while its adapter is away."""
        connected = self._channel.channel.get_state() is grpc.ChannelConnectivity.READY
        if connected and self._known and self._clock.monotonic() < self._known.fresh_until:
            return self._known.description
        try:
            reply = await self._channel.call(
                self.stub.DescribeGateway,
                gateway_service_pb2.DescribeGatewayRequest(),
                timeout=_DESCRIBE_SECONDS,
            )
        except grpc.aio.AioRpcError as error:
            _log.warning("adapter_away", gateway=self._name, code=error.code().name)
            return None
        description = description_of(self._name, reply)
        self._known = _Known(description, self._clock.monotonic() + _DESCRIPTION_LIFETIME_SECONDS)
        return description

    async def ask(self, call: _Call, reader: Reader[ReportT]) -> ReportT:
        """Make one call and return what it proves."""
        try:
            reply = await self._channel.call(
                call.method, call.request, timeout=call.seconds, wait_for_ready=call.wait
            )
        except grpc.aio.AioRpcError as error:
            return reader.failed(self._name, from_rpc_error(error))
        except ServiceError as error:
            # Our own caller's time was up before anything left this process.
            return reader.unsent(error.message)
        return reader.read(reply)
