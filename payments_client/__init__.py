"""A client of the payments service for other services: channel, credentials, deadlines, retries."""

from payments_client.client import PaymentsClient
from payments_client.errors import reason_of
from payments_client.retries import RetryPolicy

__all__ = ["PaymentsClient", "RetryPolicy", "reason_of"]
