"""Where a request comes from, also when proxies that we trust stand in between."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any, Final, TypeAlias

from starlette.types import Scope

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# Nobody's address, for a client that was gone before it could be asked for its own.
GONE: Final = "0.0.0.0"  # noqa: S104 - compared with, never bound

_FORWARDED = b"x-forwarded-for"
# Whoever has one IPv6 address has its /64.
_IPV6_SITE_BITS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who sent a request. `proxied`: whether it came through a proxy that we trust."""

    address: Address
    proxied: bool

    @property
    def site(self) -> str:
        """What limits are counted by."""
        return site_of(self.address)


def source_of(scope: Scope, trusted_proxies: Sequence[Network]) -> Source:
    """Return who sent a request.

    `X-Forwarded-For` counts only when the connection itself comes from one of `trusted_proxies`.
    It is read from its end: each proxy adds whom it saw, and only what our own proxies added is
    known to be true. What stands before the first stranger, or before anything that is not an
    address, is somebody's claim.
    """
    peer = parse_address(scope["client"][0] if scope["client"] else GONE)
    if not within(peer, trusted_proxies):
        return Source(address=peer, proxied=False)
    seen = peer
    for hop in reversed(_forwarded(scope)):
        try:
            seen = parse_address(hop)
        except ValueError:
            break
        if not within(seen, trusted_proxies):
            break
    return Source(address=seen, proxied=True)


def site_of(address: Address) -> str:
    """Return the address, or its network where one client has as many addresses as it likes."""
    if isinstance(address, IPv6Address):
        return str(ip_network((address, _IPV6_SITE_BITS), strict=False))
    return str(address)


def parse_address(text: str) -> Address:
    """Read an address; an IPv4 address inside of an IPv6 one is the former. Raises `ValueError`."""
    address = ip_address(text.strip())
    return getattr(address, "ipv4_mapped", None) or address


def parse_networks(value: object) -> Any:
    """Read "10.0.0.0/8,2001:db8::/32" into networks, for a setting. Raises `ValueError`."""
    if not isinstance(value, str):
        return value
    return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())


def within(address: Address, networks: Sequence[Network]) -> bool:
    """Tell whether an address is in one of the networks."""
    return any(address in network for network in networks)


def _forwarded(scope: Scope) -> list[str]:
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED]
    return ",".join(values).split(",") if values else []
