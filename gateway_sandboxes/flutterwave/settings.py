"""The settings of the Flutterwave sandbox; each variable is described in the README beside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

from gateway_sandboxes.settings import read_settings

PREFIX = "FLUTTERWAVE_SANDBOX_"
SANDBOX_KEY = "FLWSECK_TEST-5a4d0b0c5a4d0b0c5a4d0b0c5a4d0b0c-X"
SANDBOX_HASH = "flutterwave-sandbox-webhook-hash"


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What differs between merchants' accounts or is not established; changed at run time.

    The defaults follow the contract; times are in seconds.
    """

    webhook_url: str | None = None
    webhook_secret: str | None = SANDBOX_HASH
    webhook_shape: Literal["v3", "legacy"] = "v3"
    webhook_meta: bool = False
    webhook_retry_seconds: tuple[float, ...] = (1800.0, 1800.0, 1800.0)
    webhook_timeout_seconds: float = 60.0
    failed_webhooks: bool = True
    duplicate_tx_ref: Literal["allow", "reject"] = "allow"
    fractions_of_whole_currencies: Literal["reject", "accept"] = "reject"
    customer_bears_fee: bool = False
    return_status: Literal["completed", "successful"] = "completed"
    refund_seconds: float = 60.0
    refund_webhooks: bool = False
    refund_list_casing: Literal["mixed", "snake", "pascal"] = "mixed"
    chargeback_answer_seconds: float = 48 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Where the sandbox listens, what it remembers, and the key it accepts."""

    host: str = "127.0.0.1"
    port: int = 9201
    control_port: int = 9301
    state: Path | None = None
    public_url: str | None = None
    secret_key: str = SANDBOX_KEY
    merchant_name: str = "Sandbox Merchant"
    behaviour: Behaviour = field(default_factory=Behaviour)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self:
        """Read the settings (`SettingError` when one does not fit)."""
        return read_settings(cls, PREFIX, environ)
