"""The settings of members' tokens: what contradicts itself or protects nothing does not start."""

import pytest

from kit.clock import SystemClock
from kit.settings import SettingsError, load_settings
from kit.tokens_issue import issue_token
from kit.user_token_settings import UserTokenSettings
from kit.user_tokens import UserTokens

SECRET = "a-shared-secret-of-32-characters"
NAMES = ("JWT_ALGORITHMS", "JWT_SECRET", "JWT_JWKS_URL", "JWT_ISSUER", "JWT_AUDIENCE")
URL = "https://id.example/auth/v1/.well-known/jwks.json"
PUBLISHED = {"JWT_ALGORITHMS": "ES256", "JWT_JWKS_URL": URL, "JWT_ISSUER": "https://id.example"}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, "ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)


def _load(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> UserTokenSettings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return load_settings(UserTokenSettings)


async def test_a_shared_secret_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = _load(monkeypatch, {"JWT_SECRET": SECRET}).user_tokens(SystemClock())

    assert await tokens.user_id(issue_token(SECRET, "m", SystemClock())) == "m"


@pytest.mark.parametrize(
    "values",
    [
        PUBLISHED,
        PUBLISHED | {"ENVIRONMENT": "production"},
        PUBLISHED | {"JWT_ALGORITHMS": "ES256, RS256,EdDSA"},
        PUBLISHED | {"JWT_ALGORITHMS": "ES256,HS256", "JWT_SECRET": SECRET},
        PUBLISHED | {"JWT_JWKS_URL": "http://127.0.0.1:1/keys"},
        {"JWT_SECRET": SECRET, "JWT_ISSUER": "https://id.example", "JWT_AUDIENCE": "creators"},
    ],
)
def test_sound_combinations_start(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    settings = _load(monkeypatch, values)

    assert isinstance(settings.user_tokens(SystemClock()), UserTokens)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({}, "JWT_SECRET"),
        ({"JWT_SECRET": "too-short-for-a-hash"}, "JWT_SECRET"),
        ({"JWT_SECRET": "changeme-changeme-changeme-changeme"}, "JWT_SECRET"),
        ({"JWT_SECRET": SECRET, "JWT_ALGORITHMS": "none"}, "JWT_ALGORITHMS"),
        ({"JWT_SECRET": SECRET, "JWT_ALGORITHMS": "HS512"}, "JWT_ALGORITHMS"),
        ({"JWT_SECRET": SECRET, "JWT_ALGORITHMS": ""}, "JWT_ALGORITHMS"),
        ({"JWT_SECRET": SECRET, "JWT_ALGORITHMS": "HS256,hs256"}, "JWT_ALGORITHMS"),
        ({"JWT_SECRET": SECRET, "JWT_AUDIENCE": ""}, "JWT_AUDIENCE"),
        ({"JWT_SECRET": SECRET, "JWT_JWKS_URL": URL}, "JWT_JWKS_URL"),
        (PUBLISHED | {"JWT_SECRET": SECRET}, "JWT_SECRET"),
        (PUBLISHED | {"JWT_ALGORITHMS": "ES256,HS256"}, "JWT_SECRET"),
        (PUBLISHED | {"JWT_JWKS_URL": ""}, "JWT_JWKS_URL"),
        (PUBLISHED | {"JWT_ISSUER": ""}, "JWT_ISSUER"),
        (PUBLISHED | {"JWT_JWKS_URL": "file:///etc/passwd"}, "JWT_JWKS_URL"),
        (PUBLISHED | {"JWT_JWKS_URL": "https://user:pass@id.example/"}, "JWT_JWKS_URL"),
        (PUBLISHED | {"JWT_JWKS_URL": "https://id.example:port/"}, "JWT_JWKS_URL"),
        (PUBLISHED | {"JWT_JWKS_URL": "https://id.example:0/"}, "JWT_JWKS_URL"),
        (PUBLISHED | {"JWT_JWKS_URL": "https://id.example/a\r\nb"}, "JWT_JWKS_URL"),
        (PUBLISHED | {"JWT_JWKS_URL": "https:///keys"}, "JWT_JWKS_URL"),
        (
            PUBLISHED | {"JWT_JWKS_URL": "http://id.example/", "ENVIRONMENT": "production"},
            "JWT_JWKS_URL",
        ),
    ],
)
def test_a_contradiction_names_the_setting_and_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], wrong: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        _load(monkeypatch, values)

    assert any(problem.startswith(f"{wrong}: ") for problem in refused.value.problems)
    assert SECRET not in str(refused.value)
