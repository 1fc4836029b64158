"""The payments processes refuse to start on wrong settings, naming all of them and no value."""

import pytest

from kit.settings import SettingsError, load_settings
from services.payments.domain.payment import PaymentMethod
from services.payments.ports import DEFAULT_TIMING, Timing
from services.payments.settings import PaymentsSettings, ServerSettings, WorkerSettings

SOUND = {
    "DATABASE_URL": "postgresql://payments_service:hunter2-hunter2@127.0.0.1:5432/payments",
    "GATEWAYS": "eversend=127.0.0.1:50052,flutterwave=127.0.0.1:50053",
    "GATEWAY_TOKEN": "test-gateway-token-0001",
    "SERVICE_TOKENS": "bff=test-token-of-the-bff-01,operator=test-token-of-staff-01",
    "JWT_SECRET": "test-jwt-secret-0123456789abcdef",
    "DEFAULT_RETURN_URL": "http://127.0.0.1:8080/return",
}
WRONG = {
    "DATABASE_URL": "mysql://root:hunter2@127.0.0.1/payments",
    "DATABASE_POOL_SIZE": "0",
    "GATEWAYS": "eversend",
    "GATEWAY_TOKEN": "short-hunter2",
    "ROUTING": "cash=eversend",
    "CHARGE_TIMEOUT_SECONDS": "-1",
    "LOOK_UP_TIMEOUT_SECONDS": "NaN",
    "TAKEOVER_SECONDS": "86401",
    "QUIET_SECONDS": "soon",
    "OTP_SECONDS": "0",
    "SERVICE_TOKENS": "stranger=test-token-of-nobody-01",
    "JWT_SECRET": "changeme-changeme-changeme",
    "DEFAULT_RETURN_URL": "javascript:hunter2",
    "PAYMENTS_LISTEN": "50051",
    "ENVIRONMENT": "prod",
    "LOG_LEVEL": "loud",
}


def load(
    monkeypatch: pytest.MonkeyPatch, kind: type[PaymentsSettings], variables: dict[str, str]
) -> PaymentsSettings:
    """Load settings from an environment that has these variables and no other of ours."""
    for name in {*SOUND, *WRONG}:
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return load_settings(kind)


def problems(
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    kind: type[PaymentsSettings] = ServerSettings,
) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(monkeypatch, kind, SOUND | changes)
    return refused.value.problems


def test_sound_settings_start_a_server_and_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    server = load(monkeypatch, ServerSettings, SOUND)
    assert server.gateway_addresses() == {
        "eversend": "127.0.0.1:50052",
        "flutterwave": "127.0.0.1:50053",
    }
    assert server.preferences() == {
        PaymentMethod.CARD: ["eversend", "flutterwave"],
        PaymentMethod.MOBILE_MONEY: ["eversend", "flutterwave"],
        PaymentMethod.EXPRESS: ["flutterwave", "eversend"],
    }
    assert isinstance(load(monkeypatch, WorkerSettings, SOUND), WorkerSettings)


def test_everything_that_is_missing_is_listed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as refused:
        load(monkeypatch, ServerSettings, {})
    assert sorted(refused.value.problems) == sorted(f"{name}: is required" for name in SOUND)


def test_everything_that_is_wrong_is_listed_at_once_and_no_value_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = problems(monkeypatch, WRONG)
    assert sorted(line.split(":")[0] for line in listed) == sorted(WRONG)
    for value in WRONG.values():
        assert not any(value in line.split(":", 1)[1] for line in listed if len(value) > 5)
    assert "hunter2" not in " ".join(listed)


@pytest.mark.parametrize("takeover", ["20", "19.9"])
def test_a_take_over_may_not_begin_while_a_charge_may_still_be_sent(
    monkeypatch: pytest.MonkeyPatch, takeover: str
) -> None:
    for kind in (ServerSettings, WorkerSettings):
        assert problems(monkeypatch, {"TAKEOVER_SECONDS": takeover}, kind) == [
            "TAKEOVER_SECONDS: must be longer than CHARGE_TIMEOUT_SECONDS"
        ]


@pytest.mark.parametrize("kind", [ServerSettings, WorkerSettings])
@pytest.mark.parametrize(
    ("changes", "accepted"),
    [
        ({"QUIET_SECONDS": "360"}, True),  # 20 + 10 + 30 of ours, and 300 of the gateway's
        ({"QUIET_SECONDS": "359.9"}, False),
        ({"QUIET_SECONDS": "900"}, True),
        ({"TAKEOVER_SECONDS": "571"}, False),
        ({"TAKEOVER_SECONDS": "570"}, True),
        ({"LOOK_UP_TIMEOUT_SECONDS": "551"}, False),
        ({"CHARGE_TIMEOUT_SECONDS": "561", "TAKEOVER_SECONDS": "562"}, False),
    ],
)
def test_the_quiet_time_outlasts_every_deadline_and_the_gateways_own_work(
    monkeypatch: pytest.MonkeyPatch,
    kind: type[PaymentsSettings],
    changes: dict[str, str],
    accepted: bool,  # noqa: FBT001 - a column of the table
) -> None:
    if accepted:
        load(monkeypatch, kind, SOUND | changes)
    else:
        [problem] = problems(monkeypatch, changes, kind)
        assert problem.startswith("QUIET_SECONDS: must be at least the sum of the other deadlines")


def test_without_settings_times_are_those_of_the_operations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = load(monkeypatch, ServerSettings, SOUND)
    timing = Timing(
        charge=settings.charge_timeout_seconds,
        look_up=settings.look_up_timeout_seconds,
        takeover=settings.takeover_seconds,
        quiet=settings.quiet_seconds,
        otp=settings.otp_seconds,
    )
    assert timing == DEFAULT_TIMING


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_members_return_over_https_outside_development(
    monkeypatch: pytest.MonkeyPatch, environment: str
) -> None:
    assert problems(monkeypatch, {"ENVIRONMENT": environment}) == [
        "DEFAULT_RETURN_URL: must be https outside development"
    ]


def test_contradictions_are_listed_together_with_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = {"ENVIRONMENT": "production", "CHARGE_TIMEOUT_SECONDS": "40", "JWT_SECRET": "short"}
    listed = problems(monkeypatch, wrong)
    assert sorted(line.split(":")[0] for line in listed) == [
        "DEFAULT_RETURN_URL",
        "JWT_SECRET",
        "TAKEOVER_SECONDS",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEWAYS", ""),
        ("GATEWAYS", "eversend="),
        ("SERVICE_TOKENS", "bff"),
        ("SERVICE_TOKENS", "bff=test-token-of-the-bff-01,bff=test-token-of-the-bff-02"),
        ("SERVICE_TOKENS", "bff=one-token-for-two-names,operator=one-token-for-two-names"),
        ("DATABASE_POOL_SIZE", "101"),
        ("CHARGE_TIMEOUT_SECONDS", "inf"),
        ("QUIET_SECONDS", "86401"),
        ("QUIET_SECONDS", "nan"),
        ("OTP_SECONDS", "-900"),
        ("DEFAULT_RETURN_URL", "ftp://shop.example/"),
    ],
)
def test_one_wrong_setting_is_named_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    [problem] = problems(monkeypatch, {name: value})
    assert problem.startswith(f"{name}: ")


@pytest.mark.parametrize("kind", [ServerSettings, WorkerSettings])
def test_printed_settings_show_no_secret(
    monkeypatch: pytest.MonkeyPatch, kind: type[PaymentsSettings]
) -> None:
    printed = repr(load(monkeypatch, kind, SOUND))
    for secret in ("hunter2", "test-gateway-token", "test-token", "test-jwt-secret"):
        assert secret not in printed
