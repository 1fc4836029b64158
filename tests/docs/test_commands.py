"""Commands, names, settings and ports in the documents are those of the code."""

import re
from functools import cache
from importlib.util import find_spec
from inspect import getsource

import pytest
from google.protobuf import json_format
from google.protobuf.message_factory import GetMessageClass
from pydantic_settings import BaseSettings

from dev import __main__ as dev_command
from dev.ports import Ports
from gateway_adapters.eversend.settings import EversendSettings
from gateway_adapters.flutterwave.settings import FlutterwaveSettings
from services.bff.settings import BffSettings
from services.payments.settings import ServerSettings, WorkerSettings
from tests.docs.markdown import ROOT, Document, document, documents, named
from tests.docs.servers import published_services
from webhook_receiver.settings import ReceiverSettings

OURS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/")
PAGES = [page for page in documents() if page.path.startswith(OURS)]
SETTINGS: tuple[type[BaseSettings], ...] = (
    ServerSettings, WorkerSettings, EversendSettings, FlutterwaveSettings, ReceiverSettings,
    BffSettings,
)  # fmt: skip
METHODS = {
    f"{service.full_name}/{method.name}": method
    for service in published_services()
    for method in service.methods
}
_SOURCES = (
    "*.py",
    "*.proto",
    "*.toml",
    "Makefile",
    "docker-compose.yml",
    "buf.yaml",
    ".env.example",
)
_MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
_MODULE = re.compile(r"python -m ([a-z_.]+)")
_RPC = re.compile(r"rpc (\S+/\w+) '(\{.*?\})'(?!\$)", re.DOTALL)
_LOUD_NAME = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_PATH = re.compile(r"[a-z_.]+(?:/[a-z_.]+)+/?")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_make_target_that_a_document_names_exists(page: Document) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    written = [*page.spans(), *page.blocks("sh")]
    assert {name for text in written for name in _MAKE.findall(text)} <= targets


def test_every_make_target_is_explained_to_contributors() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    rows = document("CONTRIBUTING.md").table("Set up")
    explained = {_MAKE.findall(named(command)[0])[0] for command, _ in rows}
    assert explained == targets - {"help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_module_that_a_document_runs_exists(page: Document) -> None:
    modules = set(_MODULE.findall(page.text))
    assert [name for name in modules if find_spec(name) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_name_in_capitals_occurs_in_the_code(page: Document) -> None:
    names = {name for span in page.spans() for name in _LOUD_NAME.findall(span)}
    assert {name for name in names if name not in _code()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_every_path_in_backticks_exists(page: Document) -> None:
    paths = {span for span in page.spans() if _PATH.fullmatch(span) and "/" in span.strip("/")}
    mine = {path for path in paths if (ROOT / path.split("/")[0]).is_dir() and path[0] != "."}
    assert {path for path in mine if not (ROOT / path).exists()} == set()


def test_every_request_on_the_front_page_is_one_of_its_method() -> None:
    written = [
        match for block in document("README.md").blocks("sh") for match in _RPC.findall(block)
    ]
    assert {path.rpartition("/")[2] for path, _ in written} >= {"CreatePayment", "ListTiers"}
    for path, body in written:
        json_format.Parse(body, GetMessageClass(METHODS[path].input_type)())


def test_every_call_on_the_front_page_exists() -> None:
    calls = set(re.findall(r"rpc (\S+/\w+)", document("README.md").text))
    assert calls <= METHODS.keys()
    assert {"CreatePayment", "GetPayment", "WatchPayment", "ExplainPayment"} <= {
        METHODS[call].name for call in calls
    }


def test_the_ports_are_those_of_the_local_stack() -> None:
    written = {
        owner: int(port) for port, owner in document("ARCHITECTURE.md").table("The local stack")
    }
    assert written == dict(Ports().by_owner())


def test_the_time_limits_are_the_defaults_of_the_settings() -> None:
    defaults = {
        (name.upper(), f"{field.default:g} s")
        for settings in SETTINGS
        for name, field in settings.model_fields.items()
        if isinstance(field.default, float)
    }
    rows = document("ARCHITECTURE.md").table("Deadlines")
    written = {(named(setting)[0], limit) for _, setting, limit in rows}
    named_settings = {name for name, _ in written}
    assert written == {each for each in defaults if each[0] in named_settings}


def test_every_command_of_the_launcher_has_a_make_target() -> None:
    commands = set(re.findall(r'add_parser\("([a-z-]+)"', getsource(dev_command)))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {name for name in commands if f"python -m dev {name}" not in makefile} == set()


@cache
def _code() -> str:
    """Return everything that a name could come from, without the documents and these tests."""
    files = [
        path
        for pattern in _SOURCES
        for path in ROOT.rglob(pattern)
        if not any(part.startswith(".venv") for part in path.parts)
        and not path.is_relative_to(ROOT / "tests" / "docs")
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)
