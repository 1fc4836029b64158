"""Sandboxes as processes of their own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def started(gateway: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start a sandbox with settings named without their prefix; kill it if the test leaves it."""
    prefix = f"{gateway.upper()}_SANDBOX_"
    environment = {
        **{name: value for name, value in os.environ.items() if "_SANDBOX_" not in name},
        **{f"{prefix}{name}": value for name, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"gateway_sandboxes.{gateway}",
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ready_line(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    async with asyncio.timeout(15):
        parsed: dict[str, Any] = json.loads(await process.stdout.readline())
    return parsed
