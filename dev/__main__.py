"""`python -m dev <command>`: what the Makefile calls."""

import argparse
import asyncio
import sys
from pathlib import Path

from dev.accounts import NoAccountError
from dev.checkout import Checkout, ForeignFolderError
from dev.demo import DemoFailedError, NotRunningError, demonstrate
from dev.local_secrets import load_local_secrets
from dev.postgres_install import NoPostgresError
from dev.postgres_predecessor import PredecessorStaysError
from dev.postgres_setup import PostgresFailedError
from dev.run import CannotRunError, RunOptions, run
from dev.stack_lock import StackRunningError, stack_lock, stop_stack, wait_for_cleaning_up
from dev.supervisor import ServiceFailedError
from kit.clock import SystemClock
from kit.tokens_issue import issue_token

# As a shell reports a program that Ctrl-C ended.
_EXIT_INTERRUPTED = 130
# What people can do something about: told in plain words, without a stack trace.
_EXPECTED = (
    CannotRunError,
    DemoFailedError,
    ForeignFolderError,
    NoAccountError,
    NoPostgresError,
    NotRunningError,
    PermissionError,
    PostgresFailedError,
    PredecessorStaysError,
    ServiceFailedError,
    StackRunningError,
)


def main() -> int:
    """Do what the arguments say. Returns the process's exit code."""
    parser = argparse.ArgumentParser(prog="python -m dev", description=__doc__)
    parser.add_argument(
        "--folder", type=Path, default=Checkout().run, help="where data and logs go (default: .run)"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    starting = commands.add_parser("run", help="run the whole stack until Ctrl-C")
    starting.add_argument("--port-offset", type=int, default=0, help="move every port by this much")
    starting.add_argument("--verbose", action="store_true", help="show every log line")
    commands.add_parser("demo", help="make three payments against the running stack")
    commands.add_parser("stop", help="stop the running stack")
    commands.add_parser("clean-data", help="forget the database and the sandboxes' memory")
    commands.add_parser("clean-programs", help="remove copied PostgreSQL programs")
    token = commands.add_parser("token", help="print a member's token")
    token.add_argument("user", help="the member's id")
    arguments = parser.parse_args()
    try:
        return _dispatch(arguments, Checkout(run=arguments.folder.resolve()))
    except _EXPECTED as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED


def _dispatch(arguments: argparse.Namespace, checkout: Checkout) -> int:
    match arguments.command:
        case "run":
            options = RunOptions(port_offset=arguments.port_offset, verbose=arguments.verbose)
            wait_for_cleaning_up(checkout.lock)
            asyncio.run(run(options, checkout))
        case "demo":
            asyncio.run(demonstrate(checkout))
        case "stop":
            was_running = stop_stack(checkout.lock)
            print("stopped" if was_running else "nothing is running")
        case "clean-data":
            wait_for_cleaning_up(checkout.lock)
            with stack_lock(checkout.lock):
                checkout.forget_data()
            print("the database and the sandboxes' memory are gone")
        case "clean-programs":
            checkout.forget_programs()
        case "token":
            secret = load_local_secrets(checkout.secrets)["JWT_SECRET"]
            print(issue_token(secret, arguments.user, SystemClock()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
