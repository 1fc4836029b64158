"""The receiver's ASGI application: routes, middleware, error handlers."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from kit.http_health import health_routes
from kit.http_middleware import RequestMiddleware
from kit.http_problems import http_exception_problem
from webhook_receiver.routes import WebhookEndpoint


def build_app(webhooks: WebhookEndpoint) -> Starlette:
    """Return the application that serves `webhooks` and the health probes."""
    app = Starlette(
        routes=[*health_routes(webhooks.recorder.readiness), *webhooks.routes()],
        middleware=[Middleware(RequestMiddleware, clock=webhooks.clock)],
        exception_handlers={HTTPException: http_exception_problem},
    )
    # A gateway counts a redirect as a failure and would never follow it.
    app.router.redirect_slashes = False
    return app
