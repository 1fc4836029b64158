"""What the BFF reads from its environment."""

from typing import Annotated

from pydantic import AfterValidator

from kit.money import exponent_of
from kit.settings import Address, ProcessSettings, Seconds, StrongSecret


def _priceable(currency: str) -> str:
    exponent_of(currency)
    return currency


class BffSettings(ProcessSettings):
    """Settings of the BFF; each field's name in upper case is its environment variable.

    `bff_listen`: where it listens. `bff_default_currency`: ISO 4217 code of prices when a request
    names none. `payments_address`: the payments service. `payments_service_token`: this process's
    token there. `payments_timeout_seconds`: how long one call to it may take. `shutdown_seconds`:
    how long requests that are under way may take to end.
    """

    shutdown_seconds: Seconds = 2.0
    bff_listen: Address = "127.0.0.1:8080"
    bff_default_currency: Annotated[str, AfterValidator(_priceable)] = "UGX"
    payments_address: Address = "127.0.0.1:50051"
    payments_service_token: StrongSecret
    payments_timeout_seconds: Seconds = 5.0
