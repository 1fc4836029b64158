"""The BFF's settings: outside of development a member's token never travels in the clear."""

import pytest

from kit.settings import SettingsError, load_settings
from services.bff.settings import BffSettings

SOUND = {
    "PAYMENTS_SERVICE_TOKEN": "bff-service-token-for-tests",
    "JWT_SECRET": "members-token-secret-for-tests-01",
}
PRODUCTION = {"ENVIRONMENT": "production", "BFF_TRUSTED_PROXIES": "10.0.0.0/8"}


def load(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> BffSettings:
    for name in BffSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return load_settings(BffSettings)


def test_development_needs_two_secrets_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    options = load(monkeypatch, SOUND).options()

    assert not options.https.required
    assert options.origins == options.return_origins == frozenset()


def test_production_needs_a_proxy_that_has_the_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(
        monkeypatch,
        SOUND | PRODUCTION | {"BFF_ORIGINS": "https://app.example", "BFF_MAX_STREAMS": "100"},
    )

    assert settings.options().https.required
    assert settings.options().origins == {"https://app.example"}
    assert settings.http_options().max_connections > 100


@pytest.mark.parametrize(
    "values",
    [
        {"ENVIRONMENT": "production"},
        {"ENVIRONMENT": "staging"},
        PRODUCTION | {"BFF_TRUSTED_PROXIES": ""},
        PRODUCTION | {"BFF_TRUSTED_PROXIES": "0.0.0.0/0"},
        PRODUCTION | {"BFF_TRUSTED_PROXIES": "10.0.0.0/8,::/0"},
        PRODUCTION | {"BFF_TRUSTED_PROXIES": "everybody"},
        PRODUCTION | {"BFF_ORIGINS": "http://app.example"},
        PRODUCTION | {"RETURN_ORIGINS": "http://app.example"},
        {"BFF_ORIGINS": "*"},
        {"BFF_ORIGINS": "https://app.example/"},
        {"RETURN_ORIGINS": "https://*.example"},
        {"BFF_TLS_CERTIFICATE": "/nowhere/certificate.pem"},
        {"BFF_TLS_CERTIFICATE": "/nowhere/c.pem", "BFF_TLS_KEY": "/nowhere/k.pem"},
        {"BFF_MAX_STREAMS": "0"},
        {"BFF_READS_PER_MINUTE": "0"},
        {"BFF_STREAM_SECONDS": "0"},
        {"JWT_SECRET": ""},
    ],
)
def test_what_would_be_unsafe_does_not_start(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str]
) -> None:
    with pytest.raises(SettingsError):
        load(monkeypatch, SOUND | values)
