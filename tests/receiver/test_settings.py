"""The receiver does not start in a way that would let strangers in or secrets out."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from kit.settings import SettingsError, load_settings
from tests.kit.certificates import make_certificate
from webhook_receiver.settings import ReceiverSettings, load_verifiers, verifier_problems

_SECRETS = (
    "EVERSEND_WEBHOOK_SECRET",
    "FLUTTERWAVE_WEBHOOK_SECRET",
    "FLUTTERWAVE_V4_WEBHOOK_SECRET",
)
TOKEN = {"PAYMENTS_SERVICE_TOKEN": "receiver-token-for-tests"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*_SECRETS, *(field.upper() for field in ReceiverSettings.model_fields)):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def _problems(environment: pytest.MonkeyPatch, settings: Mapping[str, str]) -> list[str]:
    for name, value in {**TOKEN, **settings}.items():
        environment.setenv(name, value)
    try:
        load_settings(ReceiverSettings)
    except SettingsError as error:
        return error.problems
    return []


@pytest.mark.parametrize("environment_name", ["staging", "production"])
def test_outside_of_development_plain_http_does_not_start(
    environment: pytest.MonkeyPatch, environment_name: str
) -> None:
    (problem,) = _problems(environment, {"ENVIRONMENT": environment_name})
    assert "WEBHOOK_TLS_CERTIFICATE" in problem
    assert "WEBHOOK_TRUSTED_PROXIES" in problem


@pytest.mark.parametrize("environment_name", ["development", "test"])
def test_in_development_it_does(environment: pytest.MonkeyPatch, environment_name: str) -> None:
    assert _problems(environment, {"ENVIRONMENT": environment_name}) == []


def test_in_production_a_trusted_proxy_will_do(environment: pytest.MonkeyPatch) -> None:
    settings = {"ENVIRONMENT": "production", "WEBHOOK_TRUSTED_PROXIES": "10.0.0.0/24"}
    assert _problems(environment, settings) == []


def test_in_production_a_certificate_and_its_key_will_do(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate, key = make_certificate(tmp_path)
    files = {"WEBHOOK_TLS_CERTIFICATE": str(certificate), "WEBHOOK_TLS_KEY": str(key)}
    assert _problems(environment, {"ENVIRONMENT": "production", **files}) == []


@pytest.mark.parametrize(
    "settings",
    [
        {"WEBHOOK_TRUSTED_PROXIES": "0.0.0.0/0"},
        {"WEBHOOK_TRUSTED_PROXIES": "10.0.0.0/24,::/0"},
        {"WEBHOOK_TRUSTED_PROXIES": "10.0.0.1/24"},
        {"WEBHOOK_TRUSTED_PROXIES": "proxy.internal"},
        {"WEBHOOK_ALLOWED_NETWORKS": "10.0.0.0/24;10.0.1.0/24"},
        {"WEBHOOK_TLS_CERTIFICATE": "missing.pem"},
        {"WEBHOOK_TLS_KEY": "missing.pem"},
        {"WEBHOOK_TLS_CERTIFICATE": "missing.pem", "WEBHOOK_TLS_KEY": "missing.pem"},
        {"WEBHOOK_REQUEST_SECONDS": "10.1"},
        {"WEBHOOK_REQUEST_SECONDS": "0"},
        {"WEBHOOK_REQUEST_SECONDS": "nan"},
        {"MAX_BODY_BYTES": "65537"},
        {"WEBHOOK_MAX_CONNECTIONS": "0"},
        {"WEBHOOK_RATE_BURST": "0"},
        {"WEBHOOK_RATE_PER_SECOND": "0"},
        {"WEBHOOK_SPOOL_ROWS": "0"},
        {"WEBHOOK_SPOOL_BYTES": "1000"},
    ],
    ids=str,
)
def test_a_limit_that_is_none_and_a_proxy_that_is_everybody_are_refused(
    environment: pytest.MonkeyPatch, settings: Mapping[str, str]
) -> None:
    (problem,) = _problems(environment, settings)
    assert any(name in problem for name in settings)


@pytest.mark.parametrize("name", _SECRETS)
@pytest.mark.parametrize(
    "value",
    ["", " ", ",", " , ", "tiny", "changeme-changeme-changeme", "good-enough-secret-1,tiny"],
    ids=repr,
)
def test_an_empty_short_or_placeholder_secret_is_refused_without_being_shown(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)
    (problem,) = verifier_problems()

    assert problem.startswith(f"{name}: ")
    assert not value.strip(" ,") or value not in problem


def test_v3_s_secret_is_refused_as_v4_s_key(environment: pytest.MonkeyPatch) -> None:
    """v3 sends its secret along with every callback: whoever reads one could sign as v4."""
    environment.setenv("FLUTTERWAVE_WEBHOOK_SECRET", "first-sandbox-hash-1,second-sandbox-hash-2")
    environment.setenv(
        "FLUTTERWAVE_V4_WEBHOOK_SECRET", "third-sandbox-key-33,second-sandbox-hash-2"
    )
    (problem,) = verifier_problems()

    assert "FLUTTERWAVE_V4_WEBHOOK_SECRET must not be among" in problem
    assert "sandbox" not in problem


def test_an_unkeyed_signature_is_refused_where_nobody_asks_eversend(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("EVERSEND_WEBHOOK_SECRET", "eversend-sandbox-secret-1")
    environment.setenv("EVERSEND_WEBHOOK_SIGNATURE_MODE", "sha512-unkeyed")
    assert verifier_problems() == []
    environment.setenv("EVERSEND_WEBHOOK_REFETCH", "false")
    (problem,) = verifier_problems()

    assert "EVERSEND_WEBHOOK_REFETCH" in problem


@pytest.mark.parametrize("name", _SECRETS)
def test_one_secret_switches_its_gateway_on_and_no_other(
    environment: pytest.MonkeyPatch, name: str
) -> None:
    environment.setenv(name, "only-sandbox-secret-1")
    assert list(load_verifiers()) == [name.partition("_")[0].lower()]
