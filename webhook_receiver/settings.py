"""What the webhook receiver reads from its environment, and which gateways that switches on."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from gateway_adapters.callbacks import MAX_CALLBACK_BYTES, CallbackVerifier
from gateway_adapters.registry import REGISTRY
from kit.http_server import load_tls
from kit.http_sources import Network, parse_networks
from kit.settings import Address, ProcessSettings, Seconds, SettingsError, StrongSecret

_Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(parse_networks)]
_File = Annotated[Path | None, BeforeValidator(lambda value: value or None)]


def _not_everybody(networks: tuple[Network, ...]) -> tuple[Network, ...]:
    if any(network.prefixlen == 0 for network in networks):
        raise ValueError("must not be everybody: anybody could claim any address")
    return networks


class ReceiverSettings(ProcessSettings):
    """Settings of the receiver; each field's name in upper case is its environment variable.

    `webhook_listen`: where it listens. `webhook_tls_certificate`, `webhook_tls_key`: PEM files of
    its own TLS. `webhook_trusted_proxies`: networks whose `X-Forwarded-For` is believed, and that
    have the TLS when it has not. `webhook_allowed_networks`: where gateways are; anywhere when
    empty. `webhook_max_connections`, `webhook_max_connections_per_source`: open at once.
    `webhook_rate_per_second`, `webhook_rate_burst`: requests of one source. `max_body_bytes`:
    larger deliveries are refused. `webhook_request_seconds`: how long a whole request may take to
    arrive. `webhook_spool`: file for deliveries that the payments service cannot take, or none;
    `webhook_spool_rows`, `webhook_spool_bytes`: how many it keeps; `webhook_spool_after_seconds`:
    how long the payments service may take before the spool is used. `payments_address`: the
    payments service. `payments_service_token`: this process's token there.
    `payments_timeout_seconds`: how long storing a delivery may take where nobody waits, and without
    a spool. `shutdown_seconds`: how long deliveries that are under way may take to end; a gateway
    repeats one that was cut off.
    """

    shutdown_seconds: Seconds = 2.0
    webhook_listen: Address = "127.0.0.1:8081"
    webhook_tls_certificate: _File = None
    webhook_tls_key: _File = None
    webhook_trusted_proxies: Annotated[_Networks, AfterValidator(_not_everybody)] = ()
    webhook_allowed_networks: _Networks = ()
    webhook_max_connections: Annotated[int, Field(ge=1, le=100_000)] = 1000
    webhook_max_connections_per_source: Annotated[int, Field(ge=1, le=100_000)] = 100
    webhook_rate_per_second: Annotated[float, Field(gt=0, le=100_000)] = 100.0
    webhook_rate_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    max_body_bytes: Annotated[int, Field(gt=0, le=MAX_CALLBACK_BYTES)] = MAX_CALLBACK_BYTES
    webhook_request_seconds: Annotated[float, Field(gt=0, le=10)] = 10.0
    webhook_spool: _File = None
    webhook_spool_rows: Annotated[int, Field(ge=1, le=10_000_000)] = 10_000
    webhook_spool_bytes: Annotated[int, Field(ge=1024 * 1024, le=2**40)] = 64 * 1024 * 1024
    webhook_spool_after_seconds: Seconds = 1.0
    payments_address: Address = "127.0.0.1:50051"
    payments_service_token: StrongSecret
    payments_timeout_seconds: Seconds = 5.0

    @property
    def has_tls(self) -> bool:
        """Whether the receiver speaks TLS itself."""
        return self.webhook_tls_certificate is not None

    @model_validator(mode="after")
    def _nobody_can_listen_in(self) -> Self:
        """Refuse plain HTTP outside of development: v3's secret travels with every callback."""
        if (self.webhook_tls_certificate is None) != (self.webhook_tls_key is None):
            raise ValueError("WEBHOOK_TLS_CERTIFICATE and WEBHOOK_TLS_KEY need each other")
        if self.webhook_tls_certificate and self.webhook_tls_key:
            try:
                load_tls(self.webhook_tls_certificate, self.webhook_tls_key)
            except OSError as error:
                raise ValueError(
                    f"WEBHOOK_TLS_CERTIFICATE and WEBHOOK_TLS_KEY cannot be used: {error.strerror}"
                ) from None
        elif not self.in_development and not self.webhook_trusted_proxies:
            raise ValueError(
                "outside of development callbacks must not travel in the clear: set"
                " WEBHOOK_TLS_CERTIFICATE and WEBHOOK_TLS_KEY, or WEBHOOK_TRUSTED_PROXIES"
            )
        return self


def load_verifiers() -> Mapping[str, CallbackVerifier]:
    """Return the verifier of every gateway that has a secret variable, by gateway name.

    A variable that is there and empty is a mistake, not a switch. Raises `SettingsError` with the
    problems of all gateways, or when none is switched on.
    """
    verifiers: dict[str, CallbackVerifier] = {}
    problems: list[str] = []
    for name, registration in REGISTRY.items():
        if not any(variable in os.environ for variable in registration.callback_secrets):
            continue
        try:
            verifiers[name] = registration.load_verifier()
        except SettingsError as error:
            problems += error.problems
    if not verifiers and not problems:
        variables = [name for each in REGISTRY.values() for name in each.callback_secrets]
        problems.append(f"{' or '.join(variables)}: at least one is required")
    if problems:
        raise SettingsError(problems)
    return verifiers


def verifier_problems() -> list[str]:
    """Return what `load_verifiers` would complain about."""
    try:
        load_verifiers()
    except SettingsError as error:
        return error.problems
    return []
