"""The allow-list: whom an admin lets through without a turn, why, and until when; live, and on record.

An entry is a bypass rule (`exempt`, by its name, in counters, audit log and proof) that ends by itself.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network
from typing import Annotated, Any, Final, Self

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from gateway.console.answers import Refused, json
from gateway.console.context import RECORD, RoomControl, etag, find, if_match, read_body, rewrite
from gateway.console.operations import IF_MATCH, Operation, in_path
from gateway.console.record import whose
from gateway.room.allow import Allowed, in_force
from gateway.room.match import fold_prefix
from gateway.room.model import Snapshot
from gateway.settings import Moment, Name, Network, UrlPath, as_iso, one_line
from gateway.tokens import Role

MOST: Final = 50
LONGEST_S: Final = 30 * 86_400
# A wider network is nearly everybody: that is passthrough.
_WIDEST: Final = {4: 8, 6: 19}
# All of a room together: four of these at most.
_WIDEST_TOGETHER: Final = {version: length - 2 for version, length in _WIDEST.items()}
_NAME: Final = "^[a-z0-9][a-z0-9_-]{0,31}$"


class AllowBody(BaseModel):
    """Where both networks and paths are given, both must hold."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    name: Name = Field(description="How it is counted and logged.", json_schema_extra={"pattern": _NAME})
    reason: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(one_line)]
    expires_at: Moment = Field(description="At most 30 days ahead.")
    networks: tuple[Network, ...] = Field((), max_length=20, description="Client networks, as `10.1.2.0/24`.")
    paths: tuple[UrlPath, ...] = Field((), max_length=20, description="Path prefixes, whole segments.")

    @model_validator(mode="after")
    def _is_no_open_door(self) -> Self:
        if not self.networks and not self.paths:
            raise ValueError("give networks or paths")
        for network in map(ip_network, self.networks):
            if network.prefixlen < _WIDEST[network.version]:
                raise ValueError(f"{network} is nearly everybody: that is what passthrough is for")
        return self


class AllowShown(BaseModel):
    name: str
    reason: str
    expires_at: str
    networks: list[str]
    paths: list[str]
    by: str | None


class AllowList(BaseModel):
    room: str
    allow: list[AllowShown]


async def list_allowed(request: web.Request) -> web.Response:
    room = find(request)
    return _answer(room, room.snapshot)


async def allow(request: web.Request) -> web.Response:
    room, by = find(request), whose(request)
    asked = await read_body(request, AllowBody, said="an entry that cannot be")
    _check(room, asked)

    def with_it(seen: Snapshot) -> tuple[Allowed, ...]:
        kept = in_force(seen.limits.allow, seen.now_ms)
        if any(entry.name == asked.name for entry in kept):
            raise Refused(409, f"there is an entry {asked.name}: delete it first")
        if len(kept) >= MOST:
            raise Refused(409, f"there are {MOST} entries already")
        if _is_nearly_everybody([*asked.networks, *(each for entry in kept for each in entry.networks)]):
            problem = "networks: all entries together are nearly everybody: that is what passthrough is for"
            raise Refused(422, "an entry that cannot be", problems=[problem])
        return (*kept, Allowed(asked.name, asked.reason, _ms(asked.expires_at), asked.networks, asked.paths, by.name))

    after = await _change(request, room, with_it)
    entry = next(entry for entry in after.limits.allow if entry.name == asked.name)
    request.app[RECORD].did("allowed", after, by, **_shown(entry, without="by"))
    return _answer(room, after, status=201)


async def disallow(request: web.Request) -> web.Response:
    room, by = find(request), whose(request)
    name = request.match_info["name"]

    def without_it(seen: Snapshot) -> tuple[Allowed, ...]:
        kept = in_force(seen.limits.allow, seen.now_ms)
        if all(entry.name != name for entry in kept):
            raise Refused(404, "no such entry")
        return tuple(entry for entry in kept if entry.name != name)

    after = await _change(request, room, without_it)
    request.app[RECORD].did("disallowed", after, by, name=name)
    return _answer(room, after)


async def _change(
    request: web.Request, room: RoomControl, entries: Callable[[Snapshot], tuple[Allowed, ...]]
) -> Snapshot:
    _, after = await rewrite(room, if_match(request), lambda seen: {"allow": entries(seen)})
    return after


def _is_nearly_everybody(networks: Iterable[str]) -> bool:
    """Whether entries that are each narrow enough do together what only passthrough may."""
    apart = [ip_network(each) for each in networks]
    fourth = collapse_addresses([each for each in apart if isinstance(each, IPv4Network)])
    sixth = collapse_addresses([each for each in apart if isinstance(each, IPv6Network)])
    return sum(each.num_addresses for each in fourth) > 1 << (32 - _WIDEST_TOGETHER[4]) or sum(
        each.num_addresses for each in sixth
    ) > 1 << (128 - _WIDEST_TOGETHER[6])


def _check(room: RoomControl, asked: AllowBody) -> None:
    """Raises `Refused` for what only the room can say."""
    now_ms = room.snapshot.now_ms
    if not now_ms < _ms(asked.expires_at) <= now_ms + LONGEST_S * 1000:
        raise Refused(422, "an entry that cannot be", problems=["expires_at: must be ahead, by at most 30 days"])
    if asked.name in room.rule_names:
        raise Refused(409, f"{asked.name} is a bypass rule of the settings file")
    if not asked.networks:
        for path in map(fold_prefix, asked.paths):
            if any(path in {"/", of} or of.startswith(path + "/") for of in room.area.paths):
                problem = f"paths: {path} is the whole room: that is what passthrough is for"
                raise Refused(422, "an entry that cannot be", problems=[problem])


def _answer(room: RoomControl, seen: Snapshot, *, status: int = 200) -> web.Response:
    entries = [_shown(entry) for entry in in_force(seen.limits.allow, seen.now_ms)]
    return json({"room": room.name, "allow": entries}, status=status, headers=etag(seen))


def _shown(entry: Allowed, *, without: str = "") -> dict[str, Any]:
    shown = {
        "name": entry.name,
        "reason": entry.reason,
        "expires_at": as_iso(entry.expires_ms),
        "networks": list(entry.networks),
        "paths": list(entry.paths),
        "by": entry.by,
    }
    return {name: value for name, value in shown.items() if name != without}


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


_PATH: Final = "/api/rooms/{room}/allow"

OPERATIONS: Final = (
    Operation("GET", _PATH, list_allowed, "Who is let through without a turn, for now.", Role.VIEWER, AllowList),
    Operation(
        "POST", _PATH, allow, "Let a network, or what lies under a path, through without a turn.", Role.ADMIN,
        AllowList, status=201, body=AllowBody, parameters=(IF_MATCH,), refuses={409: "the name is taken, or too many"},
    ),
    Operation(
        "DELETE", f"{_PATH}/{{name}}", disallow, "Take an entry back.", Role.ADMIN, AllowList,
        parameters=(in_path("name", "Its name.", pattern=_NAME), IF_MATCH),
        refuses={404: "no such entry"},
    ),
)  # fmt: skip
