"""The bounded worlds that are explored completely."""

from dataclasses import dataclass

from services.payments.domain.attempts import Flow

_PAGE_FIRST = (Flow.HOSTED, Flow.PROMPT)
_PROMPT_FIRST = (Flow.PROMPT, Flow.HOSTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """The bounds of a world.

    `flows`: how each gateway reaches the payer, best gateway first. `attempts`: at most so many in
    all. `handlers`: how many look-ups and requests may be under way at once. `payments`: how many
    the member may make for the same thing. `surprises`: how often a gateway does what it should
    not: a success after a failure, a second success on one page, too little money. `wishes`: how
    often the member cancels or tries again. `passwords`: prompts need a one-time password first.
    """

    name: str
    flows: tuple[Flow, ...]
    attempts: int = 2
    handlers: int = 1
    payments: int = 1
    surprises: int = 0
    wishes: int = 0
    passwords: bool = False


# Small enough for every run of the tests.
QUICK = (
    Scenario(name="page, then prompt", flows=_PAGE_FIRST, surprises=1),
    Scenario(name="prompt, then page", flows=_PROMPT_FIRST, surprises=1),
    Scenario(name="page, second payment", flows=_PAGE_FIRST, payments=2, wishes=1),
    Scenario(name="prompt, password", flows=_PROMPT_FIRST, payments=2, passwords=True),
)

# What `make model` explores.
FULL = (
    Scenario(name="page, two workers", flows=_PAGE_FIRST, handlers=2, surprises=1),
    Scenario(name="prompt, two workers", flows=_PROMPT_FIRST, handlers=2, surprises=1),
    Scenario(name="page, member and worker", flows=_PAGE_FIRST[:1], handlers=2, wishes=1),
    Scenario(name="page, three attempts", flows=_PAGE_FIRST, attempts=3, payments=2),
    Scenario(name="prompt, three attempts", flows=_PROMPT_FIRST, attempts=3, payments=2),
    Scenario(name="page, surprises", flows=_PAGE_FIRST, payments=2, surprises=2),
    Scenario(name="prompt, surprises", flows=_PROMPT_FIRST, payments=2, surprises=2),
    Scenario(name="prompt, passwords", flows=_PROMPT_FIRST, payments=2, wishes=1, passwords=True),
)

# Minutes and gigabytes: before a release.
DEEP = (
    Scenario(
        name="page, everything", flows=_PAGE_FIRST, attempts=3, payments=2, surprises=1, wishes=1
    ),
    Scenario(name="prompt, everything", flows=_PROMPT_FIRST, attempts=3, payments=2, wishes=1),
    Scenario(name="page first, member and worker", flows=_PAGE_FIRST, handlers=2, wishes=1),
    Scenario(name="prompt first, member and worker", flows=_PROMPT_FIRST, handlers=2, wishes=1),
    Scenario(
        name="page, three attempts and workers",
        flows=_PAGE_FIRST,
        attempts=3,
        handlers=2,
        surprises=1,
    ),
    Scenario(
        name="two pages",
        flows=(Flow.HOSTED, Flow.HOSTED),
        attempts=3,
        payments=2,
        wishes=1,
    ),
    Scenario(
        name="two prompts",
        flows=(Flow.PROMPT, Flow.PROMPT),
        attempts=3,
        payments=2,
        wishes=1,
    ),
)
