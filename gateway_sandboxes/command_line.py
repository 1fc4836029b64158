"""What `python -m gateway_sandboxes.<gateway>` does: start, say where, wait for a signal, stop."""

import asyncio
import signal
import sys
from collections.abc import Callable

from gateway_sandboxes.json_http import dump_json
from gateway_sandboxes.sandbox import Gateway, Sandbox
from gateway_sandboxes.server import PortInUseError
from gateway_sandboxes.settings import SettingError


def run(make_gateway: Callable[[], Gateway]) -> int:
    """Run the sandbox until SIGTERM or SIGINT, and return the exit code.

    Once both ports listen, one JSON line on standard output tells their addresses.
    """
    try:
        return asyncio.run(_serve(make_gateway()))
    except (PortInUseError, SettingError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


async def _serve(gateway: Gateway) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Sandbox(gateway) as sandbox:
        ready = {
            "ready": True,
            "gateway_url": sandbox.gateway_url,
            "control_url": sandbox.control_url,
        }
        sys.stdout.write(dump_json(ready).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()
    return 0
