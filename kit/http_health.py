"""The two probes of an HTTP process: is it up, and can it do its work."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kit.http_problems import problem_response


def health_routes(is_ready: Callable[[], Awaitable[bool]]) -> list[Route]:
    """Return GET /healthz (the process runs) and GET /readyz (`is_ready`, else 503)."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        if await is_ready():
            return JSONResponse({"status": "ready"})
        return problem_response(503, "a service that this one needs does not answer")

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
