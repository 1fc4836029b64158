"""A stateful stand-in for Flutterwave v3: the API, the hosted page and the webhooks."""

from gateway_sandboxes.flutterwave.sandbox import Sandbox
from gateway_sandboxes.flutterwave.settings import Behaviour, Settings

__all__ = ["Behaviour", "Sandbox", "Settings"]
