"""What of a message's headers goes on, in both directions (RFC 9110, 7.6.1: a proxy drops what is hop-by-hop)."""

from collections.abc import Iterable
from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from gateway.edge.client import Client
from gateway.edge.cookies import names_ours, without_ours
from shared.wire import HEADER_PREFIX, PASS_HEADER

HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
# Ours to say: whatever a client writes into these is dropped or replaced, whether spelled with - or _ (see `is_ours`).
# Among them those by which some frameworks would serve another page than the gate matched.
FORWARDING: Final = frozenset(
    {
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-port",
        "x-forwarded-prefix",
        "x-forwarded-proto",
        "x-forwarded-server",
        "x-original-host",
        "x-original-url",
        "x-real-ip",
        "x-rewrite-url",
    }
)
# What a cache would heed more than `Cache-Control`, or where it knows no better (RFC 9111, 5.3 and RFC 9213).
CACHING: Final = frozenset({"cdn-cache-control", "expires", "surrogate-control"})
_PREFIX: Final = HEADER_PREFIX.lower()


def _named_by_connection(headers: CIMultiDictProxy[str]) -> set[str]:
    return {name.strip().lower() for line in headers.getall("Connection", ()) for name in line.split(",")}


def is_ours(name: str) -> bool:
    """Whether a header's name (in lower case) is the gateway's, in any spelling that a backend could take for it.

    To a CGI-like backend `Sunbeon_Pass` and `Sunbeon-Pass` are the same `HTTP_SUNBEON_PASS`.
    """
    return name.replace("_", "-").startswith(_PREFIX)


def to_backend(headers: CIMultiDictProxy[str], client: Client, host: str, *, proof: str | None) -> CIMultiDict[str]:
    """Request headers for the backend: no hop-by-hop ones, nothing that pretends to be ours, no cookies of ours.

    proof: the value of `Sunbeon-Pass`; None outside every room.
    """
    dropped = HOP_BY_HOP | _named_by_connection(headers) | {"expect", "host"}
    result: CIMultiDict[str] = CIMultiDict()
    result["Host"] = host
    for name, value in headers.items():
        lowered = name.lower()
        if lowered in dropped or is_ours(lowered) or lowered.replace("_", "-") in FORWARDING:
            continue
        if lowered == "cookie":
            kept = without_ours(value)
            if kept:
                result.add(name, kept)
            continue
        result.add(name, value)
    result["X-Forwarded-For"] = client.forwarded_for
    result["X-Forwarded-Proto"] = client.scheme
    result["X-Forwarded-Host"] = host
    result.add("Via", "1.1 sunbeon")
    if proof is not None:
        result[PASS_HEADER] = proof
    return result


def to_client(headers: CIMultiDictProxy[str], add_cookies: Iterable[str]) -> CIMultiDict[str]:
    """Response headers for the client: no hop-by-hop ones and none of ours, and our cookies added.

    An answer that carries a pass must stay with the one it was made for, whatever caches stand in between.
    """
    cookies = list(add_cookies)
    dropped = HOP_BY_HOP | _named_by_connection(headers) | (CACHING if cookies else frozenset())
    result: CIMultiDict[str] = CIMultiDict()
    for name, value in headers.items():
        lowered = name.lower()
        if lowered == "set-cookie" and names_ours(value):
            continue  # a backend has no say in who holds which place
        if lowered not in dropped and not is_ours(lowered):
            result.add(name, value)
    if cookies:
        result["Cache-Control"] = "private, no-store"
        for cookie in cookies:
            result.add("Set-Cookie", cookie)
    return result
