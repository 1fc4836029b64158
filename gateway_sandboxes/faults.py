"""The registry of faults: which are set, whom they match, and how often each has fired."""

import itertools
import math
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from gateway_sandboxes.amounts import parse_amount

OPERATIONS = ("create", "lookup", "refund", "cancel", "token", "any")

BUILT = (
    "unreachable",
    "delay",
    "error_before_effect",
    "error_after_effect",
    "lost_reply",
    "rate_limited",
    "html_error",
    "bad_json",
    "slow_lookup",
    "late_success",
    "second_success",
    "underpaid",
    "overpaid",
    "wrong_currency",
    "webhook_drop",
    "webhook_delay",
    "webhook_duplicate",
    "webhook_reorder",
    "webhook_bad_signature",
    "webhook_missing_signature",
    "webhook_tampered_amount",
)
NOT_BUILT = ("refund_fails",)
