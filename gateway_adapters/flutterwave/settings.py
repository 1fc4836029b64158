"""Flutterwave's settings, one class for each of the two processes that need some."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, model_validator

from gateway_adapters.settings import (
    AdapterSettings,
    CallbackSettings,
    EndpointUrl,
    ProxyUrl,
    SigningSecrets,
    split_secrets,
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
    """The webhook receiver; a version of the API without a secret is not accepted.

    `flutterwave_webhook_secret`: secret hashes of v3, comma separated.
    `flutterwave_v4_webhook_secret`: keys of v4's signatures, comma separated.
    `flutterwave_v4_webhook_signature_mode`: "plain" where an account turns out to send v4's secret
    itself, as some of Flutterwave's samples do (contract B7).
    """

    flutterwave_webhook_secret: SigningSecrets | None = None
    flutterwave_v4_webhook_secret: SigningSecrets | None = None
    flutterwave_v4_webhook_signature_mode: Literal["hmac-sha256", "plain"] = "hmac-sha256"

    @model_validator(mode="after")
    def _versions_share_no_secret(self) -> Self:
        """Refuse v3's secret as v4's key: v3 gives its secret away with every callback."""
        v3 = split_secrets(self.flutterwave_webhook_secret)
        v4 = split_secrets(self.flutterwave_v4_webhook_secret)
        if set(v3) & set(v4):
            raise ValueError(
                "FLUTTERWAVE_V4_WEBHOOK_SECRET must not be among FLUTTERWAVE_WEBHOOK_SECRET"
            )
        return self
