"""Flutterwave's entry in the registry."""

from gateway_adapters.flutterwave.callbacks import FlutterwaveCallbackVerifier
from gateway_adapters.flutterwave.settings import FlutterwaveCallbackSettings, FlutterwaveSettings
from gateway_adapters.registration import Registration
from gateway_adapters.settings import split_secrets
from kit.settings import load_settings


def load_verifier() -> FlutterwaveCallbackVerifier:
    """Make the callback verifier from the environment. Raises `kit.settings.SettingsError`."""
    settings = load_settings(FlutterwaveCallbackSettings)
    return FlutterwaveCallbackVerifier(
        split_secrets(settings.flutterwave_webhook_secret),
        v4_secrets=split_secrets(settings.flutterwave_v4_webhook_secret),
        v4_signed=settings.flutterwave_v4_webhook_signature_mode == "hmac-sha256",
    )


REGISTRATION = Registration(
    name="flutterwave",
    settings=FlutterwaveSettings,
    builder="gateway_adapters.flutterwave.gateway:build",
    callback_secrets=("FLUTTERWAVE_WEBHOOK_SECRET", "FLUTTERWAVE_V4_WEBHOOK_SECRET"),
    load_verifier=load_verifier,
)
