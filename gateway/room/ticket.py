"""Tickets, knocks and passes: the signed words a visitor carries in cookies.

A token is text, `kind.kid.payload.tag`. The tag is a keyed BLAKE2b over everything before it and the room's name, with
a key derived for this kind alone: a ticket cannot pass as a pass, nor one room's as another's. The tag is compared as
text, so a second spelling of the same bytes (base64 has them) is refused like any other change.

Keys, ids and times are arguments; nothing here draws random bytes or reads a clock.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final, Literal, NamedTuple

import orjson

from shared.errors import SunbeonError

TAG_BYTES: Final = 18  # 144 bits: 24 characters of base64 without padding
MAX_TOKEN_CHARS: Final = 512
PARTS: Final = 4

_ENCODE: Final = bytes.maketrans(b"+/", b"-_")
_DECODE: Final = bytes.maketrans(b"-_", b"+/")

Kind = Literal["knock", "ticket", "pass"]


class BadToken(SunbeonError):
    """The text is not a token that counts here. `kind` is a word for counters."""

    kind = "forged"


class Malformed(BadToken):
    """Not of the form of a token."""


class BadSignature(BadToken):
    """Nobody here signed this for this room, or it was altered since."""


class UnknownKey(BadToken):
    """Signed with a key that is not (or no longer) in the key file."""

    kind = "unknown_key"


# Of these three one is made for each request: a named tuple is made in a third of the time of a frozen dataclass.
class Knock(NamedTuple):
    """The right to be given a number, once. id: 63 bits, no two alike. issued_ms: the gate's clock.

    cohorts: which of the room's calendar its holder is in, by id, sorted and joined by "+"; "" where nobody was asked.
    """

    id: int
    issued_ms: int
    cohorts: str = ""


class Ticket(NamedTuple):
    """The right to a place in line. number: from 1, in order of joining, within the room's epoch.

    issued_ms: the gate's clock; when the knock was given, if there was one. It stays the same however often the ticket
    is signed anew. cohorts: as in a knock. wave: of which later window's pre-queue the number is; "" for the room's own
    line.
    """

    epoch: int
    number: int
    issued_ms: int
    cohorts: str = ""
    wave: str = ""


class Pass(NamedTuple):
    """The right to be inside. Whether it still lives is the store's to say.

    number and place are equal unless the room drew lots.
    """

    epoch: int
    number: int
    place: int
    pass_id: str
    how: str
    issued_ms: int


Token = Knock | Ticket | Pass


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Signing secrets by key id. New tokens are signed with `current`; all of them verify."""

    current: str
    secrets: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"KeyRing(current={self.current!r}, kids={sorted(self.secrets)})"


def sign(token: Token, room: str, keys: KeyRing) -> str:
    """The token as text for a cookie: letters, digits, `-`, `_` and `.` only."""
    kind = _KINDS[type(token)]
    payload = _b64(orjson.dumps(_fields(token)))
    head = f"{kind}.{keys.current}.{payload}"
    return f"{head}.{_tag(keys.secrets[keys.current], kind, room, head)}"


def verify(text: str, room: str, keys: KeyRing) -> Token:
    """The token that `text` is, of whichever kind it says. Raises `BadToken`."""
    if len(text) > MAX_TOKEN_CHARS or not text.isascii():
        raise Malformed("not a token: too long or not plain ASCII")
    parts = text.split(".")
    if len(parts) != PARTS or parts[0] not in _TYPES:
        raise Malformed("not a token: wrong number of parts or unknown kind")
    kind, kid, payload, tag = parts
    secret = keys.secrets.get(kid)
    if secret is None:
        raise UnknownKey("signed with a key that is not in the key file")
    if not compare_digest(_tag(secret, kind, room, text[: -len(tag) - 1]), tag):
        raise BadSignature("the signature does not fit")
    # From here on the bytes are our own.
    token: Token = _TYPES[kind](*orjson.loads(_unb64(payload)))
    return token


_KINDS: Final[Mapping[type, Kind]] = {Knock: "knock", Ticket: "ticket", Pass: "pass"}
_TYPES: Final[Mapping[str, type[Any]]] = {kind: token for token, kind in _KINDS.items()}


def _fields(token: tuple[int | str, ...]) -> list[int | str]:
    fields = list(token)
    # What is empty at the end is what it is by itself: most tickets are short.
    while fields[-1] == "":
        fields.pop()
    return fields


def _tag(secret: bytes, kind: str, room: str, head: str) -> str:
    mac = _begun(secret, kind, room).copy()
    mac.update(head.encode())
    return _b64(mac.digest())


@lru_cache(maxsize=256)
def _begun(secret: bytes, kind: str, room: str) -> blake2b:
    """What all tags of a kind and room begin with: half of what a tag costs."""
    # BLAKE2's own personalisation separates the kinds; the room goes into the message, ended by a byte no name holds.
    person = f"sunbeon-{kind}".encode()
    return blake2b(room.encode() + b"\x00", key=secret, digest_size=TAG_BYTES, person=person)


def _b64(data: bytes) -> str:
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_ENCODE).decode()


def _unb64(text: str) -> bytes:
    return a2b_base64(text.encode().translate(_DECODE) + b"=" * (-len(text) % 4))
