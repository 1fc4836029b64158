"""The settings of the Eversend sandbox; each variable is described in the README beside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from gateway_sandboxes.settings import read_settings

PREFIX = "EVERSEND_SANDBOX_"
SANDBOX_CLIENT_ID = "eversend-sandbox-client"
SANDBOX_CLIENT_KEY = "eversend-sandbox-client-secret"
SANDBOX_WEBHOOK_KEY = "eversend-sandbox-webhook-secret"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What is not established about Eversend (contract section 13); changed at run time.

    Times are in seconds. `auto_approve_seconds` makes every payer approve after that time; without
    it they wait for a hand on the phone page or the control API. `payout_seconds` is how long a
    payout takes.
    """

    webhook_url: str | None = None
    webhook_secret: str = SANDBOX_WEBHOOK_KEY
    webhook_shape: Literal["flat", "nested"] = "flat"
    webhook_retry_seconds: tuple[float, ...] = (1.0, 5.0, 25.0)
    webhook_timeout_seconds: float = 10.0
    signature_mode: Literal["hmac-sha512", "sha512-unkeyed"] = "hmac-sha512"
    lookup_shape: Literal["list", "object"] = "list"
    error_message_shape: Literal["string", "nested"] = "string"
    customer_type: Literal["string", "any"] = "string"
    duplicate_ref: Literal["reject", "return_existing", "accept"] = "reject"
    require_origin: bool = False
    origin: str | None = None
    require_otp: bool = False
    token_ttl: int = 3600
    card: bool = False
    auto_approve_seconds: float | None = None
    payout_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the sandbox listens, what it remembers, and the credentials it accepts."""

    host: str = "127.0.0.1"
    port: int = 9202
    control_port: int = 9302
    state: Path | None = None
    public_url: str | None = None
    client_id: str = SANDBOX_CLIENT_ID
    client_secret: str = SANDBOX_CLIENT_KEY
    merchant_name: str = "Sandbox Merchant"
    behaviour: Behaviour = field(default_factory=Behaviour)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings (`SettingError` when one does not fit)."""
        return read_settings(cls, PREFIX, environ)
