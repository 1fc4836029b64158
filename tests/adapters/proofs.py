"""What the payments service reads from a failed call."""

from kit.errors import ServiceError


def assert_proves(error: ServiceError, reason: str, *, alert: bool = False) -> None:
    """Require the typed failure that the payments service decides by."""
    assert error.reason == reason, error
    assert error.metadata["domain"] == "gateways.v1"
    assert error.metadata["gateway"] in ("eversend", "flutterwave")
    assert error.metadata["operator_alert"] == ("true" if alert else "false")
    assert error.metadata["code"]
