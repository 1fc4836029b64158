"""Eversend: mobile-money collections by a prompt on the payer's phone."""

from gateway_adapters.eversend.registration import REGISTRATION

__all__ = ["REGISTRATION"]
