"""Eversend's entry in the registry."""

from gateway_adapters.eversend.callbacks import EversendCallbackVerifier
from gateway_adapters.eversend.settings import EversendCallbackSettings, EversendSettings
from gateway_adapters.registration import Registration
from gateway_adapters.settings import split_secrets
from kit.settings import load_settings


def load_verifier() -> EversendCallbackVerifier:
    """Make the callback verifier from the environment. Raises `kit.settings.SettingsError`."""
    settings = load_settings(EversendCallbackSettings)
    return EversendCallbackVerifier(
        split_secrets(settings.eversend_webhook_secret),
        keyed=settings.eversend_webhook_signature_mode == "hmac-sha512",
    )


REGISTRATION = Registration(
    name="eversend",
    settings=EversendSettings,
    builder="gateway_adapters.eversend.gateway:build",
    callback_secrets=("EVERSEND_WEBHOOK_SECRET",),
    load_verifier=load_verifier,
)
