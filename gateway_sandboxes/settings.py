"""Settings as frozen dataclasses: read from the environment, changed at run time, one converter."""

import dataclasses
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

S = TypeVar("S")

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class SettingError(Exception):
    """A setting is unknown or has a value that its type does not allow."""


def read_settings(kind: type[S], prefix: str, environ: Mapping[str, str]) -> S:
    """Build the dataclass `kind` from variables named `<prefix><FIELD>`; absent ones keep defaults.

    Fields that are dataclasses themselves share the prefix. An empty variable counts as absent.

    Raises:
        SettingError: a variable's value does not fit its field.

    """
    values: dict[str, Any] = {}
    for name, hint in get_type_hints(kind).items():
        variable = f"{prefix}{name.upper()}"
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            values[name] = read_settings(hint, prefix, environ)
        elif environ.get(variable, ""):
            values[name] = _convert(hint, environ[variable], variable)
    return kind(**values)


class Switchable(Generic[S]):
    """Settings that the control API may change while the sandbox runs."""

    def __init__(self, initial: S) -> None:
        self._initial = initial
        self.current = initial

    def switch(self, changes: Mapping[str, object]) -> None:
        """Change some fields, all or none.

        Raises:
            SettingError: a field is unknown or its value does not fit.

        """
        hints = get_type_hints(type(self.current))
        if unknown := sorted(changes.keys() - hints.keys()):
            raise SettingError(f"unknown setting {unknown[0]!r}; known: {', '.join(sorted(hints))}")
        values: dict[str, Any] = {
            name: _convert(hints[name], value, name) for name, value in changes.items()
        }
        self.current = _replace(self.current, values)

    def restore(self) -> None:
        """Return to the settings the sandbox was started with."""
        self.current = self._initial

    def as_mapping(self) -> dict[str, object]:
        """Return every field by name."""
        hints = get_type_hints(type(self.current))
        return {name: getattr(self.current, name) for name in hints}


def _replace(settings: S, values: dict[str, Any]) -> S:
    changed: S = dataclasses.replace(settings, **values)  # type: ignore[type-var]
    return changed


def _convert(hint: Any, value: object, name: str) -> Any:
    """Convert a variable's text or a JSON value to the type that `hint` names."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        hint = next(part for part in arguments if part is not types.NoneType)
        return _convert(hint, value, name)
    if origin is Literal:
        return _choose(arguments, value, name)
    if origin is tuple:
        items = value if isinstance(value, list | tuple) else str(value).split(",")
        return tuple(_convert(arguments[0], item, name) for item in items if item != "")
    if value is None:
        raise SettingError(f"{name} cannot be null")
    return _convert_scalar(hint, str(value).strip(), name)


def _convert_scalar(hint: Any, text: str, name: str) -> Any:
    if hint is bool:
        if text.lower() in _TRUE | _FALSE:
            return text.lower() in _TRUE
        raise SettingError(f"{name} must be one of 1, 0, true, false, yes, no, on, off")
    if hint in (int, float):
        return _number(hint, text, name)
    return Path(text) if hint is Path else text


def _number(hint: type[int] | type[float], text: str, name: str) -> float:
    try:
        number = hint(text)
    except ValueError as error:
        raise SettingError(f"{name} must be a number") from error
    if not 0 <= number < float("inf"):
        raise SettingError(f"{name} must be zero or more")
    return number


def _choose(choices: tuple[Any, ...], value: object, name: str) -> Any:
    if value not in choices:
        raise SettingError(f"{name} must be one of {', '.join(map(str, choices))}")
    return value
