"""docs/error-handling.md lists every error that callers can get, and nothing else."""

import ast
from collections.abc import Iterator
from itertools import pairwise

from gateway_adapters import verdicts
from gateway_adapters.eversend import states as eversend
from gateway_adapters.flutterwave import states as flutterwave
from kit.errors import ErrorCode
from services.bff.problems import _STATUS as BFF_STATUS
from services.payments.domain.failures import MEMBER_MESSAGES
from tests.docs.markdown import ROOT, document, named
from webhook_receiver.recorder import Recording
from webhook_receiver.routes import _REFUSALS as RECEIVER_REFUSALS

PAGE = document("docs/error-handling.md")
PAYMENTS_TABLE = "Payments, memberships, operations and gateway events"
_GATEWAY_FAILURES = {
    "NotCreatedError", "NotOfferedError", "NotSentError", "OutcomeUnknownError",
}  # fmt: skip


def test_every_error_of_the_payments_server_is_listed() -> None:
    assert _written(PAYMENTS_TABLE) == set(_raised_in("kit")) | set(_raised_in("services"))


def test_every_error_of_the_adapters_is_listed() -> None:
    assert _written("Adapters") == set(_raised_in("gateway_adapters"))


def test_every_error_says_what_to_do_and_whether_to_retry() -> None:
    for heading in (PAYMENTS_TABLE, "Adapters"):
        for code, reason, means, do, retry in PAGE.table(heading):
            assert all((code, reason, means, do)), reason
            assert retry in ("yes", "later", "no"), reason


def test_every_refusal_of_the_receiver_is_listed_with_its_status() -> None:
    written = {
        (int(status), outcome)
        for status, outcomes, *_ in PAGE.table("Webhook receiver")
        for outcome in named(outcomes)
    }
    refusals = {(each.status, each.outcome) for each in RECEIVER_REFUSALS.values()}
    assert written == refusals | {(200, each.value) for each in Recording}


def test_every_code_has_its_http_status_at_the_bff() -> None:
    written = {
        ErrorCode[code]: int(status) for status, codes in PAGE.table("BFF") for code in named(codes)
    }
    assert written == BFF_STATUS


def test_members_read_exactly_what_the_page_says() -> None:
    table = PAGE.table("Failure codes of payments")
    assert {named(code)[0]: sentence for code, sentence in table} == MEMBER_MESSAGES


def test_every_code_of_the_adapters_is_explained() -> None:
    others = {named(row[0])[0] for row in PAGE.table("Codes without a sentence of their own")}
    assert others == _codes_of_the_adapters() - MEMBER_MESSAGES.keys()


def _written(heading: str) -> set[tuple[str, str]]:
    rows = [(named(code)[0], named(reason)[0]) for code, reason, *_ in PAGE.table(heading)]
    assert len(rows) == len(set(rows)), "an error is listed twice"
    return set(rows)


def _nodes_of(package: str) -> Iterator[ast.AST]:
    for path in sorted((ROOT / package).rglob("*.py")):
        yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def _raised_in(package: str) -> Iterator[tuple[str, str]]:
    """Yield every `ErrorCode.X, "REASON"` that is written side by side."""
    for node in _nodes_of(package):
        items = node.args if isinstance(node, ast.Call) else getattr(node, "elts", [])
        for code, reason in pairwise(items):
            if ast.unparse(code).startswith("ErrorCode.") and isinstance(reason, ast.Constant):
                yield ast.unparse(code).removeprefix("ErrorCode."), str(reason.value)


def _codes_of_the_adapters() -> set[str]:
    constructed = {
        str(node.args[0].value)
        for node in _nodes_of("gateway_adapters")
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in _GATEWAY_FAILURES
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    phrases = (
        *eversend._DECLINES, *eversend._REFUSALS, *flutterwave._DECLINES, *flutterwave._REFUSALS,
    )  # fmt: skip
    shared = {
        verdicts.DUPLICATE_REFERENCE,
        verdicts.GATEWAY_CONFIGURATION,
        verdicts.GATEWAY_CREDENTIALS,
    }
    return constructed | shared | {code for _, code in phrases}
