"""Where a request really comes from: forwarding headers count only when a trusted proxy wrote them."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

from gateway.room.match import Address, Network

# What a connection without an IP address (a unix socket) counts as: in no network an operator would allow.
NOWHERE: Final = ip_address("0.0.0.0")  # noqa: S104 - not bound to, only compared with


@dataclass(frozen=True, slots=True)
class Client:
    """address: of the visitor. forwarded_for: what the backend is told, ending with our own peer. scheme: http(s)."""

    address: Address
    forwarded_for: str
    scheme: str


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


def identify(
    peer: str | None,
    forwarded_for: Sequence[str],
    forwarded_proto: str | None,
    trusted: Sequence[Network],
    *,
    tls: bool,
) -> Client:
    """The client of a connection from `peer`.

    Walks `X-Forwarded-For` from the right for as long as the one who wrote the entry is trusted; an entry that cannot
    be read ends the walk.
    """
    address = (parse_address(peer) if peer else None) or NOWHERE
    scheme = "https" if tls else "http"
    if not _is_trusted(address, trusted):
        return Client(address, str(address), scheme)
    if forwarded_proto in {"http", "https"}:
        scheme = forwarded_proto
    chain = [entry.strip() for line in forwarded_for for entry in line.split(",") if entry.strip()]
    told = ", ".join([*chain, str(address)])
    for entry in reversed(chain):
        if not _is_trusted(address, trusted):
            break
        further = parse_address(entry)
        if further is None:
            break
        address = further
    return Client(address, told, scheme)


def _is_trusted(address: Address, trusted: Sequence[Network]) -> bool:
    return any(address in network for network in trusted)
