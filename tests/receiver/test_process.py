"""`python -m webhook_receiver`: how it starts, what it logs, how it ends."""

import asyncio
import signal
import socket

import httpx

from tests.kit.processes import started
from tests.kit.raw_http import connection
from tests.kit.serving import grpc_serving
from tests.receiver.conftest import TOKEN, payments_setup
from tests.receiver.deliveries import (
    BODIES,
    EVERSEND_SECRET,
    FLUTTERWAVE_SECRET,
    REFERENCE,
    signed,
)
from tests.receiver.scripted_payments import ScriptedPayments

SETTINGS = {
    "WEBHOOK_LISTEN": "127.0.0.1:0",
    "PAYMENTS_ADDRESS": "127.0.0.1:1",
    "PAYMENTS_SERVICE_TOKEN": TOKEN,
    "FLUTTERWAVE_WEBHOOK_SECRET": FLUTTERWAVE_SECRET,
    "EVERSEND_WEBHOOK_SECRET": EVERSEND_SECRET,
}


async def test_it_refuses_to_start_without_settings_and_lists_what_is_missing() -> None:
    async with started("webhook_receiver", {}) as process:
        code = await process.end()

    text = "".join(process.lines)
    assert code == 78
    assert "PAYMENTS_SERVICE_TOKEN: is required" in text
    secrets = (
        "EVERSEND_WEBHOOK_SECRET or FLUTTERWAVE_WEBHOOK_SECRET or FLUTTERWAVE_V4_WEBHOOK_SECRET"
    )
    assert f"{secrets}: at least one is required" in text


async def test_it_refuses_to_start_with_weak_settings_and_shows_no_value() -> None:
    settings = {
        "PAYMENTS_SERVICE_TOKEN": "short-private",
        "FLUTTERWAVE_WEBHOOK_SECRET": "tiny-private",
        "EVERSEND_WEBHOOK_SECRET": "changeme-changeme-private",
        "WEBHOOK_LISTEN": "no port private",
        "MAX_BODY_BYTES": "65537",
    }
    async with started("webhook_receiver", settings) as process:
        code = await process.end()

    text = "".join(process.lines)
    assert code == 78
    for name in settings:
        assert f"- {name}: " in text
    assert "private" not in text
    assert "Traceback" not in text


async def test_a_busy_port_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with started("webhook_receiver", {**SETTINGS, "WEBHOOK_LISTEN": address}) as process:
            code = await process.end()

    assert code == 1
    assert process.lines[-1] == (
        f"webhook-receiver cannot start: cannot listen on {address}: address already in use\n"
    )
    assert "Traceback" not in "".join(process.lines)


async def test_every_delivery_is_one_log_line_without_secrets_and_personal_data() -> None:
    scripted = ScriptedPayments()
    async with grpc_serving(payments_setup(scripted)) as server:
        settings = {**SETTINGS, "PAYMENTS_ADDRESS": f"127.0.0.1:{server.port}"}
        async with started("webhook_receiver", settings) as process:
            url = f"http://127.0.0.1:{await process.port()}/webhooks/flutterwave"
            body = BODIES["flutterwave"]
            async with httpx.AsyncClient() as client:
                taken = await client.post(url, content=body, headers=signed("flutterwave"))
                refused = await client.post(url, content=body, headers={"verif-hash": "private-1"})
            recorded_line = await process.event("http", outcome="recorded")
            refused_line = await process.event("http", outcome="refused")
            process.process.send_signal(signal.SIGTERM)
            figures = (await process.event("deliveries"))["figures"]
            code = await process.end()

    assert code == 0
    assert {(each["gateway"], each["result"], each["count"]) for each in figures} == {
        ("flutterwave", "recorded", 1),
        ("flutterwave", "refused", 1),
    }
    assert recorded_line["request_id"] == taken.headers["x-request-id"]
    assert recorded_line["gateway"] == "flutterwave"
    assert recorded_line["event_type"] == "charge.completed"
    assert recorded_line["reference"] == REFERENCE
    assert recorded_line["bytes"] == len(body)
    assert recorded_line["status"] == 200
    assert recorded_line["duration_ms"] >= 0
    assert refused_line["request_id"] == refused.headers["x-request-id"]
    assert refused_line["status"] == 401
    text = "".join(process.lines)
    assert text.count('"event":"http"') == 2
    for private in (FLUTTERWAVE_SECRET, TOKEN, "member@example.com", "256772123456", "private-1"):
        assert private not in text


async def test_it_ends_soon_after_sigterm_whatever_hangs_on_it() -> None:
    scripted = ScriptedPayments()
    scripted.may_answer.clear()
    async with grpc_serving(payments_setup(scripted)) as server:
        settings = {
            **SETTINGS,
            "PAYMENTS_ADDRESS": f"127.0.0.1:{server.port}",
            "PAYMENTS_TIMEOUT_SECONDS": "60",
            "SHUTDOWN_SECONDS": "1",
        }
        async with started("webhook_receiver", settings) as process:
            port = await process.port()
            async with (
                connection(port),
                connection(port) as (_, half_sent),
                connection(port) as (_, delivering),
            ):
                half_sent.write(b"POST /webhooks/flutterwave HTTP/1.1\r\ncontent-le")
                body = BODIES["flutterwave"]
                delivering.write(
                    b"POST /webhooks/flutterwave HTTP/1.1\r\nhost: localhost\r\nverif-hash: "
                    + FLUTTERWAVE_SECRET.encode()
                    + b"\r\ncontent-length: "
                    + str(len(body)).encode()
                    + b"\r\n\r\n"
                    + body
                )
                await scripted.asked.wait()
                process.process.send_signal(signal.SIGTERM)
                code = await process.end()
            scripted.may_answer.set()

    assert code == 0
    assert process.lines[-1].startswith('{"')
    assert '"event":"stopped"' in process.lines[-1]


async def test_a_delivery_that_is_under_way_when_it_stops_is_still_answered() -> None:
    scripted = ScriptedPayments()
    scripted.may_answer.clear()
    async with grpc_serving(payments_setup(scripted)) as server:
        settings = {**SETTINGS, "PAYMENTS_ADDRESS": f"127.0.0.1:{server.port}"}
        async with started("webhook_receiver", settings) as process, httpx.AsyncClient() as client:
            url = f"http://127.0.0.1:{await process.port()}/webhooks/eversend"
            delivering = asyncio.create_task(
                client.post(url, content=BODIES["eversend"], headers=signed("eversend"))
            )
            await scripted.asked.wait()
            process.process.send_signal(signal.SIGTERM)
            await process.event("stopping")
            scripted.may_answer.set()
            response = await delivering
            code = await process.end()

    assert response.status_code == 200
    assert code == 0
