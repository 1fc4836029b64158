"""The runner of other people's vectors counts, compares, and never calls nothing a success."""

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest

from fuzz.__main__ import main
from fuzz.vectors import NoVectorsError, run_vectors

_KEY = bytes(range(32))
_MESSAGE = b"a message of our own"


def _test(number: int, tag: bytes, result: str) -> dict[str, Any]:
    return {"tcId": number, "key": _KEY.hex(), "msg": _MESSAGE.hex(), "tag": tag.hex(),
            "result": result}  # fmt: skip


def _groups(name: str, *, wrong: bool = False) -> dict[str, Any]:
    tag = hmac.digest(_KEY, _MESSAGE, name)
    bits = hashlib.new(name).digest_size * 8
    changed = bytes([tag[0] ^ 1]) + tag[1:]
    whole = [_test(1, tag, "invalid" if wrong else "valid"), _test(2, changed, "invalid")]
    return {
        "testGroups": [
            {"tagSize": bits, "tests": whole},
            {"tagSize": 128, "tests": [_test(3, tag[:16], "valid")]},
        ]
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    parsing, wycheproof = tmp_path / "json_parsing", tmp_path / "wycheproof"
    parsing.mkdir()
    wycheproof.mkdir()
    for name, content in {
        "y_object.json": b'{"a":1}', "y_repeated.json": b'{"a":1,"a":2}', "n_nan.json": b"[NaN]",
        "i_mark.json": b"\xef\xbb\xbf{}", "LICENSE": b"not a vector",
    }.items():  # fmt: skip
        (parsing / name).write_bytes(content)
    for name in ("sha256", "sha512"):
        (wycheproof / f"hmac_{name}_test.json").write_text(json.dumps(_groups(name)))
    return tmp_path


def test_every_vector_is_counted_and_a_stated_policy_is_no_failure(folder: Path) -> None:
    parsing, short, long = run_vectors(folder)

    assert parsing.counts == {"y_ accepted": 1, "y_ refused": 1, "n_ refused": 1, "i_ refused": 1}
    assert short.counts == long.counts == {"valid": 1, "invalid": 1, "valid, truncated": 1}
    assert not [*parsing.failures, *short.failures, *long.failures]
    assert main(["vectors", str(folder)]) == 0


@pytest.mark.parametrize(
    ("name", "content", "failure"),
    [
        ("n_fine.json", b"[1]", "n_fine.json was accepted"),
        ("y_broken.json", b"[1", "y_broken.json was refused: the body is not strict JSON"),
    ],
)
def test_a_vector_that_comes_out_wrong_is_a_failure(
    folder: Path, name: str, content: bytes, failure: str
) -> None:
    (folder / "json_parsing" / name).write_bytes(content)

    assert run_vectors(folder)[0].failures == [failure]
    assert main(["vectors", str(folder)]) == 1


@pytest.mark.parametrize("name", ["sha256", "sha512"])
def test_a_signature_that_comes_out_wrong_is_a_failure(folder: Path, name: str) -> None:
    path = folder / "wycheproof" / f"hmac_{name}_test.json"
    path.write_text(json.dumps(_groups(name, wrong=True)))
    failures = [each for report in run_vectors(folder) for each in report.failures]

    assert failures == [f"hmac_{name}_test 1: accepted is True"]


@pytest.mark.parametrize(
    "missing", ["json_parsing/*", "wycheproof/hmac_sha256*", "wycheproof/hmac_sha512*"]
)
def test_a_folder_without_vectors_is_an_error(folder: Path, missing: str) -> None:
    for path in folder.glob(missing):
        path.unlink()
    with pytest.raises(NoVectorsError):
        run_vectors(folder)
    assert main(["vectors", str(folder)]) == 64
