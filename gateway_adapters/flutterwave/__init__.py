"""Flutterwave v3: hosted checkout for cards, mobile money and express methods."""

from gateway_adapters.flutterwave.registration import REGISTRATION

__all__ = ["REGISTRATION"]
