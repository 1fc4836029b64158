"""Eversend's settings, one class for each of the two processes that need some."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from gateway_adapters.settings import (
    AdapterSettings,
    CallbackSettings,
    EndpointUrl,
    ProxyUrl,
    SigningSecrets,
)
from kit.money import EXPONENTS
from kit.settings import Address, Seconds, StrongSecret

_CORRIDOR = re.compile(r"([A-Z]{2}):([A-Z]{3})", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9_-]+)+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Corridor:
    """A country (ISO 3166-1 alpha-2) whose wallets can be charged in a currency (ISO 4217)."""

    country: str
    currency: str


def parse_corridors(text: str) -> tuple[Corridor, ...]:
    """Parse "UG:UGX,KE:KES". Raises `ValueError`."""
    return tuple(_corridor(part.strip()) for part in text.split(",") if part.strip())


def _corridor(text: str) -> Corridor:
    match = _CORRIDOR.fullmatch(text)
    if not match or match.group(2) not in EXPONENTS:
        raise ValueError('must be pairs of a country and a known currency, as in "UG:UGX,KE:KES"')
    return Corridor(country=match.group(1), currency=match.group(2))


def _corridors(value: object) -> object:
    return parse_corridors(value) if isinstance(value, str) else value


def _names(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _first_and_last(value: object) -> object:
    if not isinstance(value, str):
        return value
    first, _, last = value.strip().partition(" ")
    if not last.strip():
        raise ValueError('must be a first and a last name, as in "Valued Customer"')
    return first, last.strip()


def _path(value: str) -> str:
    if not _PATH.fullmatch(value):
        raise ValueError('must be a path such as "/collections/card"')
    return value


class EversendSettings(AdapterSettings):
    """The adapter process. Names in upper case are the environment variables; see README.md.

    `eversend_token_ttl_fallback_seconds`: how long a token is kept when its reply names no expiry.
    `eversend_timeout_seconds`: limit of one call. The `eversend_card_*` settings describe a private
    card contract; Eversend documents none (contract §9). `eversend_refund_strategy`: "payout", or
    how an operator gives money back instead. `eversend_refund_max_fee_percent`: how much of what
    the payer gets back a payout may cost on top. `eversend_payout_default_names`: first and last
    name for payers whose own is not known.
    """

    eversend_listen: Address = "127.0.0.1:50052"
    eversend_base_url: EndpointUrl = "https://api.eversend.co/v1"
    eversend_client_id: Annotated[SecretStr, Field(min_length=1)]
    eversend_client_secret: StrongSecret
    eversend_origin: EndpointUrl | None = None
    eversend_https_proxy: ProxyUrl = None
    eversend_otp_mode: Literal["off", "sms", "whatsapp"] = "off"
    eversend_customer_as_string: bool = True
    eversend_redirect_field: Literal["redirectUrl", "redirect_url"] = "redirectUrl"
    eversend_lookup_by_ref: Literal["search", "path"] = "search"
    eversend_token_ttl_fallback_seconds: Seconds = 1500.0
    eversend_allow_fractional_amounts: bool = False
    eversend_corridors: Annotated[
        tuple[Corridor, ...], NoDecode, BeforeValidator(_corridors), Field(min_length=1)
    ] = parse_corridors("UG:UGX,KE:KES,GH:GHS,RW:RWF,CM:XAF,CI:XOF,TZ:TZS")
    eversend_card_enabled: bool = False
    eversend_card_path: Annotated[str, AfterValidator(_path)] = "/collections/card"
    eversend_card_link_fields: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_names), Field(min_length=1)
    ] = ("checkoutUrl", "redirectUrl", "paymentUrl")
    eversend_refund_strategy: Literal["payout", "disabled", "manual"] = "payout"
    eversend_refund_max_fee_percent: Annotated[int, Field(ge=0, le=1000)] = 50
    eversend_payout_default_names: Annotated[
        tuple[str, str], NoDecode, BeforeValidator(_first_and_last)
    ] = ("Valued", "Customer")
    eversend_timeout_seconds: Seconds = 30.0

    @property
    def listen(self) -> str:
        """Where the adapter serves gRPC, "host:port"."""
        return self.eversend_listen


class EversendCallbackSettings(CallbackSettings):
    """The webhook receiver. `eversend_webhook_secret`: secrets, comma separated.

    `eversend_webhook_refetch`: whether this deployment asks Eversend about every callback before
    it acts on one, which the payments service does.
    """

    eversend_webhook_secret: SigningSecrets
    eversend_webhook_signature_mode: Literal["hmac-sha512", "sha512-unkeyed"] = "hmac-sha512"
    eversend_webhook_refetch: bool = True

    @model_validator(mode="after")
    def _unkeyed_needs_refetch(self) -> Self:
        """Refuse a signature that anybody can make where nothing else would stop a forgery."""
        if (
            self.eversend_webhook_signature_mode == "sha512-unkeyed"
            and not self.eversend_webhook_refetch
        ):
            raise ValueError(
                "EVERSEND_WEBHOOK_SIGNATURE_MODE sha512-unkeyed proves nothing about the sender;"
                " it needs EVERSEND_WEBHOOK_REFETCH to be on"
            )
        return self
