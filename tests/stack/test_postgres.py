"""The embedded PostgreSQL: set up by itself, crash-proof, and gone when it should be."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from dev.accounts import account_for_postgres
from dev.checkout import Checkout
from dev.ports import first_free_port
from dev.postgres import Cluster, connect
from dev.postgres_install import NoPostgresError, find_installation
from dev.postgres_setup import PostgresFailedError, stack_cluster
from dev.postgres_temporary import running, temporary_cluster
from dev.processes import RunningProcess
from dev.watchdog import Watchdog
from tests.stack.conditions import is_alive, until


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    """Give the test a checkout whose data is forgotten afterwards."""
    checkout = Checkout(run=tmp_path / "run")
    yield checkout
    checkout.forget_data()


async def cluster_of(checkout: Checkout) -> Cluster:
    """Set the checkout's cluster up, or take it over."""
    return await stack_cluster(checkout, first_free_port(29_000 + os.getpid() % 1000), "shop")


async def count(cluster: Cluster) -> int:
    """Return how many rows the test's table has."""
    connection = await connect(cluster.owner_url("shop"))
    try:
        counted: int = await connection.fetchval("SELECT count(*) FROM kept")
    finally:
        await connection.close()
    return counted


async def execute(cluster: Cluster, statement: str) -> None:
    """Run a statement as the owner."""
    connection = await connect(cluster.owner_url("shop"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_a_temporary_cluster_speaks_utf8_and_leaves_nothing() -> None:
    async with temporary_cluster() as cluster:
        connection = await connect(cluster.owner_url("postgres"))
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
        assert await connection.fetchval("SELECT upper('kiswahili é')") == "KISWAHILI É"
        await connection.close()
        pid = int((cluster.data / "postmaster.pid").read_text().splitlines()[0])
    assert not is_alive(pid)
    assert not cluster.home.exists()


async def test_it_never_runs_as_root_and_keeps_its_folder_to_itself(
    checkout: Checkout,
) -> None:
    cluster = await cluster_of(checkout)
    assert cluster.data.stat().st_uid != 0
    assert cluster.data.stat().st_mode & 0o077 == 0
    assert (cluster.home / "owner.password").stat().st_mode & 0o077 == 0


async def test_a_connection_needs_the_password() -> None:
    async with temporary_cluster() as cluster:
        wrong = cluster.owner_url("postgres").replace(cluster.password, "guessed")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await connect(wrong)


async def test_a_commit_survives_the_death_of_the_server(checkout: Checkout) -> None:
    cluster = await cluster_of(checkout)
    async with running(cluster) as server:
        await execute(cluster, "CREATE TABLE kept AS SELECT generate_series(1, 100)")
        server.send(signal.SIGKILL)
        await until(lambda: server.has_ended)
    again = await cluster_of(checkout)
    async with running(again):
        assert await count(again) == 100


async def test_a_stale_pid_file_that_names_a_stranger_does_not_prevent_a_start(
    checkout: Checkout,
) -> None:
    cluster = await cluster_of(checkout)
    async with running(cluster):
        pid_file = cluster.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
    # As after a crash, when the number has been given to another process since: to this one.
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    async with running(await cluster_of(checkout)):
        pass


async def test_a_server_that_was_left_running_is_taken_over(checkout: Checkout) -> None:
    cluster = await cluster_of(checkout)
    watchdog = Watchdog()
    await watchdog.start()
    orphan, ended = await RunningProcess.start(cluster.command(), watchdog, print)
    await until((cluster.data / "postmaster.pid").exists)
    again = await cluster_of(checkout)
    await ended
    assert orphan.has_ended
    await watchdog.close()
    async with running(again):
        pass


async def test_data_of_another_version_is_refused_with_the_way_out(checkout: Checkout) -> None:
    cluster = await cluster_of(checkout)
    (cluster.data / "PG_VERSION").write_text("11\n")
    with pytest.raises(PostgresFailedError, match=r"PostgreSQL 11's .* `make clean-data`"):
        await cluster_of(checkout)


async def test_pg_bin_is_an_order_and_a_missing_program_is_explained(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PG_BIN", str(tmp_path / "nowhere"))
    with pytest.raises(NoPostgresError, match=r"nowhere.*PG_BIN"):
        await find_installation(account_for_postgres(), tmp_path)
