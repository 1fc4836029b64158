"""Eversend's envelopes and its ways to say no (sections 1 and 3)."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway_sandboxes.eversend.settings import Behaviour
from gateway_sandboxes.fault_gate import FaultReplies
from gateway_sandboxes.json_http import InvalidJsonError, json_reply
from gateway_sandboxes.settings import Switchable

SERVER_ERROR = "An error has occurred"


class RefusedError(Exception):
    """The request is refused with an error body."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def success(data: object) -> Response:
    """Answer with the success envelope."""
    return json_reply({"code": 200, "data": data, "success": True})


class Refusals:
    """Error bodies in the shape that the settings say now: the message plain or nested."""

    def __init__(self, behaviour: Switchable[Behaviour]) -> None:
        self._behaviour = behaviour

    def reply(self, message: str, status: int) -> Response:
        """Answer with an error."""
        nested = self._behaviour.current.error_message_shape == "nested"
        shown: object = {"message": message} if nested else message
        return json_reply({"code": status, "success": False, "message": shown}, status)

    def for_faults(self) -> FaultReplies:
        """Word the failures that faults ask for."""
        return FaultReplies(
            rate_limited=lambda: self.reply("Too many requests", 429),
            server_error=lambda: self.reply(SERVER_ERROR, 500),
            timed_out=lambda: self.reply("Service unavailable", 503),
        )

    async def refused(self, _: Request, problem: Exception) -> Response:
        """Turn a refusal, a body that is not JSON or an unknown route into an error body."""
        if isinstance(problem, RefusedError):
            return self.reply(str(problem), problem.status)
        if isinstance(problem, InvalidJsonError):
            return self.reply(str(problem), 400)
        if isinstance(problem, HTTPException):
            return self.reply("Not Found", 404)
        raise problem
