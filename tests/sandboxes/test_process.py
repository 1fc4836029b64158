"""The sandboxes as processes: the ready line, the settings, the signals."""

import asyncio
import signal
import socket

import httpx
import pytest

from tests.sandboxes.processes import ready_line, started
from tests.sandboxes.rigs import eventually

GATEWAYS = ["flutterwave", "eversend"]


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_sandbox_says_where_it_listens_and_stops_on_a_signal(
    gateway: str, number: signal.Signals
) -> None:
    async with started(gateway, PORT="0", CONTROL_PORT="0") as process:
        ready = await ready_line(process)
        async with httpx.AsyncClient(trust_env=False) as client:
            health = await client.get(f"{ready['control_url']}/_sandbox/health")
            unknown = await client.get(f"{ready['gateway_url']}/nope")
            fault = {"fault": "delay", "seconds": 3600}
            await client.post(f"{ready['control_url']}/_sandbox/faults", json=fault)
            process.send_signal(number)
            async with asyncio.timeout(2):
                _, errors = await process.communicate()

    assert ready["ready"] is True
    assert health.json()["sandbox"] == gateway
    assert unknown.status_code == 404
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_busy_port_is_one_clear_line(gateway: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with started(gateway, PORT="0", CONTROL_PORT=str(port)) as process:
            async with asyncio.timeout(15):
                output, errors = await process.communicate()

    assert (process.returncode, output) == (1, b"")
    assert errors.decode() == f"port {port} on 127.0.0.1 is in use\n"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "many", "must be a number"),
        ("WEBHOOK_SHAPE", "round", "must be one of"),
        ("WEBHOOK_RETRY_SECONDS", "1,soon", "must be a number"),
    ],
)
async def test_a_setting_that_does_not_fit_is_named(name: str, value: str, said: str) -> None:
    async with started("eversend", **{name: value}) as process, asyncio.timeout(15):
        _, errors = await process.communicate()

    assert process.returncode == 1
    assert errors.decode().startswith(f"EVERSEND_SANDBOX_{name} {said}")
    assert errors.count(b"\n") == 1


async def test_a_request_under_way_does_not_hold_up_the_stop() -> None:
    async with started("eversend", PORT="0", CONTROL_PORT="0") as process:
        ready = await ready_line(process)
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            control = f"{ready['control_url']}/_sandbox/faults"
            await client.post(control, json={"fault": "delay", "seconds": 3600})
            asking = asyncio.create_task(client.get(f"{ready['gateway_url']}/v1/auth/token"))

            async def fired() -> bool:
                return bool((await client.get(control)).json()["faults"][0]["fired"])

            await eventually(fired)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(2):
                _, errors = await process.communicate()
            reply = await asking

    assert (process.returncode, errors) == (0, b"")
    assert reply.status_code == 401


async def test_environment_switches_behaviour_on() -> None:
    settings = {
        "PORT": "0",
        "CONTROL_PORT": "0",
        "CARD": "1",
        "LOOKUP_SHAPE": "object",
        "REQUIRE_ORIGIN": "true",
        "AUTO_APPROVE_SECONDS": "2.5",
        "WEBHOOK_RETRY_SECONDS": "1,2",
        "WEBHOOK_URL": "",
    }
    async with started("eversend", **settings) as process:
        ready = await ready_line(process)
        async with httpx.AsyncClient(trust_env=False) as client:
            config = (await client.get(f"{ready['control_url']}/_sandbox/config")).json()

    assert config["card"] is True
    assert config["lookup_shape"] == "object"
    assert config["require_origin"] is True
    assert config["auto_approve_seconds"] == 2.5
    assert config["webhook_retry_seconds"] == [1, 2]
    assert config["webhook_url"] is None
