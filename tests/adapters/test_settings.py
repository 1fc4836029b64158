"""An adapter that is not set up rightly does not start, and says everything that is wrong."""

from collections.abc import Mapping

import pytest

from gateway_adapters.eversend.settings import EversendCallbackSettings, EversendSettings
from gateway_adapters.flutterwave.settings import FlutterwaveCallbackSettings, FlutterwaveSettings
from gateway_adapters.registry import REGISTRY
from gateway_adapters.settings import AdapterSettings, CallbackSettings, split_secrets
from kit.settings import SettingsError, load_settings

TOKENS = {"gateway_service_tokens": "payments=a-token-for-payments"}
FLUTTERWAVE = {**TOKENS, "flutterwave_secret_key": "FLWSECK_TEST-plainly-fake-X"}
EVERSEND = {
    **TOKENS,
    "eversend_client_id": "a-client",
    "eversend_client_secret": "a-clients-long-secret",
}
LIVE = {"environment": "production", "flutterwave_secret_key": "FLWSECK-plainly-fake-X"}


def problems(
    kind: type[AdapterSettings] | type[CallbackSettings], facts: Mapping[str, object]
) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(kind, **facts)
    return sorted(problem.partition(":")[0] for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        (FlutterwaveSettings, ["FLUTTERWAVE_SECRET_KEY", "GATEWAY_SERVICE_TOKENS"]),
        (EversendSettings,
         ["EVERSEND_CLIENT_ID", "EVERSEND_CLIENT_SECRET", "GATEWAY_SERVICE_TOKENS"]),
        (EversendCallbackSettings, ["EVERSEND_WEBHOOK_SECRET"]),
    ],
)  # fmt: skip
def test_everything_that_is_missing_is_listed_at_once(
    kind: type[AdapterSettings], missing: list[str]
) -> None:
    assert problems(kind, {}) == missing


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"gateway_service_tokens": "bff=a-token-for-the-bff"}, "GATEWAY_SERVICE_TOKENS"),
        ({"gateway_service_tokens": "payments=short"}, "GATEWAY_SERVICE_TOKENS"),
        ({"gateway_service_tokens": ""}, "GATEWAY_SERVICE_TOKENS"),
        ({"flutterwave_secret_key": "sk_live_plainly_fake"}, "FLUTTERWAVE_SECRET_KEY"),
        ({"flutterwave_secret_key": "FLWSECK_TEST-x-X "}, "FLUTTERWAVE_SECRET_KEY"),
        ({"environment": "production"}, "FLUTTERWAVE_SECRET_KEY"),
        ({"flutterwave_base_url": "api.flutterwave.com/v3"}, "FLUTTERWAVE_BASE_URL"),
        ({"flutterwave_base_url": "ftp://host/v3"}, "FLUTTERWAVE_BASE_URL"),
        ({"flutterwave_base_url": "https://me:pw@host/v3"}, "FLUTTERWAVE_BASE_URL"),
        ({"flutterwave_base_url": "https://host/v3?a=1"}, "FLUTTERWAVE_BASE_URL"),
        ({**LIVE, "flutterwave_base_url": "http://127.0.0.1:9201/v3"}, "FLUTTERWAVE_BASE_URL"),
        ({"flutterwave_https_proxy": "proxy.internal:3128"}, "FLUTTERWAVE_HTTPS_PROXY"),
        ({"flutterwave_session_minutes": 1441}, "FLUTTERWAVE_SESSION_MINUTES"),
        ({"flutterwave_max_retry_attempts": 0}, "FLUTTERWAVE_MAX_RETRY_ATTEMPTS"),
        ({"flutterwave_configuration_style": "nested"}, "FLUTTERWAVE_CONFIGURATION_STYLE"),
        ({"flutterwave_checkout_title": ""}, "FLUTTERWAVE_CHECKOUT_TITLE"),
        ({"flutterwave_listen": "50053"}, "FLUTTERWAVE_LISTEN"),
    ],
)
def test_flutterwave_refuses_what_contradicts_itself(
    changes: Mapping[str, object], field: str
) -> None:
    assert problems(FlutterwaveSettings, {**FLUTTERWAVE, **changes}) == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"eversend_client_secret": "short"}, "EVERSEND_CLIENT_SECRET"),
        ({"environment": "staging", "eversend_base_url": "http://h/v1"}, "EVERSEND_BASE_URL"),
        ({"eversend_origin": "creators.example"}, "EVERSEND_ORIGIN"),
        ({"eversend_otp_mode": "email"}, "EVERSEND_OTP_MODE"),
        ({"eversend_lookup_by_ref": "guess"}, "EVERSEND_LOOKUP_BY_REF"),
        ({"eversend_corridors": ""}, "EVERSEND_CORRIDORS"),
        ({"eversend_corridors": "UG"}, "EVERSEND_CORRIDORS"),
        ({"eversend_corridors": "UG:ABC"}, "EVERSEND_CORRIDORS"),
        ({"eversend_card_path": "collections/card"}, "EVERSEND_CARD_PATH"),
        ({"eversend_card_path": "/a/../b"}, "EVERSEND_CARD_PATH"),
        ({"eversend_card_link_fields": " , "}, "EVERSEND_CARD_LINK_FIELDS"),
        ({"eversend_token_ttl_fallback_seconds": 0}, "EVERSEND_TOKEN_TTL_FALLBACK_SECONDS"),
    ],
)
def test_eversend_refuses_what_contradicts_itself(
    changes: Mapping[str, object], field: str
) -> None:
    assert problems(EversendSettings, {**EVERSEND, **changes}) == [field]


def test_many_problems_are_listed_together() -> None:
    facts = {"environment": "production", "flutterwave_base_url": "http://h", **FLUTTERWAVE}
    assert problems(FlutterwaveSettings, facts) == [
        "FLUTTERWAVE_BASE_URL",
        "FLUTTERWAVE_SECRET_KEY",
    ]


def test_no_problem_repeats_a_value() -> None:
    facts = {**FLUTTERWAVE, "flutterwave_secret_key": "a-very-secret-value"}
    with pytest.raises(SettingsError) as caught:
        load_settings(FlutterwaveSettings, **facts)
    assert "a-very-secret-value" not in str(caught.value)


def test_settings_do_not_print_their_secrets() -> None:
    printed = repr(load_settings(FlutterwaveSettings, **FLUTTERWAVE)) + repr(
        load_settings(EversendSettings, **EVERSEND)
    )
    secrets = ("plainly-fake", "a-token-for-payments", "a-client", "a-clients-long-secret")
    assert not [secret for secret in secrets if secret in printed]


def test_each_adapter_listens_where_it_is_told_and_has_a_default() -> None:
    assert load_settings(FlutterwaveSettings, **FLUTTERWAVE).listen == "127.0.0.1:50053"
    assert load_settings(EversendSettings, **EVERSEND).listen == "127.0.0.1:50052"


def test_production_is_content_with_live_keys_and_https() -> None:
    settings = load_settings(FlutterwaveSettings, **{**FLUTTERWAVE, **LIVE})
    assert settings.flutterwave_base_url == "https://api.flutterwave.com/v3"


@pytest.mark.parametrize("secret", ["", "short", " , ", "changeme-changeme", "good-secret-value,x"])
def test_a_weak_webhook_secret_is_refused(secret: str) -> None:
    for kind, name in (
        (FlutterwaveCallbackSettings, "flutterwave_webhook_secret"),
        (EversendCallbackSettings, "eversend_webhook_secret"),
    ):
        assert problems(kind, {name: secret}) == [name.upper()]


def test_two_webhook_secrets_are_active_while_one_replaces_the_other() -> None:
    settings = load_settings(
        FlutterwaveCallbackSettings, flutterwave_webhook_secret="the-new-secret-1, the-old-secret-1"
    )
    secrets = split_secrets(settings.flutterwave_webhook_secret)
    assert secrets == ("the-new-secret-1", "the-old-secret-1")


def test_a_signature_that_anybody_can_make_needs_the_refetch() -> None:
    facts: dict[str, object] = {
        "eversend_webhook_secret": "an-eversend-secret",
        "eversend_webhook_signature_mode": "sha512-unkeyed",
    }
    load_settings(EversendCallbackSettings, **facts)
    with pytest.raises(SettingsError, match="EVERSEND_WEBHOOK_REFETCH"):
        load_settings(EversendCallbackSettings, **facts, eversend_webhook_refetch=False)


def test_the_adapter_needs_no_webhook_secret_and_the_receiver_no_key() -> None:
    for registration in REGISTRY.values():
        fields = registration.settings.model_fields
        assert not [name for name in fields if "webhook" in name]
    for kind in (FlutterwaveCallbackSettings, EversendCallbackSettings):
        assert all("webhook" in name for name in kind.model_fields)
