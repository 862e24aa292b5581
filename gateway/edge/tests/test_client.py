"""Where a request comes from: whom to believe, and what the backend is told."""

import os
from ipaddress import ip_address

import pytest
from multidict import CIMultiDict

from gateway.edge.client import NOWHERE, Client, fresh_id, identify, parse_address, parse_forwarded
from gateway.room.match import parse_networks

TRUSTED = parse_networks(["10.0.0.0/8", "fd00::/8"])


def find(peer, *lines, proto=None, host=None, tls=False) -> Client:
    headers = CIMultiDict([("X-Forwarded-For", line) for line in lines])
    headers.extend({"X-Forwarded-Proto": proto} if proto is not None else {})
    headers.extend({"X-Forwarded-Host": host} if host is not None else {})
    return identify(peer, headers, TRUSTED, tls=tls)


def find_forwarded(peer, *lines, x_forwarded_for="10.9.9.9") -> Client:
    headers = CIMultiDict([("Forwarded", line) for line in lines])
    headers["X-Forwarded-For"] = x_forwarded_for
    return identify(peer, headers, TRUSTED, tls=False, by_forwarded=True)


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
    found = find("203.0.113.9", "10.1.1.1", proto="https", host="other.test")
    assert found == Client(ip_address("203.0.113.9"), "203.0.113.9", "http")


def test_a_trusted_proxy_says_who_it_speaks_for():
    found = find("10.0.0.1", "203.0.113.9", proto="https", host="site.test")
    assert found == Client(ip_address("203.0.113.9"), "203.0.113.9, 10.0.0.1", "https", trusted=True)


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


@pytest.mark.parametrize(
    ("text", "elements"),
    [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}]),
        ('For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
        ("for=192.0.2.43, for=198.51.100.17", [{"for": "192.0.2.43"}, {"for": "198.51.100.17"}]),
        ('for="_gazonk"', [{"for": "_gazonk"}]),
        ('for=1.2.3.4;host="a\\"b, for=9.9.9.9"', [{"for": "1.2.3.4", "host": 'a"b, for=9.9.9.9'}]),
    ],
)
def test_forwarded_is_read_as_its_rfc_has_it(text, elements):
    assert parse_forwarded(text) == elements


@pytest.mark.parametrize(
    "text", ["", "for", "for=1.2.3.4;for=5.6.7.8", 'for="1.2.3.4', "for=1.2.3.4,", ",for=1.2.3.4", "a b"]
)
def test_a_forwarded_that_is_none_says_nothing(text):
    assert parse_forwarded(text) is None


def test_where_forwarded_counts_the_other_header_does_not():
    found = find_forwarded("10.0.0.1", "for=203.0.113.9;proto=https;host=site.test")
    assert found == Client(
        ip_address("203.0.113.9"),
        "203.0.113.9, 10.0.0.1",
        "https",
        forwarded="for=203.0.113.9;proto=https;host=site.test, for=10.0.0.1",
        trusted=True,
    )


def test_a_strangers_forwarded_counts_for_nothing():
    assert find_forwarded("203.0.113.9", "for=10.1.1.1").address == ip_address("203.0.113.9")
    assert find_forwarded("203.0.113.9", "for=10.1.1.1").forwarded is None


def test_what_cannot_be_read_in_forwarded_ends_the_walk_at_our_peer():
    for line in ("for=unknown", 'for="broken', "for=_secret"):
        assert find_forwarded("10.0.0.1", line).address == ip_address("10.0.0.1")


def test_an_address_of_version_6_is_added_as_its_rfc_has_it():
    assert find_forwarded("fd00::1", "for=203.0.113.9").forwarded == 'for=203.0.113.9, for="[fd00::1]"'


def test_requests_are_told_apart_by_32_random_hex_digits_each():
    found = [fresh_id() for _ in range(1_000)]
    assert len(set(found)) == 1_000
    assert all(len(each) == 32 and set(each) <= set("0123456789abcdef") for each in found)


def test_a_worker_that_is_forked_does_not_go_on_with_its_parents_ids():
    fresh_id()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, " ".join(fresh_id() for _ in range(300)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        theirs = set(pipe.read().split())
    os.waitpid(child, 0)
    assert len(theirs) == 300
    assert theirs.isdisjoint(fresh_id() for _ in range(300))
