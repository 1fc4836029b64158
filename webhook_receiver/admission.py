"""Who may speak to the receiver at all, decided before a byte of a body is read."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from kit.http_sources import Network, source_of, within
from webhook_receiver.rate_limit import RateLimit


class SourceNotAllowedError(Exception):
    """The request comes from where no gateway is, or past the proxy that has the TLS."""


class TooManyRequestsError(Exception):
    """The source has sent more than any gateway does."""


class BodyEncodedError(Exception):
    """The body is compressed: a signature covers bytes, and few bytes can become very many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The receiver's doorkeeper.

    `rate_limit`: for each source. `trusted_proxies`: whose `X-Forwarded-For` is believed.
    `allowed_networks`: where gateways are, or empty for anywhere (Flutterwave's addresses change,
    contract A14). `plain_http_allowed`: whether a request may come neither over our own TLS nor
    through a trusted proxy.
    """

    rate_limit: RateLimit
    trusted_proxies: Sequence[Network] = ()
    allowed_networks: Sequence[Network] = ()
    plain_http_allowed: bool = True

    def check(self, request: Request) -> None:
        """Let a request in.

        Raises `SourceNotAllowedError`, `TooManyRequestsError`, `BodyEncodedError`.
        """
        source = source_of(request.scope, self.trusted_proxies)
        private = source.proxied or request.scope["scheme"] == "https"
        if not (private or self.plain_http_allowed):
            raise SourceNotAllowedError
        if self.allowed_networks and not within(source.address, self.allowed_networks):
            raise SourceNotAllowedError
        if not self.rate_limit.admit(source.site):
            raise TooManyRequestsError
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise BodyEncodedError
