"""Where a checkout keeps what running it produces: `.run`, and sometimes a folder outside."""

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from dev.accounts import Account

ROOT = Path(__file__).resolve().parent.parent
# Survives a restart of the machine, and every account may enter it.
_OUTSIDE = Path("/var/tmp")  # noqa: S108 - our folder in it is checked to be ours before use


class ForeignFolderError(Exception):
    """A folder that should be ours belongs to somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """The paths of one checkout.

    `root`: the repository. `run`: the folder of everything that running produces; never committed.
    """

    root: Path = ROOT
    run: Path = ROOT / ".run"

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.run / "logs"

    @property
    def pids(self) -> Path:
        """One file a running process, with its process id."""
        return self.run / "pids"

    @property
    def sandboxes(self) -> Path:
        """What the gateway sandboxes remember."""
        return self.run / "sandboxes"

    @property
    def spool(self) -> Path:
        """Callbacks that the payments server could not take yet."""
        return self.run / "spool"

    @property
    def postgres(self) -> Path:
        """The database: a folder, or a link to `outside`."""
        return self.run / "postgres"

    @property
    def secrets(self) -> Path:
        """The generated secrets."""
        return self.run / "secrets.env"

    @property
    def environment(self) -> Path:
        """How to reach the running stack, for scripts and tests from outside."""
        return self.run / "env"

    @property
    def lock(self) -> Path:
        """Held while a stack of this checkout runs."""
        return self.run / "lock"

    @property
    def outside(self) -> Path:
        """A folder for the database where its account may not enter `run`."""
        return _OUTSIDE / f"creator-payments-{_digest(self.run)}"

    @property
    def programs(self) -> Path:
        """A folder for copied programs where an account may not enter the virtual environment."""
        return _OUTSIDE / f"creator-payments-programs-{_digest(self.root)}"

    def make_postgres_home(self, account: Account | None) -> Path:
        """Return the real folder of the database, created for `account`.

        Without an account, and when the account may enter the checkout, it lies in `.run`.
        Otherwise `.run` holds a link to it. Raises `ForeignFolderError`.
        """
        self.run.mkdir(mode=0o755, exist_ok=True)
        if account is None or (not self.postgres.is_symlink() and account.may_enter(self.run)):
            return make_private_folder(self.postgres, account)
        home = make_private_folder(self.outside, account)
        if not self.postgres.is_symlink():
            self.postgres.symlink_to(home)
        return home

    def forget_data(self) -> None:
        """Remove the database, and what sandboxes and receiver keep. Nothing may be running."""
        if self.postgres.is_symlink():
            self.postgres.unlink()
        for folder in (self.postgres, self.outside, self.sandboxes, self.spool):
            if folder.exists():
                shutil.rmtree(folder)

    def forget_programs(self) -> None:
        """Remove copied programs. No database of this checkout may be running."""
        if self.programs.exists():
            shutil.rmtree(self.programs)


def _digest(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[:12]


def make_private_folder(path: Path, account: Account | None) -> Path:
    """Create a folder that only `account` (or the present user) may enter, and return it.

    Raises `ForeignFolderError` when something that is not that account's folder is there.
    """
    owner = account.uid if account else os.geteuid()
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        status = path.lstat()
        if not path.is_dir() or path.is_symlink() or status.st_uid != owner:
            raise ForeignFolderError(f"{path} is not a folder of the expected owner") from None
    else:
        if account:
            os.chown(path, account.uid, account.gid)
    return path
