"""How Flutterwave knows us: the secret key as a bearer token (contract A1)."""

from collections.abc import Mapping

from pydantic import SecretStr


class KeyAuth:
    """Signs requests with the secret key."""

    def __init__(self, secret_key: SecretStr) -> None:
        self._secret_key = secret_key

    def headers(self) -> Mapping[str, str]:
        """Return the headers that authenticate a request."""
        return {"Authorization": f"Bearer {self._secret_key.get_secret_value()}"}
