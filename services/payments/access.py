"""Which service may call what: the allow-list of the payments server.

bff: acts for members, always with their token. platform: the platform's own services. operator:
staff tools. webhook-receiver: hands over verified callbacks and nothing else.
"""

from collections.abc import Mapping

ALLOWED_CALLERS: Mapping[str, frozenset[str]] = {
    "payments.v1.PaymentsService": frozenset({"bff", "platform", "operator"}),
    "memberships.v1.MembershipsService": frozenset({"bff", "platform", "operator"}),
    "payments.v1.GatewayEventsService": frozenset({"webhook-receiver"}),
    "operations.v1.OperationsService": frozenset({"operator"}),
}

MUST_ACT_FOR_MEMBER = frozenset({"bff"})

# What a visitor may see before logging in.
OPEN_METHODS = frozenset({"/memberships.v1.MembershipsService/ListTiers"})
