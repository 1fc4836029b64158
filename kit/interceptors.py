"""The server side of every RPC: who calls, under which id and deadline, and how errors leave."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

import grpc

from kit.clock import Clock
from kit.errors import ErrorCode, ServiceError
from kit.logs import get_logger
from kit.request_scope import (
    PAYMENT_ID_KEY,
    REQUEST_ID_KEY,
    RequestScope,
    current_scope,
    enter_scope,
    harmless_id,
    safe_request_id,
)
from kit.service_tokens import ServiceTokens
from kit.status import DETAILS_KEY, grpc_code, to_status
from kit.user_tokens import UserTokens

AUTHORIZATION_KEY = "authorization"
USER_TOKEN_KEY = "x-user-token"  # noqa: S105 - the name of a metadata key

_log = get_logger(__name__)
# Errors that are the caller's to fix are not an operator's to read.
_CALLERS_FAULT = frozenset(ErrorCode) - {
    ErrorCode.INTERNAL,
    ErrorCode.UNKNOWN,
    ErrorCode.UNAVAILABLE,
}


class CallLimiter(Protocol):
    """Says how often a member may call what."""

    async def take(self, method: str, user_id: str, request: Any) -> None:
        """Count one call of `method` (its full path) for a member.

        Raises `ServiceError` (RESOURCE_EXHAUSTED) when it is one too many.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessPolicy:
    """Who may call what.

    `tokens`: the known callers. `allowed`: full service name → names of the callers allowed on it
    (services that are not listed, such as health, are open). `user_tokens`: verifies members'
    tokens, or None where no member is ever acted for. `must_act_for_member`: callers that may
    only call with a member's token, except on `open_methods` (full method paths). `limiter`: how
    often one member may call, or None for as often as they like.
    """

    tokens: ServiceTokens
    allowed: Mapping[str, frozenset[str]]
    user_tokens: UserTokens | None = None
    must_act_for_member: frozenset[str] = frozenset()
    open_methods: frozenset[str] = frozenset()
    limiter: CallLimiter | None = None

    def guards(self, method: str) -> bool:
        """Whether `method` (its full path) is for known callers only."""
        return _service_of(method) in self.allowed

    async def admit(self, method: str, metadata: Mapping[str, str]) -> tuple[str, str | None]:
        """Return the caller's name and the member it acts for.

        Raises `ServiceError`: UNAUTHENTICATED without a known token, PERMISSION_DENIED when the
        caller may not use the method, UNAVAILABLE when a member's token cannot be judged now.
        """
        caller = self.tokens.caller(metadata.get(AUTHORIZATION_KEY))
        if caller not in self.allowed.get(_service_of(method), frozenset()):
            raise ServiceError(
                ErrorCode.PERMISSION_DENIED,
                "CALLER_NOT_ALLOWED",
                f"the calling service may not use {method}",
            )
        return caller, await self._member(caller, method, metadata.get(USER_TOKEN_KEY))

    async def _member(self, caller: str, method: str, token: str | None) -> str | None:
        if token and self.user_tokens:
            return await self.user_tokens.user_id(token)
        if caller in self.must_act_for_member and method not in self.open_methods:
            raise ServiceError(
                ErrorCode.UNAUTHENTICATED, "USER_TOKEN_REQUIRED", "send the member's x-user-token"
            )
        return None


def _service_of(method: str) -> str:
    return method.rpartition("/")[0].lstrip("/")


class RpcInterceptor(grpc.aio.ServerInterceptor):
    """Admits, scopes, times and logs every RPC, and owns its errors.

    `domain`: written into `ErrorInfo.domain`, for example "payments.v1".
    """

    def __init__(self, policy: AccessPolicy, clock: Clock, domain: str) -> None:
        self._policy = policy
        self._clock = clock
        self._domain = domain

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable["grpc.RpcMethodHandler[Any, Any] | None"]
        ],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Wrap the handler of one RPC; open services (health, reflection) are left as they are."""
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or not self._policy.guards(method):
            return handler
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._unary(method, handler.unary_unary),
                handler.request_deserializer,
                handler.response_serializer,
            )
        if handler.unary_stream:
            return grpc.unary_stream_rpc_method_handler(
                self._stream(method, handler.unary_stream),
                handler.request_deserializer,
                handler.response_serializer,
            )
        # Failing is safe; serving it would be serving it to anybody.
        raise TypeError(f"{method} streams requests, and only unary requests are admitted")

    def _unary(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def served(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            call = _Call(method=method, request=request, started=self._clock.monotonic())
            try:
                await self._enter(method, request, context)
                response = await behaviour(request, context)
            except BaseException as error:
                await self._leave(call, context, error)
                raise
            self._log(call, "OK", response)
            return response

        return served

    def _stream(self, method: str, behaviour: Callable[..., Any]) -> Callable[..., Any]:
        async def served(
            request: Any, context: grpc.aio.ServicerContext[Any, Any]
        ) -> AsyncIterator[Any]:
            call = _Call(method=method, request=request, started=self._clock.monotonic())
            try:
                await self._enter(method, request, context)
                async for response in behaviour(request, context):
                    yield response
            except BaseException as error:
                await self._leave(call, context, error)
                raise
            self._log(call, "OK")

        return served

    async def _enter(
        self, method: str, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        metadata = {
            str(key): str(value)
            for key, value in context.invocation_metadata() or ()
            if isinstance(value, str)
        }
        # The stubs promise a float; a call without a deadline has None.
        remaining = cast("float | None", context.time_remaining())
        loop_time = asyncio.get_running_loop().time()
        request_id = safe_request_id(metadata.get(REQUEST_ID_KEY))
        deadline = None if remaining is None else loop_time + remaining
        scope = RequestScope(
            request_id=request_id,
            deadline=deadline,
            payment_id=harmless_id(metadata.get(PAYMENT_ID_KEY)),
        )
        enter_scope(scope)
        caller, user_id = await self._policy.admit(method, metadata)
        enter_scope(replace(scope, caller=caller, user_id=user_id))
        if user_id is not None and self._policy.limiter is not None:
            await self._policy.limiter.take(method, user_id, request)

    async def _leave(
        self, call: "_Call", context: grpc.aio.ServicerContext[Any, Any], error: BaseException
    ) -> None:
        """Log how the RPC ended and, for errors of ours, end it with a typed status."""
        if isinstance(error, grpc.aio.AbortError):
            self._log(call, "ABORTED")
            return
        if isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._log(call, "CANCELLED")
            return
        if not isinstance(error, ServiceError):
            _log.error("rpc_failed_unexpectedly", method=call.method, exc_info=error)
            error = ServiceError(
                ErrorCode.INTERNAL,
                "INTERNAL",
                f"an unexpected error; quote request id {current_scope().request_id}",
            )
        self._log(
            call, error.code.name, reason=error.reason, fault=error.code not in _CALLERS_FAULT
        )
        await context.abort(
            grpc_code(error.code),
            error.message,
            ((DETAILS_KEY, to_status(error, self._domain).SerializeToString()),),
        )

    def _log(
        self,
        call: "_Call",
        outcome: str,
        response: Any = None,
        *,
        reason: str | None = None,
        fault: bool = False,
    ) -> None:
        scope = current_scope()
        facts: dict[str, object] = {
            "method": call.method,
            "outcome": outcome,
            "duration_ms": round((self._clock.monotonic() - call.started) * 1000, 1),
            "caller": scope.caller,
        }
        payment_id = _payment_id(call.request) or _payment_id(response)
        if payment_id:
            facts["payment_id"] = payment_id
        if reason:
            facts["reason"] = reason
        _logged_at(call.method, fault=fault)("rpc", **facts)


def _logged_at(method: str, *, fault: bool) -> Callable[..., Any]:
    """Return the log method for an RPC: health checks come every second and say nothing new."""
    if fault:
        return _log.warning
    return _log.debug if method.startswith("/grpc.health.") else _log.info


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    method: str
    request: Any
    started: float


def _payment_id(message: Any) -> str | None:
    """Find the payment that a request or response is about."""
    payment = getattr(message, "payment", message)
    value = getattr(payment, "payment_id", None)
    return value if isinstance(value, str) and value else None
