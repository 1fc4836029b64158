"""Flutterwave's settings, one class for each of the two processes that need some."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo

from gateway_adapters.settings import (
    AdapterSettings,
    CallbackSettings,
    EndpointUrl,
    ProxyUrl,
    SigningSecrets,
)
from kit.settings import Address, Seconds

_KEY_PREFIX = "FLWSECK"
_TEST_KEY_PREFIX = "FLWSECK_TEST-"


def _secret_key(value: SecretStr, info: ValidationInfo) -> SecretStr:
    key = value.get_secret_value()
    if not key.startswith(_KEY_PREFIX) or key != key.strip():
        raise ValueError(f"must be a v3 secret key, which begins with {_KEY_PREFIX}")
    # Test and live share one base URL: only the key tells them apart (contract A1).
    if key.startswith(_TEST_KEY_PREFIX) and info.data.get("environment") == "production":
        raise ValueError("is a test key, and ENVIRONMENT is production")
    return value


class FlutterwaveSettings(AdapterSettings):
    """The adapter process. Names in upper case are the environment variables; see README.md.

    `flutterwave_session_minutes`: how long a hosted page stays payable.
    `flutterwave_max_retry_attempts`: tries that a payer has on one page.
    `flutterwave_timeout_seconds`: limit of one call; above the 28 s after which Flutterwave itself
    gives up with a 503 (contract A12).
    """

    flutterwave_listen: Address = "127.0.0.1:50053"
    flutterwave_base_url: EndpointUrl = "https://api.flutterwave.com/v3"
    flutterwave_secret_key: Annotated[SecretStr, AfterValidator(_secret_key)]
    flutterwave_https_proxy: ProxyUrl = None
    flutterwave_checkout_title: Annotated[str, Field(min_length=1, max_length=100)] = (
        "Creator membership"
    )
    flutterwave_session_minutes: Annotated[int, Field(ge=1, le=1440)] = 30
    flutterwave_max_retry_attempts: Annotated[int, Field(ge=1, le=10)] = 1
    flutterwave_configuration_style: Literal["configurations", "configuration", "flat"] = (
        "configurations"
    )
    flutterwave_timeout_seconds: Seconds = 35.0

    @property
    def listen(self) -> str:
        """Where the adapter serves gRPC, "host:port"."""
        return self.flutterwave_listen


class FlutterwaveCallbackSettings(CallbackSettings):
    """The webhook receiver. `flutterwave_webhook_secret`: secret hashes, comma separated."""

    flutterwave_webhook_secret: SigningSecrets
