"""In what manner a request arrives that brings no token of ours: that decides what may be begun with it.

A browser keeps our cookies to itself when another site posts a form to us or embeds us: such a request looks like a
newcomer's, but its sender may well hold a place or a pass, and a cookie set now would overwrite it. And what keeps no
cookies at all (a preflight, a probe, a link preview) must not take a seat each time it looks.
"""

from collections.abc import Mapping
from enum import Enum, auto
from urllib.parse import urlsplit


class Manner(Enum):
    """AT_ONCE: may join in this very request. KNOCK: gets a knock to bring back. STRANGER: told, and given nothing."""

    AT_ONCE = auto()
    KNOCK = auto()
    STRANGER = auto()


def manner_of(method: str, headers: Mapping[str, str]) -> Manner:
    """The manner of a request that brought no token. headers: by name in any case."""
    mode = headers.get("Sec-Fetch-Mode")
    looking = method in {"GET", "HEAD"}
    if headers.get("Sec-Fetch-Site") == "cross-site" and not (looking and mode == "navigate"):
        return Manner.STRANGER
    if "Sec-Fetch-Site" not in headers and not looking and not _is_from_here(headers):
        return Manner.STRANGER
    if method in {"OPTIONS", "HEAD", "TRACE"} or _is_ahead_of_time(headers) or mode not in {None, "navigate"}:
        return Manner.KNOCK
    return Manner.AT_ONCE


def _is_ahead_of_time(headers: Mapping[str, str]) -> bool:
    """Whether nobody has asked for the page yet: a prefetch or a preview, as browsers say now and as older ones did."""
    return "Sec-Purpose" in headers or any(
        headers.get(name, "").strip().lower() in {"prefetch", "preview"} for name in ("Purpose", "X-Purpose", "X-Moz")
    )


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Whether a form was sent from this very site (browsers say; others cannot ride on somebody's cookies)."""
    site = headers.get("Sec-Fetch-Site")
    return site in {"same-origin", "none"} if site is not None else _is_from_here(headers)


def _is_from_here(headers: Mapping[str, str]) -> bool:
    origin = headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == headers.get("Host")
