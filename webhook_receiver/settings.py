"""What the webhook receiver reads from its environment, and which gateways that switches on."""

import os
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from gateway_adapters.callbacks import CallbackVerifier
from gateway_adapters.registry import REGISTRY
from kit.settings import Address, ProcessSettings, Seconds, SettingsError, StrongSecret

# What `RecordGatewayEventRequest.raw_body` takes; real callbacks are a few KiB.
_LARGEST_BODY_BYTES = 64 * 1024


class ReceiverSettings(ProcessSettings):
    """Settings of the receiver; each field's name in upper case is its environment variable.

    `webhook_listen`: where it listens. `max_body_bytes`: larger deliveries are refused.
    `webhook_body_seconds`: how long a body may take to arrive. `payments_address`: the payments
    service. `payments_service_token`: this process's token there. `payments_timeout_seconds`: how
    long storing a delivery may take before the gateway is told to come again. `shutdown_seconds`:
    how long deliveries that are under way may take to end; a gateway repeats one that was cut off.
    """

    shutdown_seconds: Seconds = 2.0
    webhook_listen: Address = "127.0.0.1:8081"
    max_body_bytes: Annotated[int, Field(gt=0, le=_LARGEST_BODY_BYTES)] = _LARGEST_BODY_BYTES
    webhook_body_seconds: Seconds = 10.0
    payments_address: Address = "127.0.0.1:50051"
    payments_service_token: StrongSecret
    payments_timeout_seconds: Seconds = 5.0


def load_verifiers() -> Mapping[str, CallbackVerifier]:
    """Return the verifier of every gateway whose secret variable is set, by gateway name.

    Raises `SettingsError` with the problems of all of them, or when no gateway is switched on.
    """
    verifiers: dict[str, CallbackVerifier] = {}
    problems: list[str] = []
    for name, registration in REGISTRY.items():
        if not os.environ.get(registration.callback_secret):
            continue
        try:
            verifiers[name] = registration.load_verifier()
        except SettingsError as error:
            problems += error.problems
    if not verifiers and not problems:
        variables = " or ".join(each.callback_secret for each in REGISTRY.values())
        problems.append(f"{variables}: at least one is required")
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
