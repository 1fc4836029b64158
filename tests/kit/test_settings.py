"""Bad settings refuse to start: every problem is named, no value is shown."""

import pytest
from pydantic_settings import SettingsConfigDict

from kit.settings import (
    Address,
    NamedSecret,
    Port,
    ProcessSettings,
    Seconds,
    SettingsError,
    StrongSecret,
    load_settings,
    parse_named_secrets,
    refuse_to_start,
)

GOOD = "abcdefghijklmnop"


class _Settings(ProcessSettings):
    listen: Address = "127.0.0.1:1"
    port: Port = 1
    wait: Seconds = 1.0
    names: tuple[str, ...] = ()
    api_token: StrongSecret


class _Prefixed(ProcessSettings):
    model_config = SettingsConfigDict(env_prefix="OUTER_")

    inner: int


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*_Settings.model_fields, "outer_inner"):
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


def test_settings_are_read_from_the_environment(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_TOKEN", GOOD)
    environment.setenv("LISTEN", "[::1]:8080")

    settings = load_settings(_Settings)

    assert settings.api_token.get_secret_value() == GOOD
    assert settings.listen == "[::1]:8080"
    assert settings.in_development


def test_all_problems_are_listed_and_no_value_is_shown(environment: pytest.MonkeyPatch) -> None:
    wrong = {
        "ENVIRONMENT": "private-1",
        "LOG_LEVEL": "private-2",
        "LISTEN": "private-3",
        "PORT": "private-4",
        "WAIT": "private-5",
        "API_TOKEN": "private-6",
    }
    for name, value in wrong.items():
        environment.setenv(name, value)

    with pytest.raises(SettingsError) as raised:
        load_settings(_Settings)

    assert [problem.partition(":")[0] for problem in raised.value.problems] == list(wrong)
    assert "private" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_a_missing_setting_is_named(environment: pytest.MonkeyPatch) -> None:
    del environment
    with pytest.raises(SettingsError, match=r"^API_TOKEN: is required$"):
        load_settings(_Settings)


def test_a_prefixed_setting_is_named_as_it_must_be_set(environment: pytest.MonkeyPatch) -> None:
    del environment
    with pytest.raises(SettingsError, match=r"^OUTER_INNER: is required$"):
        load_settings(_Prefixed)


def test_a_structured_value_that_is_not_json_is_a_problem_like_any_other(
    environment: pytest.MonkeyPatch,
) -> None:
    environment.setenv("NAMES", '["private')
    environment.setenv("API_TOKEN", GOOD)

    with pytest.raises(SettingsError, match="names") as raised:
        load_settings(_Settings)

    assert "private" not in str(raised.value)


@pytest.mark.parametrize("listen", ["", "8080", ":8080", "host:", "host:99999", "a b:1", "host:-1"])
def test_an_address_is_a_host_and_a_port(environment: pytest.MonkeyPatch, listen: str) -> None:
    environment.setenv("API_TOKEN", GOOD)
    environment.setenv("LISTEN", listen)

    with pytest.raises(SettingsError, match=r"^LISTEN: "):
        load_settings(_Settings)


@pytest.mark.parametrize("wait", ["0", "-1", "nan", "inf", "86401", "soon"])
def test_a_wait_is_bounded(environment: pytest.MonkeyPatch, wait: str) -> None:
    environment.setenv("API_TOKEN", GOOD)
    environment.setenv("WAIT", wait)

    with pytest.raises(SettingsError, match=r"^WAIT: "):
        load_settings(_Settings)


@pytest.mark.parametrize(
    "secret",
    ["", "tiny", GOOD[:-1], "changeme-changeme", "your-secret-goes-here", "t\u00f6ken-" * 4],
)
def test_a_secret_that_protects_nothing_is_refused(
    environment: pytest.MonkeyPatch, secret: str
) -> None:
    environment.setenv("API_TOKEN", secret)

    with pytest.raises(SettingsError, match=r"^API_TOKEN: ") as raised:
        load_settings(_Settings)

    assert not secret or secret not in str(raised.value)


def test_secrets_are_not_printed(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_TOKEN", GOOD)

    assert GOOD not in repr(load_settings(_Settings))
    assert GOOD not in repr(NamedSecret(name="bff", secret=GOOD))


@pytest.mark.parametrize(
    ("environment_name", "expected"),
    [("development", True), ("test", True), ("staging", False), ("production", False)],
)
def test_conveniences_are_for_development(
    environment: pytest.MonkeyPatch, environment_name: str, *, expected: bool
) -> None:
    environment.setenv("API_TOKEN", GOOD)
    environment.setenv("ENVIRONMENT", environment_name)

    assert load_settings(_Settings).in_development is expected


def test_refusing_to_start_prints_every_problem_and_leaves_with_ex_config(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as left:
        refuse_to_start("bff", SettingsError(["A: is required", "B: is not valid"]))

    assert left.value.code == 78
    printed = capsys.readouterr().err
    assert "bff cannot start, its settings have 2 problem(s):" in printed
    assert "  - A: is required\n  - B: is not valid\n" in printed


def test_named_secrets_are_pairs_separated_by_commas() -> None:
    parsed = parse_named_secrets(f" bff={GOOD} , receiver= {GOOD}=2,")

    assert [(each.name, each.secret) for each in parsed] == [
        ("bff", GOOD),
        ("receiver", f"{GOOD}=2"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "bff=",
        "bff=private",
        f"bff={GOOD},bff={GOOD}2",
        f"bff={GOOD},receiver={GOOD}",
        f"={GOOD}",
        "privateprivateprivate",
        "bff=changeme-private-changeme",
        "bff=private\u00e9private\u00e9private",
        "bff=private private private",
        "bff=" + " " * 20,
    ],
)
def test_named_secrets_that_protect_nothing_are_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as raised:
        parse_named_secrets(text)

    assert "private" not in str(raised.value)
    assert GOOD not in str(raised.value)
