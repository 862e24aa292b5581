r"""Which room a request belongs to, however its address is spelled.

A backend may read `/Booking`, `/%62ooking`, `/x/../booking`, `//booking`, `/booking;v=1` and `\booking` as one page;
one that folds letters beyond ASCII, `/boo%E2%84%AAing` (a Kelvin sign) too; Windows `/booking.` and `/booking::$DATA`.
The gate cannot know which of these its backend folds together, so it takes every reading: a request is in a room if
*any* reading is, and is exempt by a path rule only if *every* reading is and the path as it came is too, capitals and
all: a backend that tells `/STATIC` from `/static` may serve something else there. Readings that fall into two
different rooms are refused rather than guessed at. The target itself is forwarded as it came.

Left aside is what decodes bytes that are no UTF-8 (`%c0%af` for a slash): older Korean encodings use these bytes.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final
from urllib.parse import quote

# %25252e and deeper: nobody honest nests like this, and some server on the way might unwrap once more than we.
MAX_DECODINGS: Final = 4
MAX_READINGS: Final = 64

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_BROKEN_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
# Nothing here has a second reading: no escape, no empty or dotted segment, no dot at an end, no parameter, no capital.
_PLAIN: Final = re.compile(r"/|(?:/[a-z0-9_-][a-z0-9_~-]*(?:\.+[a-z0-9_~-]+)*)+/?")
# Beyond ASCII an escape is the only way to write a byte, so it is the byte.
_HIGH_ESCAPE: Final = re.compile(r"%([89A-Fa-f][0-9A-Fa-f])")
# Nobody honest writes so many without a space or a slash, and their marks take time in squares to be put in order.
_ENDLESS: Final = re.compile(r"[^\x00-\x7f]{512}")
# What makes a path what it is, beside its letters.
_MARKS: Final = re.compile(r"[/\\.;:?#% ]")
# Python's re.IGNORECASE, and whoever goes by capitals, takes both for an i; `casefold` keeps them apart.
_DOTLESS_AND_DOTTED: Final = str.maketrans("\u0131\u0130", "ii")
# All of ASCII that may stand in a path: it is sent as it was written.
_UNESCAPED: Final = "/!$&'()*+,=:@"
_PORT: Final = re.compile(r":\d*$")

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class AmbiguousTarget(ValueError):
    """Two honest servers could read this target differently, or it is no target at all."""


@dataclass(frozen=True, slots=True)
class Target:
    """A request's address: the host in lower case without port or trailing dots; the path as it came and as it reads.

    path: without the query. readings: every one of them.
    """

    host: str
    path: str
    readings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Area:
    """The part of a site a room covers. hosts: none means every host. paths: prefixes, whole segments."""

    name: str
    hosts: tuple[str, ...]
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BypassRule:
    """Requests that need no turn. All conditions given must hold; an empty one is not a condition.

    paths: prefixes as the operator wrote them, whole segments, told apart by capitals.
    """

    name: str
    paths: tuple[str, ...] = ()
    networks: tuple[Network, ...] = ()
    user_agents: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks in CIDR form. Raises ValueError."""
    return tuple(ip_network(text) for text in texts)


def canonical_host(host: str) -> str:
    """The host as names are compared: without port and trailing dots, in lower case."""
    return _PORT.sub("", host.strip()).rstrip(".").lower()


def read_target(host: str, path: str) -> Target:
    """Every reading of a path (without its query). Raises `AmbiguousTarget`."""
    if _PLAIN.fullmatch(path):
        return Target(canonical_host(host), path, (path.rstrip("/") or "/",))
    if not path.startswith("/"):
        raise AmbiguousTarget("the path does not begin with a slash")
    if _BROKEN_ESCAPE.search(path) or " " in path:
        raise AmbiguousTarget("the path holds a space or a % that escapes nothing")
    readings: dict[str, None] = {}
    # Bytes as characters, so that a byte escaped and the same byte raw read alike, whatever the encoding.
    frontier = _unrooted(_unescape(_HIGH_ESCAPE, _as_bytes(path)))
    for _ in range(MAX_DECODINGS + 1):
        frontier = {wide for text in frontier for wide in _widened(text)}
        texts = {folded for text in frontier for folded in _foldings(text)}
        readings.update(dict.fromkeys(sorted(texts)))
        if len(readings) > MAX_READINGS or any(_CONTROL.search(text) for text in texts):
            raise AmbiguousTarget("the path holds a control character or has too many readings")
        decoded = {_unescape(_ESCAPE, text) for text in frontier | texts}
        frontier = decoded - frontier - texts
        if not frontier:
            return Target(canonical_host(host), path, tuple(readings))
    raise AmbiguousTarget("the path is escaped too many times over")


def _as_bytes(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def _unescape(escape: re.Pattern[str], text: str) -> str:
    return escape.sub(lambda match: chr(int(match[1], 16)), text)


def _widened(text: str) -> set[str]:
    """The path as read by who folds all of Unicode; and as it is, if that finds other slashes, dots and the like."""
    if text.isascii():
        return {text}
    decoded = text.encode("latin-1").decode("utf-8", "surrogateescape")
    if _ENDLESS.search(decoded):
        raise AmbiguousTarget("the path holds too many characters beyond ASCII in a row")
    wide = _as_bytes(_fold(decoded))
    return {wide} if _MARKS.findall(wide) == _MARKS.findall(text) else {text, wide}


def _fold(text: str) -> str:
    """One form for all that any folding of letters takes for the same; bytes that are no UTF-8 stay."""
    composed = unicodedata.normalize("NFKC", text).translate(_DOTLESS_AND_DOTTED)
    return unicodedata.normalize("NFKC", composed.casefold())


def _unrooted(text: str) -> set[str]:
    """The path, and what a server makes of it that takes `//host/path` for an authority and a path."""
    slashed = text.replace("\\", "/")
    return {text, "/" + slashed[2:].partition("/")[2]} if slashed.startswith("//") else {text}


def _foldings(text: str) -> Iterator[str]:
    """The path with and without its dot segments resolved, its parameters and endings cut, its slashes made one."""
    lowered = _lower(text).replace("\\", "/")
    for cut in (lowered, lowered.partition("#")[0].partition("?")[0]):
        segments = [segment.partition(";")[0] for segment in cut.split("/")[1:]]
        for read in (segments, [_without_ending(segment) for segment in segments]):
            full = [segment for segment in read if segment]
            yield "/" + "/".join(full)
            yield _resolve(full)
            # A server that keeps empty segments lets `..` take one of them back.
            yield _resolve(read)


def _lower(text: str) -> str:
    """ASCII in lower case. Other bytes stay: they are parts of characters."""
    return text.encode("latin-1").lower().decode("latin-1")


def _without_ending(segment: str) -> str:
    """The file Windows opens by this name: without its stream (`a::$DATA`), without dots and spaces at its end."""
    name = segment.partition(":")[0].rstrip(" ")
    return name if name in {".", ".."} else name.rstrip(". ")


def _resolve(segments: Iterable[str]) -> str:
    resolved: list[str] = []
    for segment in segments:
        if segment == "..":
            del resolved[-1:]
        elif segment != ".":
            resolved.append(segment)
    return "/" + "/".join(segment for segment in resolved if segment)


def _under(reading: str, prefixes: Iterable[str]) -> bool:
    return any(prefix in {"/", reading} or reading.startswith(prefix + "/") for prefix in prefixes)


def fold_prefix(path: str) -> str:
    """A path of the settings in the form that readings have."""
    text = _lower(_as_bytes(_fold(path)))
    return "/" + "/".join(segment for segment in text.split("/") if segment)


@lru_cache(maxsize=1024)
def _written_forms(prefix: str) -> frozenset[str]:
    """How a prefix of the settings is spelled by who spells it honestly: as written, and with its UTF-8 escaped."""
    plain = "".join(f"/{segment}" for segment in prefix.split("/") if segment) or "/"
    return frozenset({plain, quote(plain, safe=_UNESCAPED)})


def _exempt(target: Target, prefixes: Sequence[str]) -> bool:
    """Whether the path lies under one of the prefixes both as it came and in every reading.

    Never where a reading climbs: `/static/../STATIC` begins as written and ends elsewhere, and readings know no
    capitals.
    """
    written = [form for prefix in prefixes for form in _written_forms(prefix)]
    if not _under(target.path, written) or any(".." in reading.split("/") for reading in target.readings):
        return False
    folded = [fold_prefix(form) for form in written]
    return all(_under(reading, folded) for reading in target.readings)


def find_area(target: Target, areas: Sequence[Area]) -> Area | None:
    """The area the request is in; the one with the longest path where one lies inside another.

    Raises `AmbiguousTarget` where its readings lie in different ones.
    """
    found = {area.name: area for area in (_match(target.host, reading, areas) for reading in target.readings) if area}
    if len(found) > 1:
        raise AmbiguousTarget("the path can be read as lying in two rooms")
    return next(iter(found.values()), None)


def _match(host: str, reading: str, areas: Sequence[Area]) -> Area | None:
    best: Area | None = None
    best_length = -1
    for area in areas:
        if area.hosts and host not in area.hosts:
            continue
        length = max((len(path) for path in area.paths if _under(reading, (path,))), default=-1)
        if length > best_length:
            best, best_length = area, length
    return best


def may_bypass(target: Target, rules: Sequence[BypassRule]) -> bool:
    """Whether any of the rules could let somebody through here, by whatever method, address or program."""
    return any(not rule.paths or _exempt(target, rule.paths) for rule in rules)


def find_bypass(
    method: str, target: Target, address: Address, user_agent: str, rules: Sequence[BypassRule]
) -> BypassRule | None:
    """The first rule that lets this request through without a turn."""
    for rule in rules:
        if rule.paths and not _exempt(target, rule.paths):
            continue
        if rule.methods and method not in rule.methods:
            continue
        if rule.networks and not any(address in network for network in rule.networks):
            continue
        if rule.user_agents and not any(part in user_agent for part in rule.user_agents):
            continue
        return rule
    return None
