"""What a `redis` store URL says.

    redis://[user[:password]@]host[:port][/db]            one server; valkey:// means the same
    rediss://..., valkeys://...                           with TLS
    redis+unix:///run/valkey.sock[?db=0]                  a Unix socket
    redis+sentinel://[user[:password]@]h1[:port],h2,h3/name[?db=0]
    redis+cluster://[user[:password]@]h1[:port],h2,h3
    rediss+sentinel://, rediss+cluster://                 with TLS

Beside `db`: `prefix` (of all keys; default sunbeon) and `min_replicas` (how many replicas must have confirmed an
admission before it is told; default 0).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from gateway.store.base import StoreMisconfigured

SENTINEL_PORT: Final = 26379
SERVER_PORT: Final = 6379
_PREFIX: Final = re.compile(r"[A-Za-z0-9:._-]{1,64}")
_SERVICE: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")
_MOST_REPLICAS: Final = 16
_MOST_DATABASES: Final = 1024


class Kind(Enum):
    SINGLE = "single"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


_KINDS: Final = {"": Kind.SINGLE, "unix": Kind.SINGLE, "sentinel": Kind.SENTINEL, "cluster": Kind.CLUSTER}
_PROTOCOLS: Final = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
SCHEMES: Final = tuple(
    f"{protocol}{f'+{kind}' if kind else ''}"
    for protocol in _PROTOCOLS
    for kind in _KINDS
    if not (_PROTOCOLS[protocol] and kind == "unix")
)


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """hosts: of the servers, or of the sentinels. service: what the sentinels call the primary. path: of the socket."""

    kind: Kind
    hosts: tuple[tuple[str, int], ...] = ()
    tls: bool = False
    path: str | None = None
    service: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    db: int = 0
    prefix: str = "sunbeon"
    min_replicas: int = 0

    @property
    def label(self) -> str:
        """For messages: without user and password."""
        if self.path is not None:
            return f"unix:{self.path}"
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{hosts}/{self.service}" if self.service else hosts


def parse_redis_url(text: str) -> RedisUrl:
    """Raises `StoreMisconfigured`, never repeating what may be a password."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise StoreMisconfigured("is not a URL") from None
    protocol, _, how = parts.scheme.partition("+")
    if parts.scheme not in SCHEMES:
        raise StoreMisconfigured(f"{parts.scheme}:// is none of {', '.join(f'{scheme}://' for scheme in SCHEMES)}")
    if parts.fragment:
        raise StoreMisconfigured("has a # in it; write %23 if the user or the password has one")
    kind = _KINDS[how]
    options = _options(parts.query)
    user, password, hosts = _authority(parts, default_port=SENTINEL_PORT if kind is Kind.SENTINEL else SERVER_PORT)
    path = service = None
    tail = unquote(parts.path)
    if how == "unix":
        path = _socket(tail, parts.netloc)
    else:
        service = _check_place(kind, hosts, tail.strip("/"), options)
    prefix = options.get("prefix", "sunbeon")
    if not _PREFIX.fullmatch(prefix):
        raise StoreMisconfigured("prefix: use letters, digits and : . _ -")
    return RedisUrl(
        kind=kind,
        hosts=hosts,
        tls=_PROTOCOLS[protocol],
        path=path,
        service=service,
        user=user,
        password=password,
        db=_whole(options, "db", _MOST_DATABASES),
        prefix=prefix,
        min_replicas=_whole(options, "min_replicas", _MOST_REPLICAS),
    )


def _socket(path: str, netloc: str) -> str:
    if not path.strip("/") or netloc.rpartition("@")[2]:
        raise StoreMisconfigured("names no socket: write redis+unix:///run/valkey.sock")
    return path


def _check_place(kind: Kind, hosts: Sequence[tuple[str, int]], tail: str, options: dict[str, str]) -> str | None:
    """What the sentinels call the primary, if there are sentinels. A database in the path goes to the options."""
    if not hosts:
        raise StoreMisconfigured("names no host")
    match kind:
        case Kind.SENTINEL:
            if not _SERVICE.fullmatch(tail):
                raise StoreMisconfigured(
                    "ends with what the sentinels call the primary: redis+sentinel://h1,h2,h3/name"
                )
            return tail
        case Kind.CLUSTER:
            if tail or "db" in options:
                raise StoreMisconfigured("names a database, and a cluster has only one")
        case Kind.SINGLE:
            if len(hosts) > 1:
                raise StoreMisconfigured("names several hosts: use redis+sentinel:// or redis+cluster://")
            if tail:
                options.setdefault("db", tail)
    return None


def _options(query: str) -> dict[str, str]:
    options = dict(parse_qsl(query, keep_blank_values=True))
    unknown = set(options) - {"db", "prefix", "min_replicas"}
    if unknown:
        raise StoreMisconfigured(f"no such option: {', '.join(sorted(unknown))} (there are db, prefix, min_replicas)")
    return options


def _whole(options: dict[str, str], name: str, most: int) -> int:
    text = options.get(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= most):  # noqa: PLR2004
        raise StoreMisconfigured(f"{name}: must be a whole number up to {most}")
    return int(text)


def _authority(parts: SplitResult, *, default_port: int) -> tuple[str | None, str | None, tuple[tuple[str, int], ...]]:
    login, _, places = parts.netloc.rpartition("@")
    user, colon, password = login.partition(":")
    hosts = []
    for place in filter(None, places.split(",")):
        found = re.fullmatch(
            r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?", place
        )
        port = int(found["port"] or default_port) if found else 0
        if found is None or not 0 < port < 65_536:  # noqa: PLR2004
            raise StoreMisconfigured("a host is written name or name:port (an IPv6 address in brackets)")
        hosts.append((found["v6"] or found["host"], port))
    return unquote(user) or None, unquote(password) if colon else None, tuple(hosts)
