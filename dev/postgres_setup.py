"""Sets a cluster up: initdb on first use, and its passwords."""

import asyncio
import os
import secrets
import shutil
from pathlib import Path

from dev.accounts import Account, account_for_postgres, process_options
from dev.checkout import Checkout
from dev.postgres import ENVIRONMENT, OWNER, Cluster
from dev.postgres_install import find_installation
from dev.postgres_predecessor import end_predecessor

_FIRST_WITH_BUILTIN_LOCALES = 17


class PostgresFailedError(Exception):
    """PostgreSQL could not be set up or started; the message holds what it said."""


async def stack_cluster(checkout: Checkout, port: int, database: str) -> Cluster:
    """Set up the cluster of a checkout's stack, on first use, and take over after a crash.

    `port`: where it will listen. `database`: the name of the one it has.
    Raises `PostgresFailedError`, `PredecessorStaysError`, `NoPostgresError`, `NoAccountError` or
    `ForeignFolderError`.
    """
    account = account_for_postgres()
    home = checkout.make_postgres_home(account)
    cluster = Cluster(
        installation=await find_installation(account, checkout.programs),
        account=account,
        home=home,
        port=port,
        durable=True,
        password=kept_password(home / "owner.password", account),
        app_password=kept_password(home / "application.password", account),
    )
    if cluster.data.exists():
        _require_same_version(cluster)
        await end_predecessor(cluster)
    else:
        await initialise(cluster, database)
    return cluster


def kept_password(path: Path, account: Account | None) -> str:
    """Return the password kept in `path`, generated on first use; only `account` may read it."""
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(f"local-{secrets.token_hex(16)}")
        if account:
            os.chown(unfinished, account.uid, account.gid)
        unfinished.rename(path)
    return path.read_text()


async def initialise(cluster: Cluster, database: str | None = None) -> None:
    """Run initdb and create `database`; the data directory gets its name when it is complete.

    Raises `PostgresFailedError`.
    """
    unfinished = cluster.home / "data.unfinished"
    if unfinished.exists():
        await asyncio.to_thread(shutil.rmtree, unfinished)
    modern = cluster.installation.major >= _FIRST_WITH_BUILTIN_LOCALES
    locale = (
        ("--locale-provider=builtin", "--builtin-locale=C.UTF-8") if modern else ("--locale=C",)
    )
    arguments = (
        f"--pgdata={unfinished}",
        f"--username={OWNER}",
        f"--pwfile={cluster.home / 'owner.password'}",
        "--encoding=UTF8",
        *locale,
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        *(() if cluster.durable else ("--no-sync",)),
    )
    await _run_program(cluster, "initdb", arguments)
    if database:
        # Single-user mode: one SQL statement a line, without a server.
        statement = f'CREATE DATABASE "{database}"\n'
        single_user = ("--single", "-D", str(unfinished), "postgres")
        await _run_program(cluster, "postgres", single_user, statement)
    unfinished.rename(cluster.data)


async def _run_program(
    cluster: Cluster, program: str, arguments: tuple[str, ...], text: str = ""
) -> None:
    process = await asyncio.create_subprocess_exec(
        cluster.installation.programs / program,
        *arguments,
        cwd="/",
        env=ENVIRONMENT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        **process_options(cluster.account),
    )
    output, _ = await process.communicate(text.encode())
    if process.returncode != 0:
        raise PostgresFailedError(f"{program} failed:\n{output.decode(errors='replace').strip()}")


def _require_same_version(cluster: Cluster) -> None:
    written_by = (cluster.data / "PG_VERSION").read_text().strip()
    if written_by != str(cluster.installation.major):
        raise PostgresFailedError(
            f"the data in {cluster.data} is PostgreSQL {written_by}'s and the programs are version "
            f"{cluster.installation.major}: `make clean-data` forgets the data"
        )
