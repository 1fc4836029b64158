"""Speaks to the gateways' adapters: a failed call becomes an answer, never an exception."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from kit.channel import ServiceChannel
from kit.clock import Clock
from kit.errors import ServiceError
from kit.logs import get_logger
from kit.money import Money, MoneyError
from kit.status import from_rpc_error
from protos.common.v1 import customer_pb2, money_pb2
from protos.gateways.v1 import charge_pb2, gateway_service_pb2, gateway_service_pb2_grpc
from services.payments.domain.attempts import Attempt, Flow
from services.payments.domain.charges import ChargeOrder, ChargeReport
from services.payments.domain.evidence import Answer
from services.payments.domain.payment import NO_ACTION, ActionKind, NextAction
from services.payments.mapping import METHODS, METHODS_TO_PROTO, datetime_of, money
from services.payments.ports import DEFAULT_TIMING, Capability, GatewayDescription, Timing

_log = get_logger(__name__)

_DESCRIBE_SECONDS = 1.0
_DESCRIPTION_LIFETIME_SECONDS = 10.0
_DOMAIN = "gateways.v1"

_OUTCOMES: dict[int, Answer] = {
    charge_pb2.OUTCOME_SUCCEEDED: Answer.SUCCEEDED,
    charge_pb2.OUTCOME_PENDING: Answer.PENDING,
    charge_pb2.OUTCOME_REQUIRES_ACTION: Answer.REQUIRES_ACTION,
    charge_pb2.OUTCOME_FAILED: Answer.FAILED,
    charge_pb2.OUTCOME_NOT_FOUND: Answer.NOT_FOUND,
}
# Only these words, in the adapters' own domain, prove anything about a failed call.
_FAILURES = {"NOT_SENT": Answer.NOT_SENT, "NOT_CREATED": Answer.NOT_CREATED}
_FLOWS = {charge_pb2.FLOW_HOSTED: Flow.HOSTED, charge_pb2.FLOW_PROMPT: Flow.PROMPT}


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
        request = gateway_service_pb2.CreateChargeRequest(
            reference=order.reference,
            amount=money(order.amount),
            payment_method=METHODS_TO_PROTO[order.method],
            customer=customer_pb2.Customer(
                email=order.customer.email,
                name=order.customer.name,
                phone_number=order.customer.phone_number,
                country_code=order.customer.country_code,
            ),
            return_url=order.return_url,
            description=order.description,
            payment_option=order.option,
            mobile_money_network=order.network,
        )
        adapter = self._adapters.get(gateway)
        if adapter is None:
            return _not_configured(gateway)
        # The adapter was there when the route was chosen; one that restarts is back in a second.
        report = await adapter.ask(
            adapter.stub.CreateCharge, request, self._timing.charge, wait_for_ready=True
        )
        if report.reference not in ("", order.reference):
            return ChargeReport(answer=Answer.UNKNOWN, detail="the answer names another reference")
        return report

    async def get_charge(self, attempt: Attempt) -> ChargeReport:
        """Look an attempt up by our own stored reference."""
        request = gateway_service_pb2.GetChargeRequest(
            reference=attempt.reference,
            gateway_transaction_id=attempt.gateway_transaction_id,
            currency_code=attempt.amount.currency,
        )
        adapter = self._adapters.get(attempt.gateway)
        if adapter is None:
            return _not_configured(attempt.gateway)
        return await adapter.ask(adapter.stub.GetCharge, request, self._timing.look_up)

    async def cancel_charge(self, attempt: Attempt) -> ChargeReport:
        """Close an attempt."""
        request = gateway_service_pb2.CancelChargeRequest(
            reference=attempt.reference,
            gateway_transaction_id=attempt.gateway_transaction_id,
            redirect_url=attempt.link,
        )
        adapter = self._adapters.get(attempt.gateway)
        if adapter is None:
            return _not_configured(attempt.gateway)
        return await adapter.ask(adapter.stub.CancelCharge, request, self._timing.look_up)


@dataclass(slots=True)
class _Known:
    description: GatewayDescription
    fresh_until: float


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
        description = _description(self._name, reply)
        self._known = _Known(description, self._clock.monotonic() + _DESCRIPTION_LIFETIME_SECONDS)
        return description

    async def ask(
        self, method: Any, request: Any, seconds: float, *, wait_for_ready: bool = False
    ) -> ChargeReport:
        """Make one call and return what it proves."""
        try:
            reply = await self._channel.call(
                method, request, timeout=seconds, wait_for_ready=wait_for_ready
            )
        except grpc.aio.AioRpcError as error:
            return _failed(self._name, from_rpc_error(error))
        except ServiceError as error:
            # Our own caller's time was up before anything left this process.
            return ChargeReport(answer=Answer.NOT_SENT, detail=error.message)
        return _report(reply)


def _description(
    name: str, reply: gateway_service_pb2.DescribeGatewayResponse
) -> GatewayDescription:
    return GatewayDescription(
        name=name,
        can_cancel=reply.can_cancel,
        capabilities=[
            Capability(
                method=METHODS[each.payment_method],
                currency=each.currency_code,
                countries=frozenset(each.country_codes),
                flow=_FLOWS[each.flow],
                options=frozenset(each.payment_options),
            )
            for each in reply.capabilities
            if each.payment_method in METHODS and each.flow in _FLOWS
        ],
    )


def _failed(gateway: str, error: ServiceError) -> ChargeReport:
    typed = error.metadata.get("domain") == _DOMAIN
    answer = _FAILURES.get(error.reason, Answer.UNKNOWN) if typed else Answer.UNKNOWN
    alert = error.metadata.get("operator_alert") == "true"
    if alert:
        _log.error("gateway_needs_operator", gateway=gateway, detail=error.message, alert=True)
    return ChargeReport(
        answer=answer,
        failure_code=error.metadata.get("code", "") if typed else "",
        detail=error.message,
        operator_alert=alert,
    )


def _not_configured(gateway: str) -> ChargeReport:
    _log.error("gateway_not_configured", gateway=gateway, alert=True)
    return ChargeReport(answer=Answer.NOT_SENT, detail=f"{gateway} is not configured")


def _report(reply: Any) -> ChargeReport:
    answer = _OUTCOMES.get(reply.outcome, Answer.UNKNOWN)
    charge = getattr(reply, "charge", None)
    if charge is None:
        return ChargeReport(answer=answer)
    try:
        amount = _money_of(charge.amount) if charge.HasField("amount") else None
        fee = _money_of(charge.fee) if charge.HasField("fee") else None
    except MoneyError as error:
        return ChargeReport(answer=Answer.UNKNOWN, detail=f"the answer's amount: {error}")
    failure = charge.failure if charge.HasField("failure") else None
    return ChargeReport(
        answer=answer,
        reference=charge.reference,
        gateway_transaction_id=charge.gateway_transaction_id,
        amount=amount,
        fee=fee,
        action=_action(charge),
        link=charge.next_action.redirect_url,
        failure_code=failure.code if failure else "",
        detail=failure.detail if failure else "",
        gateway_status=charge.gateway_status,
        expires_at=datetime_of(charge.expire_time) if charge.HasField("expire_time") else None,
    )


def _action(charge: charge_pb2.Charge) -> NextAction:
    kind = charge.next_action.WhichOneof("action")
    expires_at = datetime_of(charge.expire_time) if charge.HasField("expire_time") else None
    if kind == "redirect_url":
        link = charge.next_action.redirect_url
        return NextAction(kind=ActionKind.REDIRECT, value=link, expires_at=expires_at)
    if kind == "prompt_phone_number":
        return NextAction(kind=ActionKind.PHONE_PROMPT, expires_at=expires_at)
    if kind == "otp_state":
        return NextAction(kind=ActionKind.OTP, expires_at=expires_at)
    return NO_ACTION


def _money_of(amount: money_pb2.Money) -> Money:
    return Money(amount.currency_code, amount.amount_minor)
