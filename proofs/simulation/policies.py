"""What answers prove: the product's own rules, and two that charge twice."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from services.payments.domain.attempts import Flow
from services.payments.domain.evidence import SAFE_RULES, Answer, Evidence, Rules


def _fall_back_on_timeout() -> Rules:
    """Take a creation without an answer for refused."""
    creation = {
        **SAFE_RULES.creation,
        Answer.UNKNOWN: {
            **SAFE_RULES.creation[Answer.UNKNOWN],
            Flow.PROMPT: Evidence.REJECTED,
        },
    }
    return replace(SAFE_RULES, creation=creation)


def _fall_back_when_not_found() -> Rules:
    """Take a look-up that finds nothing for a refusal."""
    look_up = {**SAFE_RULES.look_up, Answer.NOT_FOUND: Evidence.REJECTED}
    return replace(SAFE_RULES, look_up=look_up)


SAFE = "safe"
POLICIES: Mapping[str, Rules] = MappingProxyType(
    {
        SAFE: SAFE_RULES,
        "fall_back_on_timeout": _fall_back_on_timeout(),
        "fall_back_when_not_found": _fall_back_when_not_found(),
    }
)
