"""Every process of the product: how it is started, and the settings that it reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic_settings import BaseSettings

from db.__main__ import MigrationSettings
from gateway_adapters.eversend.settings import EversendCallbackSettings, EversendSettings
from gateway_adapters.flutterwave.settings import FlutterwaveCallbackSettings, FlutterwaveSettings
from gateway_sandboxes.eversend import settings as eversend_sandbox
from gateway_sandboxes.flutterwave import settings as flutterwave_sandbox
from services.bff.settings import BffSettings
from services.payments.settings import ServerSettings, WorkerSettings
from webhook_receiver.settings import ReceiverSettings

# Values for what has no default; plainly not anybody's.
REQUIRED: Mapping[str, str] = {
    "DATABASE_OWNER_PASSWORD": "local-owner-password-1",
    "DATABASE_PASSWORD": "local-app-password-22",
    "DATABASE_OWNER_URL": "postgresql://owner:local-owner-password-1@localhost:5432/payments",
    "DATABASE_URL": "postgresql://app:local-app-password-22@localhost:5432/payments",
    "BFF_TOKEN": "local-bff-token-3333",
    "WEBHOOK_RECEIVER_TOKEN": "local-receiver-token-4",
    "OPERATOR_TOKEN": "local-operator-token-5",
    "PLATFORM_TOKEN": "local-platform-token-6",
    "GATEWAY_TOKEN": "local-gateway-token-77",
    "JWT_SECRET": "local-jwt-secret-888888-888888-8888",
    "FLUTTERWAVE_SECRET_KEY": "FLWSECK_TEST-00000000000000000000000000000000-X",
    "FLUTTERWAVE_WEBHOOK_SECRET": "local-flutterwave-hash-9",
    "EVERSEND_CLIENT_ID": "local-client-id",
    "EVERSEND_CLIENT_SECRET": "local-client-secret-10",
    "EVERSEND_WEBHOOK_SECRET": "local-eversend-secret-11",
    "SERVICE_TOKENS": "bff=local-bff-token-3333,operator=local-operator-token-5",
    "GATEWAYS": "eversend=localhost:50052,flutterwave=localhost:50053",
    "DEFAULT_RETURN_URL": "http://localhost:8080/",
    "GATEWAY_SERVICE_TOKENS": "payments=local-gateway-token-77",
    "PAYMENTS_SERVICE_TOKEN": "local-bff-token-3333",
}

# HS256, the default of JWT_ALGORITHMS, needs it.
_REQUIRED_BY_ANOTHER = frozenset({"jwt_secret"})

SandboxReader = Callable[[Mapping[str, str]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One kind of process.

    `arguments`: what follows `python -m`. `settings`: the classes it reads from the environment;
    none for a sandbox, which has a `sandbox` reader and the `sandbox_names` of its variables.
    """

    arguments: str
    settings: tuple[type[BaseSettings], ...] = ()
    sandbox: SandboxReader | None = None
    sandbox_names: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """The environment variables that it reads."""
        fields = {name.upper() for each in self.settings for name in each.model_fields}
        return self.sandbox_names | fields

    @property
    def required(self) -> frozenset[str]:
        """Those without a default, or whose default is refused because of another one's."""
        return frozenset(
            name.upper()
            for each in self.settings
            for name, field in each.model_fields.items()
            if field.is_required() or name in _REQUIRED_BY_ANOTHER
        )


def _sandbox_names(prefix: str, *kinds: type) -> frozenset[str]:
    names = {name for kind in kinds for name in kind.__annotations__} - {"behaviour"}
    return frozenset(f"{prefix}{name.upper()}" for name in names)


PROCESSES = (
    Process(arguments="db migrate", settings=(MigrationSettings,)),
    Process(arguments="services.payments server", settings=(ServerSettings,)),
    Process(arguments="services.payments worker", settings=(WorkerSettings,)),
    Process(arguments="gateway_adapters eversend", settings=(EversendSettings,)),
    Process(arguments="gateway_adapters flutterwave", settings=(FlutterwaveSettings,)),
    Process(
        arguments="webhook_receiver",
        settings=(ReceiverSettings, EversendCallbackSettings, FlutterwaveCallbackSettings),
    ),
    Process(arguments="services.bff", settings=(BffSettings,)),
    Process(
        arguments="gateway_sandboxes.eversend",
        sandbox=eversend_sandbox.Settings.from_environment,
        sandbox_names=_sandbox_names(
            eversend_sandbox.PREFIX, eversend_sandbox.Settings, eversend_sandbox.Behaviour
        ),
    ),
    Process(
        arguments="gateway_sandboxes.flutterwave",
        sandbox=flutterwave_sandbox.Settings.from_environment,
        sandbox_names=_sandbox_names(
            flutterwave_sandbox.PREFIX,
            flutterwave_sandbox.Settings,
            flutterwave_sandbox.Behaviour,
        ),
    ),
)
