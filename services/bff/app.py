"""The BFF's ASGI application: routes, middleware, error handlers."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from kit.clock import Clock
from kit.errors import ServiceError
from kit.http_health import health_routes
from kit.http_middleware import RequestMiddleware
from kit.http_problems import http_exception_problem
from services.bff.payments_client import PaymentsClient
from services.bff.problems import service_error_problem
from services.bff.routes.return_page import return_routes
from services.bff.routes.tiers import tier_routes


def build_app(payments: PaymentsClient, clock: Clock, *, default_currency: str) -> Starlette:
    """Return the application; `default_currency` (ISO 4217) prices what names no currency."""
    app = Starlette(
        routes=[
            *health_routes(payments.is_ready),
            *tier_routes(payments, default_currency),
            *return_routes(),
        ],
        middleware=[Middleware(RequestMiddleware, clock=clock)],
        exception_handlers={
            HTTPException: http_exception_problem,
            ServiceError: service_error_problem,
        },
    )
    app.router.redirect_slashes = False
    return app
