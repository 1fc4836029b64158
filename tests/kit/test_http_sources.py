"""A client cannot choose the address that it is known by."""

from ipaddress import ip_network
from typing import Any

import pytest

from kit.http_sources import parse_networks, source_of

PROXIES = (ip_network("10.0.0.0/24"), ip_network("2001:db8:1::/64"))


def _scope(peer: str | None, *forwarded: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"client": (peer, 40_000) if peer else None, "headers": headers}


@pytest.mark.parametrize(
    ("peer", "forwarded", "source", "proxied"),
    [
        ("203.0.113.7", (), "203.0.113.7", False),
        ("203.0.113.7", ("198.51.100.1",), "203.0.113.7", False),
        ("203.0.113.7", ("10.0.0.1",), "203.0.113.7", False),
        ("10.0.1.1", ("198.51.100.1",), "10.0.1.1", False),
        ("10.0.0.1", (), "10.0.0.1", True),
        ("10.0.0.1", ("203.0.113.7",), "203.0.113.7", True),
        ("10.0.0.1", (" 203.0.113.7 ",), "203.0.113.7", True),
        ("10.0.0.1", ("198.51.100.1, 203.0.113.7",), "203.0.113.7", True),
        ("10.0.0.1", ("198.51.100.1", "203.0.113.7"), "203.0.113.7", True),
        ("10.0.0.1", ("198.51.100.1, 203.0.113.7, 10.0.0.2",), "203.0.113.7", True),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3", True),
        ("10.0.0.1", ("198.51.100.1, nonsense, 10.0.0.2",), "10.0.0.2", True),
        ("10.0.0.1", ("203.0.113.7, ",), "10.0.0.1", True),
        ("10.0.0.1", ("",), "10.0.0.1", True),
        ("10.0.0.1", ("unknown",), "10.0.0.1", True),
        ("10.0.0.1", ("203.0.113.7:4711",), "10.0.0.1", True),
        ("10.0.0.1", ("203.0.113.007",), "10.0.0.1", True),
        ("10.0.0.1", ("\xb2\xb0\xb3.0.113.7",), "10.0.0.1", True),
        ("::ffff:203.0.113.7", (), "203.0.113.7", False),
        ("::ffff:10.0.0.1", ("::ffff:203.0.113.7",), "203.0.113.7", True),
        ("2001:db8:1::9", ("2001:db8:2::7",), "2001:db8:2::7", True),
        ("2001:db8:2::9", ("203.0.113.7",), "2001:db8:2::9", False),
        (None, ("203.0.113.7",), "0.0.0.0", False),  # noqa: S104 - nobody's address
    ],
)
def test_a_forwarded_address_counts_only_as_far_as_our_own_proxies_vouch_for_it(
    peer: str | None, forwarded: tuple[str, ...], source: str, *, proxied: bool
) -> None:
    found = source_of(_scope(peer, *forwarded), PROXIES)
    assert (str(found.address), found.proxied) == (source, proxied)


def test_without_proxies_nothing_is_believed() -> None:
    assert str(source_of(_scope("127.0.0.1", "203.0.113.7"), ()).address) == "127.0.0.1"


def test_the_addresses_of_one_ipv6_network_are_one_source() -> None:
    first, second, other, fourth = (
        source_of(_scope(peer), ()).site
        for peer in ("2001:db8:2::7", "2001:db8:2:0:1::9", "2001:db8:3::7", "203.0.113.7")
    )
    assert first == second == "2001:db8:2::/64"
    assert len({first, other, fourth}) == 3


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", ()),
        ("10.0.0.0/24, 2001:db8:1::/64,", PROXIES),
        ("127.0.0.1", (ip_network("127.0.0.1/32"),)),
    ],
)
def test_networks_are_written_with_commas(text: str, networks: tuple[object, ...]) -> None:
    assert parse_networks(text) == networks


@pytest.mark.parametrize("text", ["10.0.0.1/24", "somewhere", "10.0.0.0/33", "10.0.0.0/24;1.1.1.1"])
def test_what_is_not_a_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"does not appear|has host bits"):
        parse_networks(text)
