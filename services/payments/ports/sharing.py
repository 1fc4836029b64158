"""How workers share the due rows of a queue between them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Whose due rows to claim: those of the gateway `only`, or of every gateway but `never`."""

    only: str | None = None
    never: tuple[str, ...] = ()


EVERYTHING = Share()
