"""What the BFF reads from its environment."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator
from pydantic_settings import NoDecode

from kit.http_server import HttpOptions, load_tls
from kit.http_sources import Network, parse_networks
from kit.money import exponent_of
from kit.return_urls import parse_origins
from kit.settings import Address, Seconds, StrongSecret
from kit.user_token_settings import UserTokenSettings
from services.bff.app import BffOptions
from services.bff.streams import StreamLimits
from services.bff.transport import HttpsRule

# What is open besides the streams: requests that are under way, and idle connections.
_CONNECTIONS_BESIDE_STREAMS = 2000


def _priceable(currency: str) -> str:
    exponent_of(currency)
    return currency


def _plain_origins(text: str, info: ValidationInfo) -> str:
    parse_origins(text, https_only=info.data.get("environment") in ("staging", "production"))
    return text


_Origins = Annotated[str, AfterValidator(_plain_origins)]
_File = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
_Count = Annotated[int, Field(ge=1, le=100_000)]


class BffSettings(UserTokenSettings):
    """Settings of the BFF; each field's name in upper case is its environment variable.

    `bff_listen`: where it listens. `bff_default_currency`: ISO 4217 code of prices when a request
    names none. `bff_origins`: origins of pages elsewhere that may ask, separated by commas.
    `return_origins`: where a gateway's page may send members. `bff_tls_certificate`, `bff_tls_key`:
    PEM files of its own TLS. `bff_trusted_proxies`: networks of the proxies that have the TLS when
    it has not. `bff_reads_per_minute`: of one member. `bff_max_streams`, `bff_streams_per_member`:
    live updates open at once. `bff_heartbeat_seconds`, `bff_stream_seconds`: of live updates.
    `payments_address`: the payments service. `payments_service_token`: this process's token there.
    `payments_timeout_seconds`: how long one call to it may take; `bff_gateway_timeout_seconds`: one
    that waits for a gateway. `shutdown_seconds`: how long requests that are under way may take to
    end.
    """

    shutdown_seconds: Seconds = 2.0
    bff_listen: Address = "127.0.0.1:8080"
    bff_default_currency: Annotated[str, AfterValidator(_priceable)] = "UGX"
    bff_origins: _Origins = ""
    return_origins: _Origins = ""
    bff_tls_certificate: _File = None
    bff_tls_key: _File = None
    bff_trusted_proxies: Annotated[
        tuple[Network, ...], NoDecode, BeforeValidator(parse_networks)
    ] = ()
    bff_reads_per_minute: _Count = 300
    bff_max_streams: _Count = 5000
    bff_streams_per_member: _Count = 10
    bff_heartbeat_seconds: Seconds = 15.0
    bff_stream_seconds: Seconds = 600.0
    bff_gateway_timeout_seconds: Seconds = 30.0
    payments_address: Address = "127.0.0.1:50051"
    payments_service_token: StrongSecret
    payments_timeout_seconds: Seconds = 5.0

    @model_validator(mode="after")
    def _tokens_do_not_travel_in_the_clear(self) -> Self:
        """Refuse plain HTTP outside of development: a member's token travels with every request."""
        if (self.bff_tls_certificate is None) != (self.bff_tls_key is None):
            raise ValueError("BFF_TLS_CERTIFICATE and BFF_TLS_KEY need each other")
        if self.bff_tls_certificate and self.bff_tls_key:
            try:
                load_tls(self.bff_tls_certificate, self.bff_tls_key)
            except OSError as error:
                raise ValueError(
                    f"BFF_TLS_CERTIFICATE and BFF_TLS_KEY cannot be used: {error.strerror}"
                ) from None
        elif not self.in_development and not self.bff_trusted_proxies:
            raise ValueError(
                "outside of development tokens must not travel in the clear: set"
                " BFF_TLS_CERTIFICATE and BFF_TLS_KEY, or BFF_TRUSTED_PROXIES"
            )
        if any(network.prefixlen == 0 for network in self.bff_trusted_proxies):
            raise ValueError("BFF_TRUSTED_PROXIES must not be everybody: anybody could claim https")
        return self

    def options(self) -> BffOptions:
        """Return how the application treats its pages."""
        secure = not self.in_development
        return BffOptions(
            default_currency=self.bff_default_currency,
            origins=parse_origins(self.bff_origins, https_only=secure),
            return_origins=parse_origins(self.return_origins, https_only=secure),
            reads_per_minute=self.bff_reads_per_minute,
            streams=StreamLimits(
                streams=self.bff_max_streams,
                per_member=self.bff_streams_per_member,
                heartbeat=self.bff_heartbeat_seconds,
                lifetime=self.bff_stream_seconds,
            ),
            https=HttpsRule(required=secure, trusted_proxies=self.bff_trusted_proxies),
        )

    def http_options(self) -> HttpOptions:
        """Return how the server treats its clients."""
        certificate, key = self.bff_tls_certificate, self.bff_tls_key
        return HttpOptions(
            drain_seconds=self.shutdown_seconds,
            max_connections=self.bff_max_streams + _CONNECTIONS_BESIDE_STREAMS,
            trusted_proxies=self.bff_trusted_proxies,
            tls=load_tls(certificate, key) if certificate and key else None,
        )
