"""The adapters' processes: the product's gateways over the simulation's wires."""

from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from gateway_adapters.eversend.auth import Credentials, TokenSource
from gateway_adapters.eversend.client import EversendClient
from gateway_adapters.eversend.gateway import EversendGateway
from gateway_adapters.eversend.settings import EversendSettings
from gateway_adapters.flutterwave.auth import KeyAuth
from gateway_adapters.flutterwave.client import FlutterwaveClient
from gateway_adapters.flutterwave.gateway import FlutterwaveGateway
from gateway_adapters.flutterwave.settings import FlutterwaveSettings
from gateway_adapters.gateway import Gateway
from gateway_adapters.http import HttpOptions
from gateway_adapters.servicer import GatewayServicer
from kit.settings import parse_named_secrets
from proofs.simulation.channel import Adapter
from proofs.simulation.gateways.eversend import Eversend
from proofs.simulation.gateways.flutterwave import Flutterwave
from proofs.simulation.nature import Nature
from proofs.simulation.wire import SimulatedBoundary, SimulatedGateway, Wire

_OTP_MODES: tuple[Literal["off", "sms"], ...] = ("off", "sms")
_TOKENS = tuple(parse_named_secrets("payments=simulated-token-of-payments"))
_OTP_SHARE = 0.2
_EVERSEND: dict[Literal["off", "sms"], EversendSettings] = {
    mode: EversendSettings(
        environment="test",
        gateway_service_tokens=_TOKENS,
        eversend_client_id=SecretStr("simulated-client"),
        eversend_client_secret=SecretStr("simulated-client-secret"),
        eversend_otp_mode=mode,
    )
    for mode in _OTP_MODES
}
_FLUTTERWAVE = {
    tries: FlutterwaveSettings(
        environment="test",
        gateway_service_tokens=_TOKENS,
        flutterwave_secret_key=SecretStr("FLWSECK_TEST-simulated-secret-key"),
        flutterwave_max_retry_attempts=tries,
    )
    for tries in (1, 3)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySide:
    """The simulated gateways and the adapters in front of them."""

    eversend: Eversend
    flutterwave: Flutterwave
    adapters: tuple[Adapter, ...]


def build_gateway_side(nature: Nature) -> GatewaySide:
    """Build both gateways with their adapters."""
    with_otp = nature.chance.hits(_OTP_SHARE)
    eversend = Eversend(nature.loop.time, nature.faults, nature.chance, asks_for_otp=with_otp)
    flutterwave = Flutterwave(nature.loop.time, nature.faults)
    adapters = (
        _adapter(_eversend(nature, eversend, _EVERSEND["sms" if with_otp else "off"]), nature),
        _adapter(_flutterwave(nature, flutterwave), nature),
    )
    return GatewaySide(eversend=eversend, flutterwave=flutterwave, adapters=adapters)


def _adapter(gateway: Gateway, nature: Nature) -> Adapter:
    return Adapter(gateway.name, GatewayServicer(gateway), nature)


def _eversend(nature: Nature, gateway: Eversend, settings: EversendSettings) -> EversendGateway:
    credentials = Credentials(
        client_id=settings.eversend_client_id,
        client_secret=settings.eversend_client_secret,
        origin=settings.eversend_origin,
        ttl_fallback_seconds=settings.eversend_token_ttl_fallback_seconds,
    )
    http = _boundary(nature, gateway, settings.eversend_base_url, settings.eversend_timeout_seconds)
    tokens = TokenSource(http, credentials, nature.clock)
    client = EversendClient(http, tokens, credentials)
    return EversendGateway(client, settings, nature.clock)


def _flutterwave(nature: Nature, gateway: Flutterwave) -> FlutterwaveGateway:
    settings = _FLUTTERWAVE[nature.chance.pick((1, 3))]
    http = _boundary(
        nature, gateway, settings.flutterwave_base_url, settings.flutterwave_timeout_seconds
    )
    client = FlutterwaveClient(http, KeyAuth(settings.flutterwave_secret_key))
    return FlutterwaveGateway(client, settings, nature.clock)


def _boundary(
    nature: Nature, gateway: SimulatedGateway, base_url: str, seconds: float
) -> SimulatedBoundary:
    options = HttpOptions(gateway=gateway.book.gateway, base_url=base_url, timeout_seconds=seconds)
    return SimulatedBoundary(Wire(nature, gateway), options, nature.clock, nature.ids)
