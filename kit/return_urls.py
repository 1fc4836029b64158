"""Where a gateway's page may send a member back to: known origins, written in one plain way."""

import re
from collections.abc import Collection

# Scheme, host and port exactly as a browser would show them; then printable ASCII without what
# browsers and libraries read differently: backslashes, quotes, brackets, fragments, user names.
_PLAIN = re.compile(
    r"(https?://[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?(?::[1-9][0-9]{0,4})?)"
    r"(?:[/?][A-Za-z0-9/?&=%._~:,;+!$'()*@-]*)?",
    re.ASCII,
)
_ORIGIN = re.compile(_PLAIN.pattern.partition("(?:[/?]")[0], re.ASCII)
_DEFAULT_PORTS = (("https://", ":443"), ("http://", ":80"))
_MAX_LENGTH = 2000


def parse_origins(text: str, *, https_only: bool) -> frozenset[str]:
    """Read "https://app.example,https://other.example:8443", for a setting.

    Raises `ValueError` for what is not an origin as browsers write it.
    """
    origins = [part.strip() for part in text.split(",") if part.strip()]
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError('must be origins such as "https://app.example", separated by commas')
        if _names_its_own_port(origin):
            raise ValueError("must not name the scheme's own port")
        if https_only and not origin.startswith("https://"):
            raise ValueError("must be https outside development")
    return frozenset(origins)


def may_return_to(url: str, origins: Collection[str]) -> bool:
    """Whether `url` (absolute) is a plain address at one of `origins`."""
    if len(url) > _MAX_LENGTH:
        return False
    match = _PLAIN.fullmatch(url)
    return match is not None and match[1] in origins


def _names_its_own_port(origin: str) -> bool:
    return any(
        origin.startswith(scheme) and origin.endswith(port) for scheme, port in _DEFAULT_PORTS
    )
