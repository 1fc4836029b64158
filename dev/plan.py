"""The processes of the local stack, each with exactly the settings and secrets it may hold."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from dev.checkout import Checkout
from dev.ports import HOST, Ports
from dev.postgres import Cluster
from dev.processes import Command
from dev.services import Service, grpc_check, http_check, never_well

POSTGRES = "postgres"
MIGRATE = "migrate"
DATABASE_NAME = "payments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """What the plan is made from.

    `secrets`: by name (dev/local_secrets.py). `owner_url`, `app_url`: the database for its owner
    and for the application's role. `cluster`: the embedded database, or None for another one.
    """

    checkout: Checkout
    ports: Ports
    secrets: Mapping[str, str] = field(repr=False)
    owner_url: str = field(repr=False)
    app_url: str = field(repr=False)
    cluster: Cluster | None

    def at(self, port: int) -> str:
        """Return "host:port"."""
        return f"{HOST}:{port}"

    def url(self, port: int) -> str:
        """Return the base URL of an HTTP listener."""
        return f"http://{self.at(port)}"


def build_plan(stack: Stack) -> list[Service]:
    """Return every process in the order of starting."""
    return [
        *_database(stack),
        *_sandboxes(stack),
        *_adapters(stack),
        *_payments(stack),
        *_edge(stack),
    ]


def environment_file(stack: Stack) -> dict[str, str]:
    """Return how to reach the stack, for scripts and tests from outside."""
    ports = stack.ports
    return {
        "PAYMENTS_ADDRESS": stack.at(ports.payments),
        "SERVICE_TOKEN": stack.secrets["OPERATOR_TOKEN"],
        "DATABASE_URL": stack.app_url,
        "GATEWAYS": _gateways(stack),
        "GATEWAY_TOKEN": stack.secrets["GATEWAY_TOKEN"],
        "BFF_URL": stack.url(ports.bff),
        "WEBHOOK_URL": stack.url(ports.webhook_receiver),
        "FLUTTERWAVE_SANDBOX_URL": stack.url(ports.flutterwave_sandbox),
        "FLUTTERWAVE_SANDBOX_CONTROL_URL": stack.url(ports.flutterwave_sandbox_control),
        "FLUTTERWAVE_WEBHOOK_SECRET": stack.secrets["FLUTTERWAVE_WEBHOOK_SECRET"],
        "EVERSEND_SANDBOX_URL": stack.url(ports.eversend_sandbox),
        "EVERSEND_SANDBOX_CONTROL_URL": stack.url(ports.eversend_sandbox_control),
        "EVERSEND_WEBHOOK_SECRET": stack.secrets["EVERSEND_WEBHOOK_SECRET"],
    }


def _database(stack: Stack) -> list[Service]:
    services = []
    if stack.cluster:
        services.append(
            Service(
                command=stack.cluster.command(),
                purpose="database (PostgreSQL)",
                where=stack.at(stack.cluster.port),
                is_well=stack.cluster.is_ready,
            )
        )
    services.append(
        Service(
            command=_python(
                stack,
                (MIGRATE, "db", "migrate"),
                {"DATABASE_OWNER_URL": stack.owner_url, "DATABASE_URL": stack.app_url},
            ),
            purpose="schema and price book",
            where="",
            is_well=never_well,
            needs=(POSTGRES,) if stack.cluster else (),
            runs_once=True,
        )
    )
    return services


def _sandboxes(stack: Stack) -> list[Service]:
    ports, secrets = stack.ports, stack.secrets
    flutterwave = {
        "PORT": str(ports.flutterwave_sandbox),
        "CONTROL_PORT": str(ports.flutterwave_sandbox_control),
        "SECRET_KEY": secrets["FLUTTERWAVE_SECRET_KEY"],
        "WEBHOOK_SECRET": secrets["FLUTTERWAVE_WEBHOOK_SECRET"],
    }
    eversend = {
        "PORT": str(ports.eversend_sandbox),
        "CONTROL_PORT": str(ports.eversend_sandbox_control),
        "CLIENT_ID": secrets["EVERSEND_CLIENT_ID"],
        "CLIENT_SECRET": secrets["EVERSEND_CLIENT_SECRET"],
        "WEBHOOK_SECRET": secrets["EVERSEND_WEBHOOK_SECRET"],
    }
    return [_sandbox(stack, "flutterwave", flutterwave), _sandbox(stack, "eversend", eversend)]


def _sandbox(stack: Stack, gateway: str, settings: Mapping[str, str]) -> Service:
    prefix = f"{gateway.upper()}_SANDBOX_"
    # A developer may switch the sandbox's behaviour from the shell that runs the stack.
    chosen = {name: value for name, value in os.environ.items() if name.startswith(prefix)}
    fixed = {f"{prefix}{name}": value for name, value in settings.items()}
    fixed[f"{prefix}WEBHOOK_URL"] = f"{stack.url(stack.ports.webhook_receiver)}/webhooks/{gateway}"
    fixed[f"{prefix}STATE"] = str(stack.checkout.sandboxes / f"{gateway}.sqlite")
    control = stack.url(int(settings["CONTROL_PORT"]))
    return Service(
        command=_python(
            stack,
            (f"{gateway}-sandbox", f"gateway_sandboxes.{gateway}"),
            {**chosen, **fixed},
        ),
        purpose=f"{gateway.capitalize()}'s stand-in",
        where=stack.url(int(settings["PORT"])),
        is_well=http_check(f"{control}/_sandbox/health"),
    )


def _adapters(stack: Stack) -> list[Service]:
    ports, secrets = stack.ports, stack.secrets
    flutterwave = {
        "FLUTTERWAVE_LISTEN": stack.at(ports.flutterwave_adapter),
        "FLUTTERWAVE_BASE_URL": f"{stack.url(ports.flutterwave_sandbox)}/v3",
        "FLUTTERWAVE_SECRET_KEY": secrets["FLUTTERWAVE_SECRET_KEY"],
    }
    eversend = {
        "EVERSEND_LISTEN": stack.at(ports.eversend_adapter),
        "EVERSEND_BASE_URL": f"{stack.url(ports.eversend_sandbox)}/v1",
        "EVERSEND_CLIENT_ID": secrets["EVERSEND_CLIENT_ID"],
        "EVERSEND_CLIENT_SECRET": secrets["EVERSEND_CLIENT_SECRET"],
    }
    return [
        _adapter(stack, "flutterwave", ports.flutterwave_adapter, flutterwave),
        _adapter(stack, "eversend", ports.eversend_adapter, eversend),
    ]


def _adapter(stack: Stack, gateway: str, port: int, settings: Mapping[str, str]) -> Service:
    tokens = {"GATEWAY_SERVICE_TOKENS": f"payments={stack.secrets['GATEWAY_TOKEN']}"}
    return Service(
        command=_python(
            stack, (f"{gateway}-adapter", "gateway_adapters", gateway), {**settings, **tokens}
        ),
        purpose=f"adapter to {gateway.capitalize()}",
        where=stack.at(port),
        is_well=grpc_check(stack.at(port)),
    )


def _gateways(stack: Stack) -> str:
    """Return the adapters' addresses as the payments processes are told them."""
    ports = stack.ports
    adapters = {"eversend": ports.eversend_adapter, "flutterwave": ports.flutterwave_adapter}
    return ",".join(f"{name}={stack.at(port)}" for name, port in adapters.items())


def _payments(stack: Stack) -> list[Service]:
    ports, secrets = stack.ports, stack.secrets
    tokens = {
        "bff": secrets["BFF_TOKEN"],
        "webhook-receiver": secrets["WEBHOOK_RECEIVER_TOKEN"],
        "operator": secrets["OPERATOR_TOKEN"],
        "platform": secrets["PLATFORM_TOKEN"],
    }
    shared = {
        "DATABASE_URL": stack.app_url,
        "GATEWAYS": _gateways(stack),
        "GATEWAY_TOKEN": secrets["GATEWAY_TOKEN"],
    }
    server = {
        **shared,
        "PAYMENTS_LISTEN": stack.at(ports.payments),
        "SERVICE_TOKENS": ",".join(f"{name}={token}" for name, token in tokens.items()),
        "JWT_SECRET": secrets["JWT_SECRET"],
        "DEFAULT_RETURN_URL": f"{stack.url(ports.bff)}/return",
    }
    worker = {**shared, "WORKER_LISTEN": stack.at(ports.payments_worker)}
    return [
        Service(
            command=_python(stack, (f"payments-{part}", "services.payments", part), settings),
            purpose=purpose,
            where=stack.at(port),
            is_well=grpc_check(stack.at(port)),
            needs=(MIGRATE,),
        )
        for part, settings, purpose, port in (
            ("server", server, "payments and memberships", ports.payments),
            ("worker", worker, "handles callbacks, asks gateways", ports.payments_worker),
        )
    ]


def _edge(stack: Stack) -> list[Service]:
    ports, secrets = stack.ports, stack.secrets
    payments = {"PAYMENTS_ADDRESS": stack.at(ports.payments)}
    receiver = {
        **payments,
        "PAYMENTS_SERVICE_TOKEN": secrets["WEBHOOK_RECEIVER_TOKEN"],
        "WEBHOOK_LISTEN": stack.at(ports.webhook_receiver),
        "WEBHOOK_SPOOL": str(stack.checkout.spool / "webhooks.sqlite"),
        "FLUTTERWAVE_WEBHOOK_SECRET": secrets["FLUTTERWAVE_WEBHOOK_SECRET"],
        "EVERSEND_WEBHOOK_SECRET": secrets["EVERSEND_WEBHOOK_SECRET"],
    }
    bff = {
        **payments,
        "PAYMENTS_SERVICE_TOKEN": secrets["BFF_TOKEN"],
        "BFF_LISTEN": stack.at(ports.bff),
        "JWT_SECRET": secrets["JWT_SECRET"],
        "RETURN_ORIGINS": stack.url(ports.bff),
    }
    return [
        Service(
            command=_python(stack, ("webhook-receiver", "webhook_receiver"), receiver),
            purpose="takes the gateways' callbacks",
            where=stack.url(ports.webhook_receiver),
            is_well=http_check(f"{stack.url(ports.webhook_receiver)}/healthz"),
        ),
        Service(
            command=_python(stack, ("bff", "services.bff"), bff),
            purpose="API of the members' pages",
            where=stack.url(ports.bff),
            is_well=http_check(f"{stack.url(ports.bff)}/healthz"),
        ),
    ]


def _python(stack: Stack, name_and_module: tuple[str, ...], settings: Mapping[str, str]) -> Command:
    """Return how to run a module of this repository: its name in the stack, module, arguments."""
    name, *module = name_and_module
    surroundings = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "ENVIRONMENT": "development",
        "LOG_FORMAT": "json",
        "LOG_LEVEL": os.environ.get("LOG_LEVEL", "INFO"),
    }
    return Command(
        name=name,
        argv=(sys.executable, "-m", *module),
        environment={**surroundings, **settings},
        folder=stack.checkout.root,
    )
