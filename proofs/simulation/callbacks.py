"""Callbacks on their way: lost, repeated, late, forged; read by the product's own parsers."""

from functools import partial

import msgspec

from gateway_adapters.callbacks import CallbackVerifier
from gateway_adapters.eversend.callbacks import EversendCallbackVerifier
from gateway_adapters.flutterwave.callbacks import FlutterwaveCallbackVerifier
from kit.errors import ServiceError
from proofs.simulation.asking import Servers
from proofs.simulation.faults import Fault
from proofs.simulation.gateways.book import Book, RealCharge, RealRefund, RealState
from proofs.simulation.nature import Nature
from proofs.simulation.process import CallerGoneError, ProcessGoneError
from services.payments.domain.events import Delivery
from services.payments.operations.record_gateway_event import record_gateway_event

_VERIFIERS: dict[str, CallbackVerifier] = {
    "eversend": EversendCallbackVerifier(["simulated"]),
    "flutterwave": FlutterwaveCallbackVerifier(["simulated"]),
}
# A gateway that was not answered delivers a few times more (contracts A14 and §13).
_AGAIN_SECONDS = {"eversend": (1.0, 5.0, 25.0), "flutterwave": (1800.0, 1800.0, 1800.0)}
_HOUR = 3600.0
_SHARE_OF_PENDING = 0.1


class Callbacks:
    """Sends callbacks about what changes in the gateways' books."""

    def __init__(self, nature: Nature, servers: Servers, books: tuple[Book, ...]) -> None:
        self._nature = nature
        self._servers = servers
        self._books = books
        for book in books:
            book.charge_listeners.append(self._charge_changed)
            book.refund_listeners.append(self._refund_changed)

    def _charge_changed(self, charge: RealCharge) -> None:
        if charge.state is RealState.PENDING and not self._nature.chance.hits(_SHARE_OF_PENDING):
            return
        self._report(charge.gateway, _charge_body(charge, charge.id, charge.reference))
        if self._nature.faults.strikes(Fault.CALLBACK_FORGED):
            self._forge(charge)

    def _refund_changed(self, refund: RealRefund) -> None:
        if refund.state is not RealState.PENDING:
            self._report(refund.gateway, _refund_body(refund))

    def _report(self, gateway: str, body: bytes) -> None:
        """Send a callback as it happens in the field: never, once, again, or much later."""
        faults, chance = self._nature.faults, self._nature.chance
        if faults.strikes(Fault.CALLBACK_LOST):
            return
        late = faults.strikes(Fault.CALLBACK_LATE)
        wait = chance.between(3.0, 2 * _HOUR) if late else chance.between(0.0, 3.0)
        self._send(gateway, body, wait)
        while faults.strikes(Fault.CALLBACK_REPEATED):
            self._send(gateway, body, wait + chance.between(0.0, 600.0))

    def _forge(self, charge: RealCharge) -> None:
        """Send what somebody makes up who has seen a callback: any reference, any transaction."""
        chance = self._nature.chance
        others = [each for book in self._books for each in book.charges.values()]
        other = chance.pick(others)
        reference = chance.pick((charge.reference, other.reference, "cpnobodyhasthisreference"))
        body = _charge_body(charge, chance.pick((other.id, "1")), reference)
        self._send(charge.gateway, body, chance.between(0.0, 900.0))

    def _send(self, gateway: str, body: bytes, wait: float) -> None:
        async def deliver() -> None:
            await self._nature.loop.passed(wait)
            for again in (*_AGAIN_SECONDS[gateway], 0.0):
                if await self._delivered(gateway, body):
                    return
                await self._nature.loop.passed(again)

        self._nature.loop.create_task(deliver())

    async def _delivered(self, gateway: str, body: bytes) -> bool:
        server, deps = self._servers.server()
        callback = _VERIFIERS[gateway].parse(body, ())
        delivery = Delivery(
            gateway=gateway,
            event_key=callback.event_key,
            event_type=callback.event_type,
            reference=callback.reference,
            gateway_transaction_id=callback.gateway_transaction_id,
            raw_body=body,
            headers={},
            received_at=self._nature.clock.now(),
        )
        self._nature.story.tell(gateway, f"calls back about {callback.reference}")
        work = partial(record_gateway_event, deps, delivery)
        try:
            await server.request(work, server.scope("webhook-receiver"))
        except (CallerGoneError, ProcessGoneError, ServiceError):
            return False
        return True


def _charge_body(charge: RealCharge, transaction_id: str, reference: str) -> bytes:
    status = charge.state.value
    if charge.gateway == "eversend":
        return _eversend_body("wallet.load", transaction_id, reference, status)
    data = {"id": transaction_id, "tx_ref": reference, "status": status}
    return msgspec.json.encode({"event": "charge.completed", "data": data})


def _refund_body(refund: RealRefund) -> bytes:
    status = refund.state.value
    if refund.gateway == "eversend":
        return _eversend_body("transaction.payout", refund.id, refund.reference, status)
    document = {
        "id": int(refund.id),
        "AmountRefunded": str(refund.amount.to_major()),
        "TransactionId": int(refund.charge_id),
        "status": status,
        "FlwRef": f"FLW-{refund.charge_id}",
    }
    return msgspec.json.encode(document)


def _eversend_body(event: str, transaction_id: str, reference: str, status: str) -> bytes:
    document = {
        "eventType": event,
        "status": status,
        "transactionId": transaction_id,
        "transactionRef": reference,
    }
    return msgspec.json.encode(document)
