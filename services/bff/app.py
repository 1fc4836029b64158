"""The BFF's ASGI application: endpoints, middleware, error handlers."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from kit.clock import Clock
from kit.errors import ServiceError
from kit.http_health import health_routes
from kit.http_middleware import RequestMiddleware
from kit.user_tokens import UserTokens
from services.bff.endpoints import Doorkeeper, Endpoint
from services.bff.openapi import openapi_route
from services.bff.payments_client import PaymentsClient
from services.bff.problems import (
    ProblemError,
    http_exception_problem,
    own_problem,
    service_error_problem,
)
from services.bff.read_limits import ReadLimits
from services.bff.routes.events import event_endpoints
from services.bff.routes.memberships import membership_endpoints
from services.bff.routes.payment_steps import payment_step_endpoints
from services.bff.routes.payments import payment_endpoints
from services.bff.routes.return_page import return_routes
from services.bff.routes.tiers import tier_endpoints
from services.bff.streams import StreamLimits, Streams
from services.bff.transport import CorsMiddleware, HttpsMiddleware, HttpsRule

_SMALLEST_COMPRESSED = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BffOptions:
    """How the BFF treats its pages.

    `default_currency`: ISO 4217 code for what names none. `origins`: of pages elsewhere that may
    ask (CORS). `return_origins`: where a gateway's page may send members. `reads_per_minute`: of
    one member.
    """

    default_currency: str = "UGX"
    origins: Collection[str] = ()
    return_origins: Collection[str] = ()
    reads_per_minute: int = 300
    streams: StreamLimits = field(default_factory=StreamLimits)
    https: HttpsRule = field(default_factory=lambda: HttpsRule(required=False))


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the BFF is built on. `stopping`: set when the process begins to stop."""

    payments: PaymentsClient
    tokens: UserTokens
    clock: Clock
    stopping: asyncio.Event = field(default_factory=asyncio.Event)


def build_app(surroundings: Surroundings, options: BffOptions) -> Starlette:
    """Return the application."""
    payments, clock = surroundings.payments, surroundings.clock
    endpoints = all_endpoints(surroundings, options)
    door = Doorkeeper(tokens=surroundings.tokens, reads=ReadLimits(options.reads_per_minute, clock))
    app = Starlette(
        routes=[
            *health_routes(payments.is_ready),
            *map(door.route, endpoints),
            openapi_route(endpoints),
            *return_routes(),
        ],
        middleware=[
            Middleware(RequestMiddleware, clock=clock),
            Middleware(HttpsMiddleware, rule=options.https),
            Middleware(CorsMiddleware, origins=sorted(options.origins)),
            Middleware(GZipMiddleware, minimum_size=_SMALLEST_COMPRESSED),
        ],
        exception_handlers={
            HTTPException: http_exception_problem,
            ProblemError: own_problem,
            ServiceError: service_error_problem,
        },
    )
    app.router.redirect_slashes = False
    return app


def all_endpoints(surroundings: Surroundings, options: BffOptions) -> Sequence[Endpoint]:
    """Return every endpoint of the API."""
    payments, currency = surroundings.payments, options.default_currency
    streams = Streams(options.streams, surroundings.clock, surroundings.stopping)
    return [
        *tier_endpoints(payments, currency),
        *payment_endpoints(payments, currency, options.return_origins),
        *payment_step_endpoints(payments),
        *event_endpoints(payments, streams),
        *membership_endpoints(payments, currency),
    ]
