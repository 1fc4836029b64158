"""One stack a checkout: a lock that is held until its last process is gone."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLEANING_UP_SECONDS = 20.0
_LOOK_EVERY_SECONDS = 0.1


class StackRunningError(Exception):
    """Another stack of this checkout is running."""


@contextmanager
def stack_lock(path: Path) -> Iterator[int]:
    """Hold the lock while the context lasts; yields its file descriptor.

    The watchdog inherits the descriptor, so that the lock outlives a supervisor that is killed
    until everything it started has ended. Raises `StackRunningError`.
    """
    path.parent.mkdir(mode=0o755, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StackRunningError(_who_holds(path)) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield descriptor
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def wait_for_cleaning_up(path: Path) -> None:
    """Wait while the watchdog of a killed supervisor is still stopping what that one left."""
    give_up = time.monotonic() + _CLEANING_UP_SECONDS
    while is_locked(path) and not supervisor_is_alive(path) and time.monotonic() < give_up:
        time.sleep(_LOOK_EVERY_SECONDS)


def stop_stack(path: Path) -> bool:
    """Ask the running supervisor to stop and wait until it has; tell whether there was one."""
    if not is_locked(path) or not supervisor_is_alive(path):
        return False
    os.kill(_holder(path), signal.SIGTERM)
    while is_locked(path):
        time.sleep(_LOOK_EVERY_SECONDS)
    return True


def is_locked(path: Path) -> bool:
    """Tell whether a stack is running or being cleaned up."""
    if not path.exists():
        return False
    descriptor = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def supervisor_is_alive(path: Path) -> bool:
    """Tell whether the process that the lock names exists."""
    try:
        os.kill(_holder(path), 0)
    except (ProcessLookupError, ValueError):
        return False
    return True


def _holder(path: Path) -> int:
    return int(path.read_text())


def _who_holds(path: Path) -> str:
    holder = path.read_text().strip()
    return f"this checkout's stack is running already (process {holder}); `make stop` ends it"
