"""The secrets of the local stack: generated once, plainly marked as local, kept in `.run`."""

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path

from dev.env_file import read_env, write_env


def _token() -> str:
    return f"local-{secrets.token_hex(20)}"


def _flutterwave_key() -> str:
    return f"FLWSECK_TEST-{secrets.token_hex(16)}-X"


_GENERATORS: Mapping[str, Callable[[], str]] = {
    "BFF_TOKEN": _token,
    "WEBHOOK_RECEIVER_TOKEN": _token,
    "OPERATOR_TOKEN": _token,
    "PLATFORM_TOKEN": _token,
    "GATEWAY_TOKEN": _token,
    "JWT_SECRET": _token,
    "FLUTTERWAVE_SECRET_KEY": _flutterwave_key,
    "FLUTTERWAVE_WEBHOOK_SECRET": _token,
    "EVERSEND_CLIENT_ID": _token,
    "EVERSEND_CLIENT_SECRET": _token,
    "EVERSEND_WEBHOOK_SECRET": _token,
}


def load_local_secrets(path: Path) -> Mapping[str, str]:
    """Return every secret by name, from `path`; missing ones are generated and kept there."""
    path.parent.mkdir(mode=0o755, exist_ok=True)
    known = read_env(path) if path.exists() else {}
    wanted = {name: known.get(name) or generate() for name, generate in _GENERATORS.items()}
    if wanted != known:
        write_env(
            path, wanted, "Generated for this checkout's local stack. They open nothing else."
        )
    return wanted
