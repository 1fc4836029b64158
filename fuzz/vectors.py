"""Other people's test vectors, from a folder outside of the repository: JSON parsing, HMAC.

`json_parsing/` as in nst/JSONTestSuite (test_parsing), `wycheproof/` as in C2SP/wycheproof
(testvectors_v1).
"""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from gateway_adapters.callbacks import is_one_of
from gateway_adapters.eversend.callbacks import signature as eversend_signature
from gateway_adapters.flutterwave.callbacks import signature as flutterwave_signature
from gateway_adapters.json_body import JsonBodyError, read_json

# Valid JSON that we refuse all the same, and why.
STRICTER: Final = {
    "a key is repeated": "two readers of one body must not see two values",
    "a text contains NUL or half a surrogate pair": "no database can store it",
    "the body has more than 32 levels": "no gateway nests as deep",
    "a number is too long": "no gateway writes such numbers",
    "a number is out of every range": "no gateway writes such numbers",
}
_HMACS: Final = ("hmac_sha256_test.json", "hmac_sha512_test.json")


class NoVectorsError(Exception):
    """The folder has none of the vectors; a run of zero tests proves nothing."""


@dataclass(slots=True, kw_only=True)
class Report:
    """What one suite came to. `slowest`: most CPU seconds that one vector took."""

    suite: str
    counts: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def total(self) -> int:
        """How many vectors were run."""
        return sum(self.counts.values())

    def count(self, kind: str) -> None:
        """Count one vector."""
        self.counts[kind] = self.counts.get(kind, 0) + 1


def run_vectors(folder: Path) -> list[Report]:
    """Run every suite. Raises `NoVectorsError` when one is not there."""
    reports = [_run_json(folder / "json_parsing")]
    reports += [_run_hmac(folder / "wycheproof" / name) for name in _HMACS]
    for report in reports:
        if not report.total:
            raise NoVectorsError(f"{folder} has no vectors for {report.suite}")
    return reports


def _run_json(folder: Path) -> Report:
    report = Report(suite="json_parsing")
    for path in sorted(folder.glob("[yni]_*.json")):
        began = time.process_time()
        refusal = _refusal(path.read_bytes())
        report.slowest = max(report.slowest, time.process_time() - began)
        match path.name[0]:
            case "y" if refusal is not None and refusal not in STRICTER:
                report.failures.append(f"{path.name} was refused: {refusal}")
            case "n" if refusal is None:
                report.failures.append(f"{path.name} was accepted")
        outcome = "accepted" if refusal is None else "refused"
        report.count(f"{path.name[0]}_ {outcome}")
    return report


def _refusal(raw: bytes) -> str | None:
    """Return why a body is refused, or None. What else it raises is a defect and goes through."""
    try:
        read_json(raw)
    except JsonBodyError as error:
        return str(error)
    return None


def _run_hmac(path: Path) -> Report:
    report = Report(suite=path.stem)
    for group, test in _hmac_tests(path):
        key, message, tag = (bytes.fromhex(test[name]) for name in ("key", "msg", "tag"))
        whole = group["tagSize"] == _full_size(path)
        began = time.process_time()
        accepted = _accepts(path, key, message, tag)
        report.slowest = max(report.slowest, time.process_time() - began)
        # No gateway truncates, so a truncated tag is no signature even where it is a valid one.
        if accepted != (whole and test["result"] == "valid"):
            report.failures.append(f"{path.stem} {test['tcId']}: accepted is {accepted}")
        report.count(f"{test['result']}{'' if whole else ', truncated'}")
    return report


def _hmac_tests(path: Path) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    if not path.is_file():
        return
    for group in json.loads(path.read_bytes())["testGroups"]:
        for test in group["tests"]:
            yield group, test


def _full_size(path: Path) -> int:
    return 256 if "sha256" in path.stem else 512


def _accepts(path: Path, key: bytes, message: bytes, tag: bytes) -> bool:
    """Write the tag as the gateway writes it, and compare as its verifier does."""
    if "sha256" in path.stem:
        return is_one_of(base64.b64encode(tag), [flutterwave_signature(key, message)])
    return is_one_of(tag.hex().encode(), [eversend_signature(key, message)])
