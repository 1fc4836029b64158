"""What a gateway registers: data that names its parts without importing the heavy ones."""

from collections.abc import Callable
from dataclasses import dataclass

from gateway_adapters.callbacks import CallbackVerifier
from gateway_adapters.settings import AdapterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One gateway.

    `name`: lower case, as payments and callback addresses spell it. `settings`: of its adapter
    process. `builder`: "module:function" taking the settings, a clock and ids and returning a
    `Gateway`; a name, so that only the adapter process imports an HTTP client. `callback_secrets`:
    the environment variables any of which switches its callbacks on. `load_verifier`: reads the
    callback settings from the environment and returns the verifier; raises
    `kit.settings.SettingsError`.
    """

    name: str
    settings: type[AdapterSettings]
    builder: str
    callback_secrets: tuple[str, ...]
    load_verifier: Callable[[], CallbackVerifier]
