"""Which gateway comes first: as the service has it when nobody changes it."""

from services.payments.domain.payment import PaymentMethod
from services.payments.ports import Routing
from services.payments.settings import PaymentsSettings, parse_pairs


def default_routing() -> Routing:
    """Return the default preferences."""
    pairs = parse_pairs(PaymentsSettings.model_fields["routing"].default)
    return Routing(
        preferences={PaymentMethod(method): names.split("+") for method, names in pairs.items()}
    )
