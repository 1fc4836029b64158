"""The adapter as a process: what it loads, how it starts, and how it ends."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway_adapters.registry import REGISTRY
from gateway_adapters.servicer import SERVICE_NAME
from kit.channel import ServiceChannel
from tests.adapters.cases import CASES
from tests.adapters.rig import TOKEN

ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 20
_HEAVY = ("aiohttp", "grpc", "httpx", "httpx_aiohttp", "google.protobuf", "protos")


@contextlib.asynccontextmanager
async def started(
    arguments: list[str], environment: Mapping[str, object]
) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = {name.upper(): str(value) for name, value in environment.items()}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "LOG_FORMAT": "json", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ended(process: asyncio.subprocess.Process) -> tuple[int, str]:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, (out + err).decode()


async def listening(process: asyncio.subprocess.Process) -> str:
    assert process.stderr
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while line := await process.stderr.readline():
            entry: dict[str, Any] = json.loads(line)
            if entry["event"] == "listening":
                return str(entry["listen_address"])
    raise AssertionError("the process ended before it listened")


def environment(name: str, listen: str = "127.0.0.1:0") -> dict[str, object]:
    return {
        "gateway_service_tokens": f"payments={TOKEN}",
        f"{name}_listen": listen,
        f"{name}_base_url": "http://127.0.0.1:9",
        **CASES[name].settings,
    }


@pytest.mark.parametrize("name", sorted(REGISTRY))
async def test_an_adapter_serves_until_it_is_told_to_stop(name: str) -> None:
    async with started(["-m", "gateway_adapters", name], environment(name)) as process:
        address = await listening(process)
        channel = ServiceChannel(address, TOKEN)
        assert await channel.serves(SERVICE_NAME)
        await channel.close()
        process.send_signal(signal.SIGTERM)
        code, _ = await ended(process)
    assert code == 0


async def test_a_taken_port_is_one_clear_line() -> None:
    async with started(["-m", "gateway_adapters", "eversend"], environment("eversend")) as first:
        taken = environment("flutterwave", await listening(first))
        async with started(["-m", "gateway_adapters", "flutterwave"], taken) as second:
            code, output = await ended(second)
    assert code == 1
    assert "the port is in use" in output
    assert "Traceback" not in output


async def test_missing_settings_are_all_listed() -> None:
    async with started(["-m", "gateway_adapters", "eversend"], {}) as process:
        code, output = await ended(process)
    assert code == 78
    for name in ("GATEWAY_SERVICE_TOKENS", "EVERSEND_CLIENT_ID", "EVERSEND_CLIENT_SECRET"):
        assert f"{name}: is required" in output


async def test_an_unknown_gateway_names_the_known_ones() -> None:
    async with started(["-m", "gateway_adapters", "paypal"], {}) as process:
        code, output = await ended(process)
    assert code == 2
    assert "eversend" in output
    assert "flutterwave" in output


async def test_the_registry_loads_no_http_client_and_no_grpc() -> None:
    """The webhook receiver imports it, and holds neither keys nor clients of the gateways."""
    program = (
        "import sys, gateway_adapters.registry, gateway_adapters.callbacks;"
        f"print([name for name in {_HEAVY!r} if name in sys.modules])"
    )
    async with started(["-c", program], {}) as process:
        code, output = await ended(process)
    assert (code, output.strip()) == (0, "[]")
