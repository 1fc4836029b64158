"""Every gateway there is, by name. Adding one is one line here.

Loads settings and callback code only: whoever imports this gets no HTTP client and no gRPC.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway_adapters import eversend, flutterwave
from gateway_adapters.registration import Registration

REGISTRY: Final[Mapping[str, Registration]] = MappingProxyType(
    {
        registration.name: registration
        for registration in (
            eversend.REGISTRATION,
            flutterwave.REGISTRATION,
        )
    }
)
