"""What a browser says alike in request after request, worked out once.

A page comes with dozens of files, each asked for by the same headers: the same cookie, the same browser. All that they
say is a pure function of their bytes, of the peer, of the keys and of the room's epoch: which pass is brought, whose
address it is, what of it goes on to the backend. So it is remembered by exactly these, whole: another byte is another
head. What may change otherwise is asked with each request: whether the pass lives, the rules, the room's state.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.edge import cookies
from gateway.edge.client import NOWHERE, Client, given_id, identify
from gateway.edge.crowd import Crowd
from gateway.edge.line import Line
from gateway.edge.plain import PlainHead
from gateway.edge.proxy.headers import carried, said_of
from gateway.edge.settle import read_credentials
from gateway.keys import KeyStore
from gateway.room.match import Network
from gateway.room.ticket import KeyRing, Pass
from shared.wire import HEADER_PREFIX

_PREFIX: Final = HEADER_PREFIX.lower().encode()
_COOKIE: Final = b"cookie: "
# In the name of every header by which a method is overridden.
_METHOD: Final = b"method"
# Of heads remembered, of those that came last: how many, and their bytes together. As many again are of those before.
# A worker has some 5,000 people inside on a great evening, who send three or four kinds of heads each.
MOST: Final = 8_192
MOST_BYTES: Final = 8 * 1024 * 1024
LONGEST: Final = 4_096


class Trust(NamedTuple):
    """How a client is told from its headers; see `identify`."""

    trusted: Sequence[Network]
    tls: bool
    by_forwarded: bool


class Regular:
    """Of one room and epoch: who comes with such headers, by which pass, and what the backend is told of that.

    network: what the gateway counts the client by. request_id: what a trusted proxy called the request, if it did.
    carried: the lines that go on, and ours on where it comes from; each ends its line.
    """

    __slots__ = ("agent", "carried", "client", "epoch", "held", "host", "line", "network", "request_id")

    def __init__(
        self, line: Line, epoch: int, held: Pass, headers: "Headers", client: Client, at: bytes | None
    ) -> None:
        self.line = line
        self.epoch = epoch
        self.held = held
        self.client = client
        self.network = at
        self.agent = headers.get("user-agent", "")
        (self.host,) = headers.getall("host", ())
        self.request_id = given_id(headers, client)
        lines = (*carried("GET", headers.pairs), said_of(client, self.host))
        self.carried = b"".join([line + b"\r\n" for line in lines])


class Regulars:
    """Of one worker."""

    def __init__(self, keys: KeyStore, at_backend: Crowd, trust: Trust) -> None:
        self._keys = keys
        self._at_backend = at_backend
        self._trust = trust
        # Who comes again is taken over from the older ones; who does not is forgotten with them.
        self._recent: dict[tuple[str | None, bytes], Regular] = {}
        self._older: dict[tuple[str | None, bytes], Regular] = {}
        self._bytes = 0
        self._ring: KeyRing | None = None

    def __len__(self) -> int:
        return len(self._recent) + len(self._older)

    def find(self, peer: str | None, headers: bytes) -> Regular | None:
        """Who was seen with these bytes after the request line. Plain, as they were found to be."""
        if self._keys.current.cookies is not self._ring:
            return None
        found = self._recent.get((peer, headers))
        if found is None:
            found = self._older.pop((peer, headers), None)
            if found is not None:
                self._keep(peer, headers, found)
        return found

    def see(self, line: Line, epoch: int, peer: str | None, head: PlainHead, headers: bytes) -> Regular | None:
        """Work it out. None: no pass is brought, or something beside it that is for the ordinary path to judge."""
        ring = self._keys.current.cookies
        cookie = _cookie(head)
        if cookie is None:
            return None
        tickets = cookies.values([cookie], line.cookies.ticket)
        passes = cookies.values([cookie], line.cookies.visitor_pass)
        brought = read_credentials(tickets, passes, line.name, ring, epoch=epoch)
        if brought.visitor_pass is None or brought.damaged:
            return None
        trust, parsed = self._trust, Headers(head)
        client = identify(peer, parsed, trust.trusted, tls=trust.tls, by_forwarded=trust.by_forwarded)
        network = self._at_backend.network_of(None if client.address == NOWHERE else str(client.address))
        made = Regular(line, epoch, brought.visitor_pass, parsed, client, network)
        if ring is not self._ring:
            self._ring = ring
            self._recent, self._older, self._bytes = {}, {}, 0
        if len(headers) <= LONGEST:
            self._keep(peer, headers, made)
        return made

    def _keep(self, peer: str | None, headers: bytes, made: Regular) -> None:
        if len(self._recent) >= MOST or self._bytes + len(headers) > MOST_BYTES:
            self._recent, self._older, self._bytes = {}, self._recent, 0
        self._recent[peer, headers] = made
        self._bytes += len(headers)


class Headers:
    """A plain head's headers, by name in any case."""

    def __init__(self, head: PlainHead) -> None:
        split = [line.partition(b": ") for line in head.lines[1:]]
        self.pairs = [(name, value) for name, _, value in split]

    def getall(self, key: str, default: tuple[str, ...], /) -> Sequence[str]:
        name = key.lower().encode()
        return [value.decode() for found, value in self.pairs if found.lower() == name] or default

    def get(self, key: str, default: str = "") -> str:
        return self.getall(key, (default,))[0]


def _cookie(head: PlainHead) -> str | None:
    """The one cookie header, where no header says what only the gate hears."""
    cookie = None
    for each in head.own:
        lowered = each.lower()
        if lowered.startswith(_COOKIE):
            if cookie is not None:
                return None
            cookie = each[len(_COOKIE) :]
        elif lowered.startswith(_PREFIX) or _METHOD in lowered.partition(b":")[0]:
            return None
    return None if cookie is None else cookie.decode()
