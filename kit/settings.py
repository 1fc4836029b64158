"""Settings from the environment: wrong ones refuse to start, with all problems listed at once."""

import re
import sys
from typing import Annotated, NoReturn, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
)
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSettingError

_MIN_SECRET_LENGTH = 16
_CARRIED_IN_A_HEADER = re.compile(r"[\x21-\x7e]+", re.ASCII)
_ADDRESS = re.compile(r"\S+:([0-9]{1,5})", re.ASCII)
_HIGHEST_PORT = 65_535
_PLACEHOLDERS = ("changeme", "change-me", "placeholder", "your-", "example", "xxxx", "todo")
# sysexits.h: EX_CONFIG.
EXIT_BAD_CONFIGURATION = 78

Port = Annotated[int, Field(ge=0, le=_HIGHEST_PORT)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _address(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None or int(match.group(1)) > _HIGHEST_PORT:
        raise ValueError('must be "host:port"')
    return value


# "host:port" to listen on or to connect to.
Address = Annotated[str, AfterValidator(_address)]

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class SettingsError(Exception):
    """The environment does not describe a process that may start.

    `problems`: one line each, naming the variable and never its value.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class ProcessSettings(BaseSettings):
    """What every process has. Names in upper case are the environment variables."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    environment: Annotated[str, Field(pattern="^(development|test|staging|production)$")] = (
        "development"
    )
    log_level: Annotated[str, Field(pattern="^(DEBUG|INFO|WARNING|ERROR)$")] = "INFO"
    log_format: Annotated[str, Field(pattern="^(auto|pretty|json)$")] = "auto"
    shutdown_seconds: Seconds = 10.0

    @property
    def in_development(self) -> bool:
        """Whether conveniences for developers (reflection, plain HTTP) are allowed."""
        return self.environment in ("development", "test")


class NamedSecret(BaseModel):
    """A secret with the name of its holder. Never printed."""

    name: str
    secret: Annotated[str, Field(repr=False)]


def load_settings(kind: type[SettingsT], **overrides: object) -> SettingsT:
    """Read the settings of a process from the environment.

    Raises `SettingsError` with every problem when something is missing, malformed or contradictory.
    """
    try:
        return kind(**overrides)  # type: ignore[arg-type]  # tests pass fields by name
    except ValidationError as error:
        prefix = kind.model_config.get("env_prefix", "")
        raise SettingsError([_problem(each, prefix) for each in error.errors()]) from None
    except UnreadableSettingError as error:
        # A structured value that is not JSON; the message names the field and not the value.
        raise SettingsError([str(error)]) from None


def refuse_to_start(service: str, error: SettingsError) -> NoReturn:
    """Print every problem on standard error and leave with the exit code for bad configuration."""
    lines = [f"{service} cannot start, its settings have {len(error.problems)} problem(s):"]
    lines += [f"  - {problem}" for problem in error.problems]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.exit(EXIT_BAD_CONFIGURATION)


def parse_named_secrets(text: str) -> list[NamedSecret]:
    """Parse "name=secret" pairs separated by commas, as in SERVICE_TOKENS.

    Raises `ValueError` naming what is wrong: an empty, short or placeholder secret, one that no
    header can carry, a repeated name or secret.
    """
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    secrets = [NamedSecret(name=name.strip(), secret=secret.strip()) for name, _, secret in pairs]
    if not all(each.name and each.secret for each in secrets):
        raise ValueError('must be "name=secret" pairs separated by commas')
    if not all(_CARRIED_IN_A_HEADER.fullmatch(each.secret) for each in secrets):
        raise ValueError("a secret has characters that a header cannot carry")
    if len({each.name for each in secrets}) != len(secrets):
        raise ValueError("a name appears twice")
    if len({each.secret for each in secrets}) != len(secrets):
        raise ValueError("two names share one secret")
    for each in secrets:
        require_strong_secret(each.secret, each.name)
    return secrets


def require_strong_secret(secret: str, name: str) -> str:
    """Return `secret` when it can protect something.

    Raises `ValueError` when it is empty, shorter than 16 characters, or a placeholder.
    """
    if len(secret) < _MIN_SECRET_LENGTH:
        raise ValueError(f"the secret of {name!r} is shorter than {_MIN_SECRET_LENGTH} characters")
    if any(placeholder in secret.lower() for placeholder in _PLACEHOLDERS):
        raise ValueError(f"the secret of {name!r} is a placeholder")
    return secret


def _strong(secret: SecretStr, info: ValidationInfo) -> SecretStr:
    value = require_strong_secret(secret.get_secret_value(), (info.field_name or "secret").upper())
    if not _CARRIED_IN_A_HEADER.fullmatch(value):
        raise ValueError("has characters that a header cannot carry")
    return secret


# A token that must be able to protect something and to travel in a header. Never printed.
StrongSecret = Annotated[SecretStr, AfterValidator(_strong)]


def _problem(error: object, prefix: str) -> str:
    details = error if isinstance(error, dict) else {}
    name = ".".join(str(part) for part in details.get("loc", ()))
    location = prefix + name if name else "settings"
    message = str(details.get("msg", "is not valid")).removeprefix("Value error, ")
    if details.get("type") == "missing":
        message = "is required"
    return f"{location.upper()}: {message}"
