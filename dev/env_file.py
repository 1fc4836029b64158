"""Files of KEY=value lines that only their owner may read."""

import os
from collections.abc import Mapping
from pathlib import Path


def read_env(path: Path) -> dict[str, str]:
    """Return the pairs of a file; blank lines and lines that begin with # are left out."""
    lines = [line.strip() for line in path.read_text().splitlines()]
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name: value for name, _, value in pairs}


def write_env(path: Path, values: Mapping[str, str], title: str) -> None:
    """Replace a file at once, readable by its owner alone (mode 0600).

    `title`: a sentence for the file's first line.
    """
    lines = [f"# {title}", *(f"{name}={value}" for name, value in values.items())]
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write("\n".join(lines) + "\n")
    unfinished.replace(path)
