"""The rules that hold the parts apart, as far as a program can check them."""

import ast
import asyncio
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from gateway_adapters.registry import REGISTRY

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("db", "gateway_adapters", "kit", "services", "webhook_receiver")
OURS = (
    *PRODUCT, "dev", "examples", "fuzz", "gateway_sandboxes", "payments_client", "proofs", "tests",
    "time_machine",
)  # fmt: skip
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 70
VAGUE_NAMES = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
TIME_AND_CHANCE = {
    "date.today", "datetime.now", "datetime.today", "datetime.utcnow", "time.time", "time.time_ns",
    "uuid.uuid1", "uuid.uuid4", "uuid1", "uuid4",
}  # fmt: skip
# Where time and chance come from; everything else is handed them.
SOURCES_OF_TIME_AND_CHANCE = {"kit/clock.py", "kit/ids.py"}
# What a process is made of: built where a process begins, and handed to everything else.
PARTS_OF_A_PROCESS = {"GrpcServer", "PostgresStorage", "ServiceChannel", "SystemIds"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One of our Python files. `path`: from the repository's root."""

    path: str
    text: str
    tree: ast.Module

    def calls(self) -> Iterator[tuple[str, int]]:
        """Yield the dotted name and line of every call whose name is written out."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and (name := dotted(node.func)):
                yield name, node.lineno

    def imports(self) -> Iterator[str]:
        """Yield the full name of every module that is imported, wherever in the file."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module


def dotted(node: ast.expr) -> str:
    """Return "a.b.c" for a name or a chain of attributes, else an empty text."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return ""


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Return our Python files under `folders`."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return tuple(_read(path) for path in paths)


def _read(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    return Source(path=path.relative_to(ROOT).as_posix(), text=text, tree=ast.parse(text))


async def run(*command: str) -> tuple[int | None, str]:
    """Run a program in the repository's root; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


async def test_every_import_contract_is_kept() -> None:
    """The contracts are in pyproject.toml, under tool.importlinter."""
    linter = Path(sys.executable).with_name("lint-imports")
    code, report = await run(str(linter), "--no-cache")
    assert code == 0, report


def test_every_gateway_is_kept_apart_from_the_others() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = project["tool"]["importlinter"]["contracts"]
    apart = next(each["modules"] for each in contracts if each["type"] == "independence")
    assert set(apart) == {f"gateway_adapters.{name}" for name in REGISTRY}


def test_the_rules_look_at_the_whole_repository() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == {*OURS, "protos"}


def test_the_webhook_receiver_takes_only_callbacks_and_the_registry_from_the_adapters() -> None:
    taken = {
        name
        for source in sources("webhook_receiver")
        for name in source.imports()
        if name.startswith("gateway_adapters")
    }
    assert taken == {"gateway_adapters.callbacks", "gateway_adapters.registry"}


@pytest.mark.parametrize(
    ("module", "must_not_load"),
    [
        ("webhook_receiver.__main__", {"httpx", "aiohttp", "sqlalchemy", "asyncpg", "db"}),
        ("services.bff.__main__", {"httpx", "aiohttp", "sqlalchemy", "asyncpg", "db"}),
        ("gateway_adapters.registry", {"httpx", "aiohttp", "sqlalchemy", "asyncpg", "db"}),
        ("gateway_adapters.__main__", {"sqlalchemy", "asyncpg", "db", "services"}),
        ("services.payments.__main__", {"httpx", "aiohttp", "gateway_adapters"}),
        ("services.payments.operations.create_payment", {"grpc", "sqlalchemy", "protos", "db"}),
        ("gateway_sandboxes.flutterwave.sandbox", {"kit", "protos", "services", "db"}),
        ("gateway_sandboxes.eversend.sandbox", {"kit", "protos", "services", "db"}),
    ],
)
async def test_a_process_does_not_even_load_what_it_may_not_use(
    module: str, must_not_load: set[str]
) -> None:
    program = f"import {module}, sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    code, output = await run(sys.executable, "-c", program)
    loaded = set(output.split())
    assert code == 0, output
    assert module.partition(".")[0] in loaded
    assert not loaded & must_not_load


def test_only_entry_points_build_the_parts_of_a_process() -> None:
    found = [
        f"{source.path}:{line} builds {name}"
        for source in sources(*PRODUCT)
        if not source.path.endswith("__main__.py")
        for name, line in source.calls()
        if name.rpartition(".")[2] in PARTS_OF_A_PROCESS
    ]
    assert not found


def test_time_and_chance_are_handed_in() -> None:
    found = [
        f"{source.path}:{line} calls {name}"
        for source in sources(*PRODUCT)
        if source.path not in SOURCES_OF_TIME_AND_CHANCE
        for name, line in source.calls()
        if name in TIME_AND_CHANCE or name.startswith("random.")
    ]
    assert not found


def test_no_test_patches_our_own_code() -> None:
    found = [
        f"{source.path}:{line} calls {name}"
        for source in sources("tests")
        for name, line in source.calls()
        if name.endswith(("mock.patch", "patch.object", "monkeypatch.setattr"))
    ]
    found += [
        f"{source.path} imports {name}"
        for source in sources("tests")
        for name in source.imports()
        if name == "unittest.mock"
    ]
    assert not found


def test_files_and_functions_are_short() -> None:
    found = [
        f"{source.path} has {lines} lines"
        for source in sources(*OURS)
        if (lines := len(source.text.splitlines())) > MOST_LINES_OF_A_FILE
    ]
    found += [
        f"{source.path}:{node.lineno} {node.name} has {lines} lines"
        for source in sources(*OURS)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES_OF_A_FUNCTION
    ]
    assert not found


def test_every_module_says_what_belongs_in_it_and_has_a_telling_name() -> None:
    found = [
        f"{source.path} has no docstring"
        for source in sources(*OURS)
        if not ast.get_docstring(source.tree)
    ]
    found += [
        f"{source.path} has a name that says nothing"
        for source in sources(*OURS)
        if VAGUE_NAMES & {Path(source.path).stem, Path(source.path).parent.name}
    ]
    assert not found
