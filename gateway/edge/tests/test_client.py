"""Where a request comes from: whom to believe, and what the backend is told."""

from ipaddress import ip_address

import pytest

from gateway.edge.client import NOWHERE, Client, identify, parse_address
from gateway.room.match import parse_networks

TRUSTED = parse_networks(["10.0.0.0/8", "fd00::/8"])


def find(peer, *lines, proto=None, tls=False) -> Client:
    return identify(peer, lines, proto, TRUSTED, tls=tls)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ", "192.0.2.1"),
        ("192.0.2.1:8080", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]:8080", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_an_address_is_read_however_a_proxy_writes_it(text, address):
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize("text", ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "0x7f.1", "127.1", "site.test"])
def test_what_is_no_address_is_none(text):
    assert parse_address(text) is None


def test_a_strangers_headers_count_for_nothing():
    found = find("203.0.113.9", "10.1.1.1", proto="https")
    assert found == Client(ip_address("203.0.113.9"), "203.0.113.9", "http")


def test_a_trusted_proxy_says_who_it_speaks_for():
    found = find("10.0.0.1", "203.0.113.9", proto="https")
    assert found == Client(ip_address("203.0.113.9"), "203.0.113.9, 10.0.0.1", "https")


def test_through_several_trusted_proxies_the_last_stranger_counts():
    found = find("10.0.0.1", "198.51.100.1, 203.0.113.9", "10.0.0.2")
    assert found.address == ip_address("203.0.113.9")
    assert found.forwarded_for == "198.51.100.1, 203.0.113.9, 10.0.0.2, 10.0.0.1"


def test_an_entry_that_cannot_be_read_ends_the_walk():
    assert find("10.0.0.1", "203.0.113.9, unknown").address == ip_address("10.0.0.1")


def test_a_chain_of_trusted_proxies_alone_ends_with_the_first():
    assert find("10.0.0.1", "10.0.0.3, 10.0.0.2").address == ip_address("10.0.0.3")


@pytest.mark.parametrize("proto", ["javascript", "HTTPS", "https,http", ""])
def test_a_scheme_that_is_none_is_not_passed_on(proto):
    assert find("10.0.0.1", proto=proto).scheme == "http"
    assert find("10.0.0.1", proto=proto, tls=True).scheme == "https"


@pytest.mark.parametrize("peer", [None, "", "/run/socket"])
def test_a_connection_without_an_address_is_in_no_network(peer):
    assert find(peer, "10.1.1.1").address == NOWHERE
