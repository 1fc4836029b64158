"""`make run` brings the whole product up, keeps it up, and leaves nothing behind."""

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from dev.checkout import Checkout
from dev.env_file import read_env
from kit import healthcheck
from kit.channel import ServiceChannel
from protos.payments.v1.payments_service_pb2 import ListPaymentsRequest
from protos.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub
from tests.stack.conditions import is_alive, until
from tests.stack.launched_stack import LaunchedStack, dev, free_offset, launched

PROCESSES = {
    "bff",
    "eversend-adapter",
    "eversend-sandbox",
    "flutterwave-adapter",
    "flutterwave-sandbox",
    "payments-server",
    "payments-worker",
    "postgres",
    "webhook-receiver",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder for the stack's data, which is forgotten afterwards."""
    folder = tmp_path_factory.mktemp("stack")
    yield folder
    Checkout(run=folder).forget_data()


@pytest.fixture(scope="module")
async def stack(folder: Path) -> AsyncIterator[LaunchedStack]:
    """Run the stack for the tests of this module."""
    async with launched(folder, free_offset()) as stack:
        yield stack


async def payments_in(stack: LaunchedStack) -> int:
    """Return how many payments the stack knows."""
    environment = read_env(stack.checkout.environment)
    channel = ServiceChannel(environment["PAYMENTS_ADDRESS"], environment["SERVICE_TOKEN"])
    try:
        list_payments = PaymentsServiceStub(channel.channel).ListPayments
        answer = await channel.call(list_payments, ListPaymentsRequest(), timeout=10)
    finally:
        await channel.close()
    return len(answer.payments)


async def test_every_process_runs_and_says_where(stack: LaunchedStack) -> None:
    assert stack.pids().keys() == PROCESSES
    for name in PROCESSES:
        assert name in stack.seen()


async def test_the_environment_file_tells_how_to_reach_everything(stack: LaunchedStack) -> None:
    assert read_env(stack.checkout.environment).keys() == {
        "PAYMENTS_ADDRESS",
        "SERVICE_TOKEN",
        "DATABASE_URL",
        "GATEWAYS",
        "GATEWAY_TOKEN",
        "BFF_URL",
        "WEBHOOK_URL",
        "FLUTTERWAVE_SANDBOX_URL",
        "FLUTTERWAVE_SANDBOX_CONTROL_URL",
        "FLUTTERWAVE_WEBHOOK_SECRET",
        "EVERSEND_SANDBOX_URL",
        "EVERSEND_SANDBOX_CONTROL_URL",
        "EVERSEND_WEBHOOK_SECRET",
    }


async def test_secrets_are_for_their_owner_alone(stack: LaunchedStack) -> None:
    for path in (stack.checkout.environment, stack.checkout.secrets):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for secret in read_env(stack.checkout.secrets).values():
        assert secret not in stack.seen()


async def test_the_health_check_of_containers_tells_well_from_away(stack: LaunchedStack) -> None:
    environment = read_env(stack.checkout.environment)
    targets = {"grpc": environment["PAYMENTS_ADDRESS"], "http": f"{environment['BFF_URL']}/healthz"}
    for kind, target in targets.items():
        assert await asyncio.to_thread(healthcheck.main, [kind, target]) == 0
        away = target.replace("127.0.0.1", "127.0.0.9")
        assert await asyncio.to_thread(healthcheck.main, [kind, away]) == 1
    assert healthcheck.main(["grpc"]) == 64


async def test_the_demonstration_completes_three_payments(stack: LaunchedStack) -> None:
    code, output = await dev(stack.checkout.run, "demo")
    assert code == 0, output
    assert output.count("COMPLETED") == 3
    assert output.count(" is pro until ") == 3


async def test_a_second_stack_of_the_same_checkout_is_refused(stack: LaunchedStack) -> None:
    code, output = await dev(stack.checkout.run, "run", "--port-offset", str(stack.offset))
    assert code == 1
    assert output.startswith(
        f"this checkout's stack is running already (process {stack.supervisor.pid})"
    )


async def test_data_in_use_is_not_forgotten(stack: LaunchedStack) -> None:
    code, output = await dev(stack.checkout.run, "clean-data")
    assert code == 1
    assert "running already" in output


async def test_a_taken_port_is_named_with_who_wants_it(
    stack: LaunchedStack, tmp_path: Path
) -> None:
    code, output = await dev(tmp_path, "run", "--port-offset", str(stack.offset))
    assert code == 1
    assert f"port {8080 + stack.offset}, wanted by bff, is taken by another program" in output
    assert f"port {9301 + stack.offset}, wanted by flutterwave sandbox control, is" in output
    assert "make run PORT_OFFSET=100" in output


async def test_every_process_comes_back_after_being_killed(stack: LaunchedStack) -> None:
    before = stack.pids()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    await until(lambda: stack.seen().count("is back") == len(PROCESSES), seconds=60)
    assert not set(before.values()) & set(stack.pids().values())
    code, output = await dev(stack.checkout.run, "demo")
    assert code == 0, output


async def test_nothing_is_left_after_a_stop_nor_after_a_kill_and_the_data_stay(
    tmp_path: Path,
) -> None:
    offset = free_offset()
    async with launched(tmp_path, offset) as stack:
        pids, secrets = stack.pids(), read_env(stack.checkout.secrets)
        await dev(tmp_path, "demo")
        assert await dev(tmp_path, "stop") == (0, "stopped\n")
        assert await stack.supervisor.wait() == 0
        assert not any(is_alive(pid) for pid in pids.values())
        assert stack.ports_are_free()
        assert stack.pids() == {}
    async with launched(tmp_path, offset) as stack:
        assert read_env(stack.checkout.secrets) == secrets
        assert await payments_in(stack) == 3
        pids = stack.pids()
        stack.supervisor.kill()
        await until(lambda: not any(is_alive(pid) for pid in pids.values()), seconds=30)
        assert stack.ports_are_free()
    # The lock is free again, and with it the data.
    code, output = await dev(tmp_path, "clean-data")
    assert code == 0, output
