"""Which operating-system account PostgreSQL runs under: it refuses to run as root."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_UNPRIVILEGED = "nobody"


class NoAccountError(Exception):
    """Root has no ordinary account to hand PostgreSQL to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An existing account that root drops to."""

    name: str
    uid: int
    gid: int

    def may_enter(self, folder: Path) -> bool:
        """Tell whether this account can reach `folder` and everything above it."""
        return all(self._may_pass(each) for each in (folder, *folder.parents))

    def _may_pass(self, folder: Path) -> bool:
        status = folder.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def process_options(account: Account | None) -> dict[str, Any]:
    """Return what `subprocess` needs to start a process under `account`; None changes nothing."""
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": ()}


def account_for_postgres() -> Account | None:
    """Return the account to drop to when this process is root, or None for an ordinary user.

    Raises `NoAccountError` when root has nobody to drop to.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(_UNPRIVILEGED)
    except KeyError as error:
        raise NoAccountError(
            f"PostgreSQL refuses to run as root and there is no account {_UNPRIVILEGED!r}: "
            "run as an ordinary user, or set DATABASE_URL and DATABASE_OWNER_URL"
        ) from error
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)
