"""`python -m services.bff`: how it starts and ends."""

import signal
import socket

import httpx

from tests.bff.conftest import SECRET
from tests.bff.scripted import TOKEN, ScriptedService, scripted_serving
from tests.kit.processes import started

SETTINGS = {
    "BFF_LISTEN": "127.0.0.1:0",
    "PAYMENTS_SERVICE_TOKEN": TOKEN,
    "JWT_SECRET": SECRET,
}


async def test_it_serves_until_sigterm() -> None:
    async with scripted_serving(ScriptedService()) as server:
        settings = {**SETTINGS, "PAYMENTS_ADDRESS": f"127.0.0.1:{server.port}"}
        async with started("services.bff", settings) as process:
            base_url = f"http://127.0.0.1:{await process.port()}"
            async with httpx.AsyncClient(base_url=base_url) as client:
                ready = await client.get("/readyz")
                tiers = await client.get("/api/tiers")
                line = await process.event("http", route="/api/tiers")
                process.process.send_signal(signal.SIGTERM)
                code = await process.end()

    assert ready.status_code == 200
    assert tiers.status_code == 200
    assert line["request_id"] == tiers.headers["x-request-id"]
    assert code == 0


async def test_it_refuses_to_start_with_bad_settings_and_lists_all_of_them() -> None:
    settings = {"BFF_LISTEN": "nowhere", "BFF_DEFAULT_CURRENCY": "XXX", "PAYMENTS_ADDRESS": ""}
    async with started("services.bff", settings) as process:
        code = await process.end()

    text = "".join(process.lines)
    assert code == 78
    for name in (*settings, "PAYMENTS_SERVICE_TOKEN", "JWT_SECRET"):
        assert f"- {name}: " in text


async def test_a_busy_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with started("services.bff", {**SETTINGS, "BFF_LISTEN": address}) as process:
            code = await process.end()

    assert code == 1
    assert process.lines[-1] == (
        f"bff cannot start: cannot listen on {address}: address already in use\n"
    )
