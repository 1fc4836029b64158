"""Every RPC is admitted, scoped, limited in time, and ended with a typed error or an answer."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest
from structlog.testing import capture_logs

from kit.clock import SystemClock
from kit.errors import ErrorCode, FieldViolation, InvalidRequestError, ServiceError
from kit.request_scope import RequestScope, enter_scope
from kit.status import from_rpc_error
from kit.tokens_issue import issue_token
from tests.kit.echo import CALLERS, EchoStub, RunningEcho
from tests.kit.tokens import HEADER, SECRET, made


async def _refused(stub: EchoStub, method: str = "Describe", user_token: str | None = None) -> str:
    """Call and return the reason of the refusal."""
    calling = stub.count("1") if method == "Count" else stub.call(method, user_token=user_token)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await calling
    return from_rpc_error(raised.value).reason


async def _read_into(received: list[str], stream: AsyncIterator[str]) -> None:
    async for message in stream:
        received.append(message)  # noqa: PERF401 - what came before the error must be kept


@pytest.mark.parametrize("method", ["Describe", "Count"])
@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        ("nobody-knows-this-token", "SERVICE_TOKEN_INVALID"),
        ("", "SERVICE_TOKEN_INVALID"),
        (CALLERS["worker"].upper(), "SERVICE_TOKEN_INVALID"),
        ("webhook_receiver", "CALLER_NOT_ALLOWED"),
    ],
)
async def test_only_known_and_allowed_callers_are_admitted(
    echo_service: RunningEcho, method: str, caller: str, reason: str
) -> None:
    async with echo_service.called_by(caller) as stub:
        assert await _refused(stub, method) == reason


async def test_a_call_without_any_metadata_is_refused(worker: EchoStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await worker.unary("Describe")("")

    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_method_that_does_not_exist_is_unimplemented(worker: EchoStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await worker.call("Nothing")

    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_stream_of_requests_is_never_served_unadmitted(worker: EchoStub) -> None:
    collect = worker.channel.channel.stream_unary(
        "/tests.v1.EchoService/Collect",
        request_serializer=str.encode,
        response_deserializer=bytes.decode,
    )

    with pytest.raises(grpc.aio.AioRpcError):
        await collect(iter(["a", "b"]))


async def test_the_callers_name_is_in_the_scope(worker: EchoStub) -> None:
    assert (await worker.describe())["caller"] == "worker"
    assert (await worker.count("1"))[0].endswith(":worker")


async def test_a_caller_that_must_act_for_a_member_needs_the_members_token(bff: EchoStub) -> None:
    token = issue_token(SECRET, "member-1", SystemClock())

    assert await _refused(bff) == "USER_TOKEN_REQUIRED"
    assert await _refused(bff, user_token="forged") == "USER_TOKEN_INVALID"
    assert await _refused(bff, "Count") == "USER_TOKEN_REQUIRED"
    assert (await bff.describe(user_token=token))["user_id"] == "member-1"


async def test_an_open_method_needs_no_member_and_still_no_forged_one(bff: EchoStub) -> None:
    assert (await bff.describe("Open"))["user_id"] is None
    assert await _refused(bff, "Open", user_token="forged") == "USER_TOKEN_INVALID"


async def test_another_caller_may_act_for_a_member_and_is_checked_as_well(
    worker: EchoStub,
) -> None:
    forged = made(HEADER, {"sub": "victim", "aud": "authenticated", "exp": 9999999999}, secret="x")

    assert (await worker.describe())["user_id"] is None
    member = await worker.describe(user_token=issue_token(SECRET, "member-1", SystemClock()))
    assert member["user_id"] == "member-1"
    assert await _refused(worker, user_token=forged) == "USER_TOKEN_INVALID"


async def test_the_request_id_travels_with_the_call(worker: EchoStub) -> None:
    enter_scope(RequestScope(request_id="request-1"))

    assert (await worker.describe())["request_id"] == "request-1"
    assert (await worker.count("1"))[0].split(":")[1] == "request-1"


@pytest.mark.parametrize("request_id", ["", "x" * 65, "two words", "a/b", 'quo"te', "a,b"])
async def test_a_request_id_that_could_harm_a_log_is_replaced(
    worker: EchoStub, request_id: str
) -> None:
    metadata = (("authorization", f"Bearer {CALLERS['worker']}"), ("x-request-id", request_id))

    answer = await worker.unary("Describe")("", metadata=metadata)

    assert f'"{request_id}"' not in answer


async def test_concurrent_calls_keep_their_scopes_apart(worker: EchoStub) -> None:
    async def describe(request_id: str) -> str:
        enter_scope(RequestScope(request_id=request_id))
        return str((await worker.describe())["request_id"])

    ids = [f"request-{number}" for number in range(50)]

    assert await asyncio.gather(*map(describe, ids)) == ids


@pytest.mark.parametrize("code", ErrorCode)
async def test_a_typed_error_reaches_the_caller_as_it_was_raised(
    echo_service: RunningEcho, worker: EchoStub, code: ErrorCode
) -> None:
    echo_service.echo.error = ServiceError(code, "REASON", "what to do", metadata={"a": "b"})

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await worker.call("Fail")

    received = from_rpc_error(raised.value)
    assert (received.code, received.reason, received.message) == (code, "REASON", "what to do")
    assert received.metadata == {"a": "b", "domain": "tests.v1"}


async def test_violations_reach_the_caller(echo_service: RunningEcho, worker: EchoStub) -> None:
    echo_service.echo.error = InvalidRequestError([FieldViolation("tier", "is required")])

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await worker.call("Fail")

    assert from_rpc_error(raised.value).violations == (FieldViolation("tier", "is required"),)


async def test_a_stream_delivers_what_it_has_before_its_typed_error(
    echo_service: RunningEcho, worker: EchoStub
) -> None:
    echo_service.echo.error = ServiceError(ErrorCode.NOT_FOUND, "GONE", "it is gone")
    stream = worker.channel.stream(
        worker.channel.channel.unary_stream(
            "/tests.v1.EchoService/Count",
            request_serializer=str.encode,
            response_deserializer=bytes.decode,
        ),
        "2",
    )
    received: list[str] = []

    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await _read_into(received, stream)

    assert len(received) == 2
    assert from_rpc_error(raised.value).reason == "GONE"


async def test_an_unexpected_error_is_logged_here_and_shows_nothing_there(
    echo_service: RunningEcho, worker: EchoStub
) -> None:
    echo_service.echo.error = RuntimeError("the inside of the service")
    enter_scope(RequestScope(request_id="request-7"))

    with capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError) as raised:
        await worker.call("Fail")

    received = from_rpc_error(raised.value)
    assert received.code is ErrorCode.INTERNAL
    assert "inside" not in received.message
    assert "request-7" in received.message
    (logged,) = [line for line in logs if line["event"] == "rpc_failed_unexpectedly"]
    assert logged["exc_info"] is echo_service.echo.error


async def test_a_servicer_may_still_end_a_call_by_itself(worker: EchoStub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await worker.call("Abort")

    assert raised.value.code() is grpc.StatusCode.DATA_LOSS
    assert raised.value.details() == "aborted in place"


@pytest.mark.parametrize(
    ("error", "level", "outcome"),
    [
        (ServiceError(ErrorCode.NOT_FOUND, "NO", "no"), "info", "NOT_FOUND"),
        (ServiceError(ErrorCode.UNAVAILABLE, "AWAY", "away"), "warning", "UNAVAILABLE"),
        (RuntimeError("bug"), "warning", "INTERNAL"),
    ],
)
async def test_every_rpc_is_one_log_line(
    echo_service: RunningEcho, worker: EchoStub, error: Exception, level: str, outcome: str
) -> None:
    echo_service.echo.error = error
    with capture_logs() as logs, pytest.raises(grpc.aio.AioRpcError):
        await worker.call("Fail")

    (line,) = [line for line in logs if line["event"] == "rpc"]
    assert line["method"] == "/tests.v1.EchoService/Fail"
    assert (line["outcome"], line["log_level"], line["caller"]) == (outcome, level, "worker")
    assert line["duration_ms"] >= 0


async def test_the_servers_time_is_the_callers_less_a_reserve(worker: EchoStub) -> None:
    assert (await worker.describe(seconds=2))["time_left"] < 2


async def test_a_call_made_while_serving_takes_no_longer_than_the_request_may(
    worker: EchoStub,
) -> None:
    deadline = asyncio.get_running_loop().time() + 2
    enter_scope(RequestScope(request_id="request-1", deadline=deadline))

    assert (await worker.describe(seconds=60))["time_left"] < 2


async def test_a_call_for_which_no_time_is_left_is_not_made(worker: EchoStub) -> None:
    deadline = asyncio.get_running_loop().time() + 0.1
    enter_scope(RequestScope(request_id="request-1", deadline=deadline))

    with pytest.raises(ServiceError) as raised:
        await worker.describe()

    assert raised.value.reason == "DEADLINE_TOO_SHORT"


async def test_work_nobody_waits_for_any_longer_is_cancelled(
    echo_service: RunningEcho, worker: EchoStub
) -> None:
    echo_service.echo.may_return.clear()
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await worker.call("Wait", seconds=0.1)

    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert from_rpc_error(raised.value).reason == "TRANSPORT_FAILURE"
    async with asyncio.timeout(5):
        await echo_service.echo.cancelled.wait()
