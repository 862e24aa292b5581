"""Where a request really comes from: forwarding headers count only when a trusted proxy wrote them.

Which header that is, is a setting: a front server that writes one of them passes the other on as a stranger wrote it.
"""

import os
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Final, Protocol

from gateway.room.match import Address, Network

REQUEST_ID: Final = "X-Request-ID"

# What a connection without an IP address (a unix socket) counts as: in no network an operator would allow.
NOWHERE: Final = ip_address("0.0.0.0")  # noqa: S104 - not bound to, only compared with

# RFC 7239, 4: name=value, the value a token or a quoted string; elements stand apart by commas, pairs by semicolons.
_PAIR: Final = re.compile(r'\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)=("(?:[^"\\]|\\.)*"|[^\s",;]*)\s*(;|,|$)')
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")
_QUOTED_PAIR: Final = re.compile(r"\\(.)")


class Headers(Protocol):
    """A request's headers, by name in any case."""

    def getall(self, key: str, default: tuple[str, ...], /) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Client:
    """address: of the visitor. forwarded_for: what the backend is told, ending with our own peer. scheme: http(s).

    forwarded: a `Forwarded` chain for the backend. trusted: our peer is a trusted proxy.

    No proxy is believed about the host: many leave `X-Forwarded-Host` as a stranger wrote it, and rooms go by `Host`.
    """

    address: Address
    forwarded_for: str
    scheme: str
    forwarded: str | None = None
    trusted: bool = False


def parse_address(text: str) -> Address | None:
    """An IP address as proxies write it: bare, in brackets, with a port, IPv4 inside IPv6."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


# Of the other end of a connection, which comes with every request.
peer_address: Final = lru_cache(4_096)(parse_address)


def identify(
    peer: str | None, headers: Headers, trusted: Sequence[Network], *, tls: bool, by_forwarded: bool = False
) -> Client:
    """The client of a connection from `peer`.

    Walks the chain of `X-Forwarded-For` (by_forwarded: of `Forwarded`, RFC 7239) from the right for as long as the one
    who wrote the entry is trusted; an entry that cannot be read ends the walk.
    """
    address = (peer_address(peer) if peer else None) or NOWHERE
    scheme = "https" if tls else "http"
    if not _is_trusted(address, trusted):
        return Client(address, str(address), scheme)
    ours = str(address)
    if by_forwarded:
        lines = headers.getall("Forwarded", ())
        elements = list(parse_forwarded(", ".join(lines)) or ())
        chain = [element.get("for", "unknown") for element in elements]
        proto = elements[-1].get("proto", "").lower() if elements else ""
        forwarded = ", ".join([*lines, f'for="[{ours}]"' if ":" in ours else f"for={ours}"]) if elements else None
    else:
        chain = _members(headers, "X-Forwarded-For")
        proto = next(iter(headers.getall("X-Forwarded-Proto", ())), "")
        forwarded = None
    if proto in {"http", "https"}:
        scheme = proto
    told = ", ".join([*chain, ours])
    for entry in reversed(chain):
        if not _is_trusted(address, trusted):
            break
        further = parse_address(entry)
        if further is None:
            break
        address = further
    return Client(address, told, scheme, forwarded, trusted=True)


def request_id_of(headers: Headers, client: Client) -> str:
    """The id a trusted proxy gave the request, if it is a sane one; else a new one."""
    return given_id(headers, client) or fresh_id()


def given_id(headers: Headers, client: Client) -> str | None:
    """The id a trusted proxy gave the request, if it is a sane one."""
    given = next(iter(headers.getall(REQUEST_ID, ())), "") if client.trusted else ""
    return given if _SANE_ID.fullmatch(given) else None


def fresh_id() -> str:
    """Of a request."""
    if not _fresh_ids:
        # Drawn together: asking the system costs as much as a look-up in ten dictionaries.
        drawn = secrets.token_hex(_ID_BYTES * _DRAWN_AT_ONCE)
        _fresh_ids.extend(drawn[at : at + 2 * _ID_BYTES] for at in range(0, len(drawn), 2 * _ID_BYTES))
    return _fresh_ids.pop()


_ID_BYTES: Final = 16
_DRAWN_AT_ONCE: Final = 256
_fresh_ids: Final[list[str]] = []
# Two workers must not go on with what was drawn before they parted.
os.register_at_fork(after_in_child=_fresh_ids.clear)


def parse_forwarded(text: str) -> list[dict[str, str]] | None:
    """The elements of a `Forwarded` header, each by parameter in lower case; None if it is not well formed."""
    elements: list[dict[str, str]] = [{}]
    at = 0
    while at < len(text):
        found = _PAIR.match(text, at)
        if found is None or found[1].lower() in elements[-1]:
            return None
        value = found[2]
        elements[-1][found[1].lower()] = _QUOTED_PAIR.sub(r"\1", value[1:-1]) if value.startswith('"') else value
        at = found.end()
        if found[3] == ",":
            elements.append({})
    return elements if all(elements) else None


def _members(headers: Headers, name: str) -> list[str]:
    return [entry.strip() for line in headers.getall(name, ()) for entry in line.split(",") if entry.strip()]


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
