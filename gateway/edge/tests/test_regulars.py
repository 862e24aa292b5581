"""What a browser says again is known again by exactly its bytes, within bounds."""

from types import SimpleNamespace
from typing import Any

import pytest

from gateway import keys
from gateway.edge import regulars
from gateway.edge.cookies import CookieNames
from gateway.edge.crowd import Crowd
from gateway.edge.framing import Limits
from gateway.edge.plain import read_plain
from gateway.edge.regulars import Regular, Regulars, Trust
from gateway.room.ticket import Pass, sign

EPOCH = 1
PEER = "192.0.2.1"
LINE: Any = SimpleNamespace(name="vaccine", cookies=CookieNames.of("vaccine", secure=False))


@pytest.fixture
def store(tmp_path):
    keys.create(tmp_path / "keys.json")
    return keys.KeyStore(tmp_path / "keys.json")


@pytest.fixture
def known(store):
    return Regulars(store, Crowd(0), Trust((), tls=False, by_forwarded=False))


def headers_of(store: keys.KeyStore, number: int, *, padding: int = 1) -> bytes:
    """All that follows a request line, from its end on."""
    brought = sign(Pass(EPOCH, number, number, f"id-{number}", "line", 0), "vaccine", store.current.cookies)
    cookie = f"{LINE.cookies.visitor_pass}={brought}".encode()
    return b"\r\nHost: booking.example\r\nCookie: %b\r\nX-Padding: %b\r\n\r\n" % (cookie, b"x" * padding)


def see(known: Regulars, headers: bytes, peer: str = PEER) -> Regular | None:
    head = read_plain(b"GET / HTTP/1.1" + headers, Limits(8_192, 65_536, 100))
    assert head is not None
    return known.see(LINE, EPOCH, peer, head, headers)


def test_who_comes_again_is_known_by_every_byte_and_by_the_peer(known, store):
    headers = headers_of(store, 7)
    assert known.find(PEER, headers) is None
    seen = see(known, headers)
    assert seen is not None
    assert seen.held.pass_id == "id-7"
    assert known.find(PEER, headers) is seen
    assert known.find("192.0.2.2", headers) is None
    assert known.find(None, headers) is None
    assert known.find(PEER, headers.replace(b"booking.", b"Booking.")) is None
    assert known.find(PEER, headers_of(store, 8)) is None


def test_new_keys_forget_all(known, store, tmp_path):
    headers = headers_of(store, 7)
    see(known, headers)
    keys.rotate(tmp_path / "keys.json")
    store.refresh()
    assert known.find(PEER, headers) is None
    again = see(known, headers)  # signed with the key before, which is still good
    assert again is not None
    assert known.find(PEER, headers) is again
    assert len(known) == 1


def test_who_keeps_coming_stays_known_and_who_does_not_is_forgotten(known, store, monkeypatch):
    monkeypatch.setattr(regulars, "MOST", 8)
    regular, gone = headers_of(store, 1), headers_of(store, 2)
    first = see(known, regular)
    see(known, gone)
    for number in range(3, 100):
        see(known, headers_of(store, number))
        assert known.find(PEER, regular) is first
        assert len(known) <= 2 * 8
    assert known.find(PEER, gone) is None


def test_long_heads_take_no_more_than_their_share(known, store, monkeypatch):
    monkeypatch.setattr(regulars, "MOST_BYTES", 10_000)
    heads = [headers_of(store, number, padding=1_000) for number in range(1, 41)]
    for headers in heads:
        see(known, headers)
        remembered = [each for each in heads if (PEER, each) in {**known._recent, **known._older}]
        assert len(remembered) == len(known)
        assert sum(map(len, remembered)) <= 2 * 10_000
    assert known.find(PEER, heads[-1]) is not None


def test_a_head_longer_than_most_is_answered_and_not_remembered(known, store):
    headers = headers_of(store, 7, padding=regulars.LONGEST)
    assert see(known, headers) is not None
    assert len(known) == 0
    assert known.find(PEER, headers) is None
