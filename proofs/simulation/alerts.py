"""What the product logs as an error: alerts to operators, and defects. Everything else is muted."""

from collections.abc import Callable, MutableMapping
from typing import Any, NoReturn

import structlog

Entry = MutableMapping[str, Any]


class _Sink:
    """Where the errors of the world that runs now go."""

    def __init__(self) -> None:
        self.hear: Callable[[Entry], None] = _ignore

    def __call__(self, _logger: object, _method: str, entry: Entry) -> NoReturn:
        self.hear(entry)
        raise structlog.DropEvent


def _ignore(_entry: Entry) -> None:
    pass


_sink = _Sink()


def listen() -> None:
    """Mute the product's logs in this process, but for errors; call once, first."""
    structlog.configure(
        processors=[_sink],
        wrapper_class=structlog.make_filtering_bound_logger("ERROR"),
        logger_factory=structlog.ReturnLoggerFactory(),
        cache_logger_on_first_use=True,
    )


def tell(hear: Callable[[Entry], None]) -> None:
    """Have every error told to somebody, from now on."""
    _sink.hear = hear
