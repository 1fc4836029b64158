"""Members' tokens made by hand, so that what our own code never writes can be tried too."""

import base64
import hashlib
import hmac
import json
from typing import Any

SECRET = "user-token-secret-for-tests-0001"
HEADER = {"alg": "HS256", "typ": "JWT"}


def encoded(part: object) -> str:
    """Return base64url without padding, of bytes as they are and of anything else as JSON."""
    raw = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def made(
    header: object, claims: object, *, secret: str = SECRET, digest: Any = hashlib.sha256
) -> str:
    """Sign by hand: HMAC of header and claims."""
    signing_input = f"{encoded(header)}.{encoded(claims)}"
    signature = hmac.new(secret.encode(), signing_input.encode(), digest).digest()
    return f"{signing_input}.{encoded(signature)}"
