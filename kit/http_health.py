"""The two probes of an HTTP process: is it up, and can it do its work."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kit.http_problems import problem_response


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether a process can do its work, and in a few words why: the answer is public."""

    ready: bool
    facts: Mapping[str, str] = field(default_factory=dict)


def health_routes(check: Callable[[], Awaitable[bool | Readiness]]) -> list[Route]:
    """Return GET /healthz (the process runs) and GET /readyz (`check`; 503 when not ready)."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_request: Request) -> Response:
        found = await check()
        readiness = found if isinstance(found, Readiness) else Readiness(ready=found)
        if readiness.ready:
            return JSONResponse({"status": "ready", **readiness.facts})
        facts = ", ".join(f"{name} {value}" for name, value in readiness.facts.items())
        return problem_response(503, facts or "a service that this one needs does not answer")

    return [Route("/healthz", healthz), Route("/readyz", readyz)]
