"""An identity provider's keys, and tokens signed with them by hand."""

import json
from collections.abc import Mapping
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from tests.kit.tokens import encoded

_LIBRARY_NAMES = {"EdDSA": "Ed25519"}
KEYS: Mapping[str, Key] = {
    "RS256": RSAKey.generate_key(2048),
    "ES256": ECKey.generate_key("P-256"),
    "EdDSA": OKPKey.generate_key("Ed25519"),
}
ANOTHER_KEY = ECKey.generate_key("P-256")


def published(
    algorithm: str = "ES256", *, key: Key | None = None, **changes: Any
) -> dict[str, Any]:
    """Return one entry of a key set; None as a change leaves a member out."""
    public: dict[str, Any] = dict((key or KEYS[algorithm]).as_dict(private=False))
    members = {**public, "kid": f"key-{algorithm}", "alg": algorithm, "use": "sig", **changes}
    return {name: value for name, value in members.items() if value is not None}


def key_set(*entries: object) -> bytes:
    """Return a key set as a provider publishes it."""
    return json.dumps({"keys": entries}).encode()


def signed(
    claims: object, algorithm: str = "ES256", *, key: Key | None = None, **header: Any
) -> str:
    """Sign claims; `header` adds to and replaces what the header says, whatever it then means."""
    fields = {"alg": algorithm, "kid": f"key-{algorithm}", "typ": "JWT", **header}
    text = f"{encoded(fields)}.{encoded(claims)}"
    model = jws.default_registry.algorithms[_LIBRARY_NAMES.get(algorithm, algorithm)]
    return f"{text}.{encoded(model.sign(text.encode(), key or KEYS[algorithm]))}"
