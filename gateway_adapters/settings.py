"""Settings that every adapter process and every callback verifier has, and their checks."""

from abc import abstractmethod
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr, ValidationInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kit.settings import (
    NamedSecret,
    ProcessSettings,
    parse_named_secrets,
    require_strong_secret,
)

CALLER = "payments"


def _named_secrets(value: object) -> object:
    return tuple(parse_named_secrets(value)) if isinstance(value, str) else value


def _names_the_caller(tokens: tuple[NamedSecret, ...]) -> tuple[NamedSecret, ...]:
    if CALLER not in {token.name for token in tokens}:
        raise ValueError(f'needs a pair "{CALLER}=<token>": it is the only caller of an adapter')
    return tokens


def _endpoint(value: str, info: ValidationInfo) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must be an absolute http(s) URL without query and fragment")
    if parts.username or parts.password:
        raise ValueError("must not carry a user name or password")
    # `environment` is declared first, so it has been checked when this runs.
    environment = info.data.get("environment", "production")
    if parts.scheme != "https" and environment not in ("development", "test"):
        raise ValueError("must be https outside of development and test")
    return value.rstrip("/")


def _proxy(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be the http(s) URL of a proxy")
    return value


def _signing_secrets(value: SecretStr) -> SecretStr:
    for secret in split_secrets(value):
        require_strong_secret(secret, "webhook")
    if not split_secrets(value):
        raise ValueError("is empty")
    return value


def split_secrets(value: SecretStr | None) -> tuple[str, ...]:
    """Return the secrets of a comma-separated list; two are active while one replaces the other."""
    text = value.get_secret_value() if value else ""
    return tuple(part.strip() for part in text.split(",") if part.strip())


EndpointUrl = Annotated[str, AfterValidator(_endpoint)]
ProxyUrl = Annotated[str | None, AfterValidator(_proxy)]
SigningSecrets = Annotated[SecretStr, AfterValidator(_signing_secrets)]
ServiceTokenPairs = Annotated[
    tuple[NamedSecret, ...],
    NoDecode,
    BeforeValidator(_named_secrets),
    AfterValidator(_names_the_caller),
]


class AdapterSettings(ProcessSettings):
    """What every adapter process has.

    `gateway_service_tokens`: "name=token" pairs of the services that may connect.
    """

    gateway_service_tokens: ServiceTokenPairs

    @property
    @abstractmethod
    def listen(self) -> str:
        """Where the adapter serves gRPC, "host:port"."""


class CallbackSettings(BaseSettings):
    """What a callback verifier has; read by the webhook receiver alone."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)
