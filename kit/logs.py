"""Structured logs: one redacted line an occurrence, pretty in a terminal and JSON elsewhere."""

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from kit.redaction import redact, redact_text
from kit.request_scope import current_scope_or_none


def configure_logs(service: str, *, level: str = "INFO", form: str = "auto") -> None:
    """Set up logging for this process; call once, first.

    `service`: the process's name on every line. `level`: a standard level name. `form`: "pretty",
    "json", or "auto" for pretty in a terminal and JSON elsewhere.
    """
    pretty = form == "pretty" or (form == "auto" and sys.stderr.isatty())
    renderer = (
        structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(_json)
    )
    shared: list[Any] = [
        _add_service(service),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_scope,
        structlog.processors.format_exc_info,
        redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    # Their request lines carry full URLs; ours carry the route, the outcome and the duration.
    for noisy in ("uvicorn.access", "uvicorn.error", "httpx", "httpcore", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def get_logger(name: str) -> FilteringBoundLogger:
    """Return a logger; `name` is the module's name."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove secrets and personal data from every value of a log line (a structlog processor)."""
    internals = {"_record", "_from_structlog"}
    return {
        redact_text(key): value if key in internals else redact(value, key)
        for key, value in event.items()
    }


def _add_service(service: str) -> Processor:
    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _add_scope(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    scope = current_scope_or_none()
    if scope is not None:
        event.setdefault("request_id", scope.request_id)
        if scope.payment_id is not None:
            event.setdefault("payment_id", scope.payment_id)
    return event


def _json(value: Any, **_options: Any) -> str:
    return orjson.dumps(value, default=str).decode()
