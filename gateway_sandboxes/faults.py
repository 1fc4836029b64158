"""The registry of faults: which are set, whom they match, and how often each has fired."""

import itertools
import random
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any

from gateway_sandboxes.amounts import parse_amount

OPERATIONS = ("create", "lookup", "refund", "cancel", "token", "any")

UNREACHABLE = "unreachable"
SLOW_LOOKUP = "slow_lookup"
REFUND_FAILS = "refund_fails"

REQUEST_FAULTS = (
    UNREACHABLE,
    "delay",
    "error_before_effect",
    "error_after_effect",
    "lost_reply",
    "rate_limited",
    "html_error",
    "bad_json",
    SLOW_LOOKUP,
)
OUTCOME_FAULTS = (
    "late_success",
    "second_success",
    "underpaid",
    "overpaid",
    "wrong_currency",
    REFUND_FAILS,
)
WEBHOOK_FAULTS = (
    "webhook_drop",
    "webhook_delay",
    "webhook_duplicate",
    "webhook_reorder",
    "webhook_bad_signature",
    "webhook_missing_signature",
    "webhook_tampered_amount",
)
KNOWN = REQUEST_FAULTS + OUTCOME_FAULTS + WEBHOOK_FAULTS

_FIELDS = frozenset({"fault", "operation", "match", "times", "probability", "seconds", "seed"})
_MATCH_FIELDS = frozenset({"reference", "phone", "amount", "card"})
_CARD_NUMBER = re.compile(r"[0-9]{12,19}", re.ASCII)
_SLOW_LOOKUPS_BY_DEFAULT = 2


class FaultError(Exception):
    """A fault was described wrongly; the message says how to describe it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a request, a payment or a webhook is about; None where it has no such thing.

    `amount` is in major units, `phone` in any notation, `reference` is the merchant's own, `card`
    is what is kept of a card's number: the first six digits and the last four. `mark` is the
    merchant's own name for a refund, where that is another than the payment's.
    """

    operation: str = "any"
    reference: str | None = None
    phone: str | None = None
    amount: Decimal | None = None
    card: str | None = None
    mark: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One fault as it was asked for.

    `times` limits how often it fires (None: without limit), `probability` makes each chance a throw
    of dice seeded by `seed`, `seconds` is the fault's own duration where it has one. `card` has the
    form that it has in a `Subject`.
    """

    fault: str
    operation: str = "any"
    reference: str | None = None
    phone: str | None = None
    amount: Decimal | None = None
    card: str | None = None
    times: int | None = None
    probability: float = 1.0
    seconds: float | None = None
    seed: int = 0

    def matches(self, subject: Subject) -> bool:
        """Tell whether everything this rule names is so for the subject.

        The operation concerns requests alone: a webhook or an outcome has none.
        """
        if self.fault in REQUEST_FAULTS and self.operation not in ("any", subject.operation):
            return False
        if self.reference not in (None, subject.reference, subject.mark):
            return False
        if self.phone is not None and self.phone != _digits(subject.phone or ""):
            return False
        if self.card is not None and self.card != subject.card:
            return False
        return self.amount is None or self.amount == subject.amount

    def as_json(self) -> dict[str, object]:
        """Describe the rule in the words of the control API."""
        match = {
            "reference": self.reference,
            "phone": self.phone,
            "amount": self.amount,
            "card": self.card,
        }
        return {
            "fault": self.fault,
            "operation": self.operation,
            "match": {name: value for name, value in match.items() if value is not None},
            "times": self.times,
            "probability": self.probability,
            "seconds": self.seconds,
            "seed": self.seed,
        }


def parse_rule(description: Mapping[str, Any]) -> Rule:
    """Read a rule from the body of `POST /_sandbox/faults`.

    Raises:
        FaultError: an unknown fault, an unknown field or a value out of range.

    """
    fault = description.get("fault")
    if fault not in KNOWN:
        raise FaultError(f"unknown fault {fault!r}")
    if unknown := sorted(description.keys() - _FIELDS):
        raise FaultError(f"unknown field {unknown[0]!r}; known: {', '.join(sorted(_FIELDS))}")
    operation = description.get("operation") or "any"
    if operation not in OPERATIONS:
        raise FaultError(f"unknown operation {operation!r}; known: {', '.join(OPERATIONS)}")
    return Rule(
        fault=fault,
        operation=operation,
        **_parse_match(description.get("match") or {}),
        times=_parse_whole(description.get("times"), "times", smallest=1),
        probability=float(_parse_number(description.get("probability", 1), "probability", 1)),
        seconds=_parse_seconds(description.get("seconds")),
        seed=_parse_whole(description.get("seed"), "seed", smallest=0) or 0,
    )


def _parse_match(match: object) -> dict[str, Any]:
    if not isinstance(match, dict) or match.keys() - _MATCH_FIELDS:
        raise FaultError(f"match must be an object with any of {', '.join(sorted(_MATCH_FIELDS))}")
    parsed: dict[str, Any] = {}
    if match.get("reference") is not None:
        parsed["reference"] = str(match["reference"])
    if match.get("phone") is not None:
        parsed["phone"] = _digits(str(match["phone"]))
    if match.get("amount") is not None:
        parsed["amount"] = parse_amount(match["amount"])
        if parsed["amount"] is None:
            raise FaultError("match.amount must be a number in major units")
    if match.get("card") is not None:
        number = _digits(str(match["card"]))
        if not _CARD_NUMBER.fullmatch(number):
            raise FaultError("match.card must be the number of a card")
        parsed["card"] = number[:6] + number[-4:]
    return parsed


def _parse_whole(value: object, name: str, *, smallest: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
        raise FaultError(f"{name} must be a whole number of at least {smallest}")
    return value


def _parse_seconds(value: object) -> float | None:
    return None if value is None else float(_parse_number(value, "seconds", 86_400))


def _parse_number(value: object, name: str, largest: int) -> Decimal:
    number = None if isinstance(value, str) else parse_amount(value)
    if number is None or not 0 <= number <= largest:
        raise FaultError(f"{name} must be a number between 0 and {largest}")
    return number


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)


class LookupStage(Enum):
    """How much of the truth a look-up may tell."""

    NOT_FOUND = "not_found"
    PENDING = "pending"
    TRUTH = "truth"


class _Entry:
    """A rule that is set, with its counters and its dice."""

    def __init__(self, number: int, rule: Rule) -> None:
        self.number = number
        self.rule = rule
        self.fired = 0
        self.lookups: Counter[str] = Counter()
        self.first_lookups: dict[str, datetime] = {}
        self._dice = random.Random(rule.seed)  # noqa: S311 - repeatable faults need seeded dice, no secret here

    def may_fire(self, subject: Subject) -> bool:
        if self.rule.times is not None and self.fired >= self.rule.times:
            return False
        if not self.rule.matches(subject):
            return False
        return self.rule.probability >= 1 or self._dice.random() < self.rule.probability

    def lookup_stage(self, reference: str, now: datetime) -> LookupStage:
        """Count one look-up of the reference: first not found, then pending, then the truth."""
        if self.rule.seconds is not None:
            first = self.first_lookups.setdefault(reference, now)
            progress = (now - first) / timedelta(seconds=max(self.rule.seconds, 1e-6))
            return _stage(progress)
        limit = self.rule.times or _SLOW_LOOKUPS_BY_DEFAULT
        seen = self.lookups[reference]
        self.lookups[reference] += 1
        return _stage(seen / limit)


def _stage(progress: float) -> LookupStage:
    halfway = 0.5
    if progress >= 1:
        return LookupStage.TRUTH
    return LookupStage.NOT_FOUND if progress < halfway else LookupStage.PENDING


class Faults:
    """The faults that are set.

    Every method is synchronous: on one event loop a check and its count cannot be torn apart, so
    `times` is exact however many requests run at once.
    """

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._numbers = itertools.count(1)

    def add(self, rule: Rule, *, fired: int = 0) -> dict[str, object]:
        """Set a fault and return its description; `fired` counts what has happened already."""
        entry = _Entry(next(self._numbers), rule)
        entry.fired = fired
        self._entries.append(entry)
        return _describe(entry)

    def take(self, names: Collection[str], subject: Subject) -> Rule | None:
        """Fire the oldest matching fault among `names`, count it, and return its rule."""
        for entry in self._candidates(names):
            if entry.may_fire(subject):
                entry.fired += 1
                return entry.rule
        return None

    def lookup_stage(self, subject: Subject, now: datetime) -> LookupStage:
        """Say how much a look-up may tell under `slow_lookup`, and count it when it may not all."""
        for entry in self._candidates((SLOW_LOOKUP,)):
            if not entry.may_fire(subject):
                continue
            stage = entry.lookup_stage(subject.reference or "", now)
            if stage is not LookupStage.TRUTH:
                entry.fired += 1
                return stage
        return LookupStage.TRUTH

    def listing(self) -> list[dict[str, object]]:
        """Describe every fault that is set, with its count."""
        return [_describe(entry) for entry in self._entries]

    def clear(self) -> None:
        """Take every fault away."""
        self._entries.clear()

    def _candidates(self, names: Collection[str]) -> Iterator[_Entry]:
        return (entry for entry in self._entries if entry.rule.fault in names)


def _describe(entry: _Entry) -> dict[str, object]:
    return {"id": entry.number, **entry.rule.as_json(), "fired": entry.fired}
