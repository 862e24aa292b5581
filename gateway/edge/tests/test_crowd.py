"""Counting connections by network: never below nothing, never above the limit, and nothing kept of who has left."""

from collections import Counter
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.crowd import Crowd, Crowded

LIMIT = 3
# Five networks: two addresses of IPv4, one of them in two spellings, and three of IPv6, one of them with two addresses.
PEERS = {
    "192.0.2.1": "a",
    "::ffff:192.0.2.1": "a",
    "192.0.2.2": "b",
    "2001:db8:0:1::1": "c",
    "2001:db8:0:1:ffff::2": "c",
    "2001:db8:0:2::1": "d",
    "fe80::1%eth0": "e",
}


@given(st.lists(st.one_of(st.sampled_from(sorted(PEERS)), st.integers(0, 30)), max_size=120))
def test_the_count_is_what_came_less_what_left(steps):
    """A name comes; a number makes the one leave who came that long ago."""
    crowd = Crowd(LIMIT)
    inside: list[tuple[str, bytes]] = []
    for step in steps:
        held = Counter(network for network, _ in inside)
        if isinstance(step, int):
            if step < len(inside):
                crowd.leave(inside.pop(step)[1])
        elif held[PEERS[step]] == LIMIT:
            with pytest.raises(Crowded):
                crowd.enter(step)
        else:
            token = crowd.enter(step)
            assert token is not None
            inside.append((PEERS[step], token))
        assert len(crowd) == len({network for network, _ in inside})
    for _, token in inside:
        crowd.leave(token)
    assert len(crowd) == 0


@pytest.mark.parametrize("peer", ["10.1.2.3", "::ffff:10.1.2.3", None, "", "not an address"])
def test_front_servers_and_unix_sockets_are_not_counted(peer):
    crowd = Crowd(1, [ip_network("10.0.0.0/8")])
    assert [crowd.enter(peer) for _ in range(3)] == [None] * 3
    crowd.leave(None)
    assert len(crowd) == 0


def test_without_a_limit_nothing_is_counted():
    crowd = Crowd(0)
    assert [crowd.enter("192.0.2.1") for _ in range(3)] == [None] * 3
    assert len(crowd) == 0
