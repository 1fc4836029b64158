"""A gRPC server says how it is, hides what is not public, and ends in order."""

import asyncio
import socket

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from kit.channel import ServiceChannel
from kit.clock import SystemClock
from kit.interceptors import AccessPolicy
from kit.server import AddressInUseError, GrpcServer, ServerOptions
from kit.service_tokens import ServiceTokens
from tests.kit.echo import SERVICE, RunningEcho, echo_serving

_NOBODY = AccessPolicy(tokens=ServiceTokens(()), allowed={})
_HEALTH = health_pb2.HealthCheckResponse


async def _health(running: RunningEcho, service: str) -> int:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=service)
        )
    return int(answer.status)


async def _reflected(running: RunningEcho) -> set[str]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel:
        ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
        answers = ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        (answer,) = [each async for each in answers]
    return {service.name for service in answer.list_services_response.service}


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_a_started_server_is_healthy_to_anybody_who_asks(service: str) -> None:
    async with echo_serving() as running:
        assert await _health(running, service) == _HEALTH.SERVING
        await running.server.report(serving=False)
        assert await _health(running, service) == _HEALTH.NOT_SERVING


async def test_the_health_of_an_unknown_service_is_not_found(echo_service: RunningEcho) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await _health(echo_service, "payments.v9.Nothing")

    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_is_offered_in_development() -> None:
    async with echo_serving(reflection=True) as running:
        names = await _reflected(running)

    assert {SERVICE, "grpc.health.v1.Health"} <= names


async def test_reflection_is_absent_elsewhere(echo_service: RunningEcho) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await _reflected(echo_service)

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_busy_port_is_an_error_of_its_own() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        options = ServerOptions(listen=listen, service_names=(), domain="x", policy=_NOBODY)
        server = GrpcServer(options, SystemClock())
        with pytest.raises(AddressInUseError, match=listen):
            await server.start()
        await server.stop()


def test_a_service_without_a_list_of_callers_cannot_be_served() -> None:
    options = ServerOptions(
        listen="127.0.0.1:0", service_names=[SERVICE], domain="x", policy=_NOBODY
    )

    with pytest.raises(ValueError, match=SERVICE):
        GrpcServer(options, SystemClock())


async def test_stopping_lets_running_calls_end_and_takes_no_new_ones() -> None:
    async with echo_serving(drain_seconds=10) as running, running.called_by("worker") as stub:
        waiting = asyncio.create_task(stub.call("Wait"))
        await running.echo.until_entered()
        stopping = asyncio.create_task(running.server.stop())
        async with asyncio.timeout(5):
            while await stub.channel.serves(SERVICE):
                continue

        async with running.called_by("worker") as late:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await late.describe()
        running.echo.may_return.set()

        assert await waiting == "waited"
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        await stopping


async def test_who_watches_the_health_hears_of_the_stop_before_the_end() -> None:
    async with (
        echo_serving(drain_seconds=0.3) as running,
        grpc.aio.insecure_channel(f"127.0.0.1:{running.port}") as channel,
    ):
        watching = health_pb2_grpc.HealthStub(channel).Watch(
            health_pb2.HealthCheckRequest(service=SERVICE)
        )
        assert (await watching.read()).status == _HEALTH.SERVING
        stopping = asyncio.create_task(running.server.stop())

        assert (await watching.read()).status == _HEALTH.NOT_SERVING
        await stopping


async def test_stopping_does_not_wait_for_ever() -> None:
    async with echo_serving(drain_seconds=0.1) as running, running.called_by("worker") as stub:
        waiting = asyncio.create_task(stub.call("Wait"))
        await running.echo.until_entered()

        async with asyncio.timeout(5):
            await running.server.stop()

        with pytest.raises(grpc.aio.AioRpcError):
            await waiting


async def test_a_channel_tells_whether_the_other_side_serves(echo_service: RunningEcho) -> None:
    async with echo_service.called_by("worker") as stub:
        assert await stub.channel.serves(SERVICE)
        assert not await stub.channel.serves("payments.v9.Nothing")


async def test_a_channel_to_nobody_tells_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    channel = ServiceChannel(f"127.0.0.1:{port}", "token")

    assert not await channel.serves(SERVICE)

    await channel.close()
