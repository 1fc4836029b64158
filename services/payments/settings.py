"""The settings of the payments server and worker."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from kit.return_urls import parse_origins
from kit.settings import (
    Address,
    NamedSecret,
    ProcessSettings,
    Seconds,
    parse_named_secrets,
    require_strong_secret,
)
from kit.user_token_settings import UserTokenSettings
from services.payments.call_limits import CHECKING, PAYING
from services.payments.domain.payment import PaymentMethod

_ADDRESS = re.compile(r"[^\s:/]+:[0-9]{1,5}")
# How long a gateway may work on a request that it has received: Flutterwave gives up after 28
# seconds (contract A12), Eversend names nothing; this is ten times that.
GATEWAY_PROCESSING_SECONDS = 300.0
KNOWN_CALLERS = frozenset({"bff", "platform", "operator", "webhook-receiver"})


class PaymentsSettings(ProcessSettings):
    """What the server and the worker share."""

    database_url: Annotated[str, Field(pattern=r"^postgres(ql)?://", repr=False)]
    database_pool_size: Annotated[int, Field(ge=1, le=100)] = 10
    database_statement_cache: bool = True
    gateways: str
    gateway_token: Annotated[str, Field(repr=False)]
    routing: str = (
        "card=eversend+flutterwave,mobile_money=eversend+flutterwave,express=flutterwave+eversend"
    )
    charge_timeout_seconds: Seconds = 20.0
    look_up_timeout_seconds: Seconds = 10.0
    takeover_seconds: Seconds = 30.0
    quiet_seconds: Seconds = 900.0
    otp_seconds: Seconds = 900.0
    look_up_lag_seconds: Annotated[float, Field(ge=0, le=60)] = 2.0

    @field_validator("gateways")
    @classmethod
    def _gateways_are_addresses(cls, text: str) -> str:
        addresses = parse_pairs(text)
        if not addresses or not all(map(_ADDRESS.fullmatch, addresses.values())):
            raise ValueError('must be "name=host:port" pairs separated by commas')
        if len(addresses) != text.count("="):
            raise ValueError("a gateway appears twice")
        return text

    @field_validator("gateway_token")
    @classmethod
    def _token_is_strong(cls, token: str) -> str:
        return require_strong_secret(token, "gateway_token")

    @field_validator("routing")
    @classmethod
    def _routing_names_methods(cls, text: str) -> str:
        if not parse_pairs(text).keys() <= {method.value for method in PaymentMethod}:
            raise ValueError('must be "method=gateway+gateway" pairs separated by commas')
        return text

    @field_validator("takeover_seconds")
    @classmethod
    def _takeover_outlasts_a_charge(cls, seconds: float, info: ValidationInfo) -> float:
        if seconds <= info.data.get("charge_timeout_seconds", 0.0):
            raise ValueError("must be longer than CHARGE_TIMEOUT_SECONDS")
        return seconds

    @field_validator("quiet_seconds")
    @classmethod
    def _quiet_outlasts_every_deadline(cls, seconds: float, info: ValidationInfo) -> float:
        names = ("charge_timeout_seconds", "look_up_timeout_seconds", "takeover_seconds")
        deadlines = sum(info.data.get(name, 0.0) for name in names)
        if seconds < deadlines + GATEWAY_PROCESSING_SECONDS:
            raise ValueError(
                "must be at least the sum of the other deadlines and"
                f" {GATEWAY_PROCESSING_SECONDS:.0f} seconds of the gateway's own"
            )
        return seconds

    def gateway_addresses(self) -> Mapping[str, str]:
        """Return the adapters' addresses by gateway."""
        return parse_pairs(self.gateways)

    def preferences(self) -> Mapping[PaymentMethod, Sequence[str]]:
        """Return the preferred gateways by method, best first."""
        return {
            PaymentMethod(method): gateways.split("+")
            for method, gateways in parse_pairs(self.routing).items()
        }


class ServerSettings(PaymentsSettings, UserTokenSettings):
    """What the server needs besides.

    `return_origins`: where members may return to, separated by commas; empty allows every address.
    `payment_requests_per_minute`, `payment_checks_per_minute`: how often one member may ask for
    what reaches a gateway (`services.payments.call_limits`). `max_rpcs`: how many calls may run at
    once, every open `WatchPayment` among them.
    """

    payments_listen: Address = "127.0.0.1:50051"
    service_tokens: Annotated[str, Field(repr=False)]
    default_return_url: Annotated[str, Field(pattern=r"^https?://")]
    return_origins: str = ""
    payment_requests_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 5
    payment_checks_per_minute: Annotated[int, Field(ge=1, le=10_000)] = 10
    max_rpcs: Annotated[int, Field(ge=10, le=100_000)] = 10_000

    @field_validator("service_tokens")
    @classmethod
    def _tokens_name_known_callers(cls, text: str) -> str:
        unknown = {each.name for each in parse_named_secrets(text)} - KNOWN_CALLERS
        if unknown:
            raise ValueError(f"unknown callers: {', '.join(sorted(unknown))}")
        return text

    @field_validator("default_return_url")
    @classmethod
    def _https_outside_development(cls, address: str, info: ValidationInfo) -> str:
        public = info.data.get("environment") in ("staging", "production")
        if public and not address.startswith("https://"):
            raise ValueError("must be https outside development")
        return address

    @field_validator("return_origins")
    @classmethod
    def _origins_are_plain(cls, text: str, info: ValidationInfo) -> str:
        parse_origins(text, https_only=info.data.get("environment") in ("staging", "production"))
        return text

    def member_limits(self) -> Mapping[str, int]:
        """Return how many calls a minute a member has, by bucket."""
        return {PAYING: self.payment_requests_per_minute, CHECKING: self.payment_checks_per_minute}

    def origins(self) -> frozenset[str]:
        """Return where members may return to; empty means anywhere."""
        return parse_origins(self.return_origins, https_only=not self.in_development)

    def tokens(self) -> list[NamedSecret]:
        """Return the callers' tokens."""
        return parse_named_secrets(self.service_tokens)


class WorkerSettings(PaymentsSettings):
    """What the worker needs besides."""

    worker_listen: Address = "127.0.0.1:50061"


def parse_pairs(text: str) -> dict[str, str]:
    """Parse "name=value" pairs separated by commas; a pair without a value has an empty one."""
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    return {name.strip(): value.strip() for name, _, value in pairs}
