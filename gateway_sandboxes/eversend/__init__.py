"""A stateful stand-in for Eversend's business API: collections, the payer's phone, webhooks."""

from gateway_sandboxes.eversend.sandbox import Sandbox
from gateway_sandboxes.eversend.settings import Behaviour, Settings

__all__ = ["Behaviour", "Sandbox", "Settings"]
