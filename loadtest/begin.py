"""What a run needs before the first visitor, and gives back after the last: connections, the room, its settings."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import aiohttp
from yarl import URL

from loadtest.client import JSON, Client
from loadtest.connection import NoAnswer
from loadtest.operator_api import OperatorApi
from loadtest.options import Options, UsageError
from loadtest.scenario import Scenario
from loadtest.site import Site

T = TypeVar("T")

# How long the operator API is waited for, if a worker is just restarting.
PATIENCE_S: Final = 10.0
RETRY_EVERY_S: Final = 0.2

# Around the opening of a run: one time without end, and people may line up at any moment before it.
_ALWAYS_BEFORE: Final[dict[str, object]] = {
    "state": "open",
    "prequeue_s": None,
    "closes_at": None,
    "more_windows": [],
    "timetable": [],
}


def open_session(request_s: float) -> aiohttp.ClientSession:
    """Without cookies of its own, redirects or a limit on connections: the visitors have theirs."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=3600),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=request_s),
        headers={"User-Agent": "sunbeon-loadtest"},
    )


async def find_room(options: Options, client: Client, operator: OperatorApi | None) -> Site:
    """The room, once it has answered. Raises `UsageError`."""
    try:
        if options.room is not None:
            room = options.room
        elif operator is not None:
            room = await operator.only_room()
        else:
            raise UsageError("--room: must be given where there is no operator token")
        # A gateway of several may yet have to come; one must be there.
        site = await _first_that_answers([Site(URL(url), room) for url in options.urls], client)
        if options.backend_url is not None:
            await client.once("GET", URL(options.backend_url), {"Accept": JSON})
    except (aiohttp.ClientError, NoAnswer, TimeoutError) as error:
        raise UsageError(f"cannot begin: {str(error) or type(error).__name__}") from None
    return Site(URL(options.urls[0]), site.room)


async def _first_that_answers(sites: Sequence[Site], client: Client) -> Site:
    """Raises `UsageError` if it does not know the room, and what the last one raised if none answers."""
    for site in sites:
        url = site.own("board")
        try:
            answer = await client.once("GET", url, {"Accept": JSON})
        except (NoAnswer, TimeoutError):
            if site is sites[-1]:
                raise
            continue
        if answer.status != 200 or not isinstance(answer.json(), dict):  # noqa: PLR2004
            raise UsageError(f"--room: {url} answered {answer.status}: no room {site.room} at this gate")
        return site
    raise UsageError("--url: none was given")


@dataclass(frozen=True, slots=True)
class Due:
    """When the room opens. at_ms: by the server's clock; own_ms: by the run's, at the latest."""

    at_ms: int
    own_ms: int


@asynccontextmanager
async def settings_of_run(
    operator: OperatorApi, room: str, options: Options, client: Client
) -> AsyncIterator[Due | None]:
    """The limits of the run, and its opening; what was set before is put back whatever happens."""
    wanted: dict[str, object] = {
        name: value
        for name, value in (
            ("total_active_users", options.total_active_users),
            ("new_users_per_minute", options.new_users_per_minute),
        )
        if value is not None
    }
    due = None
    if options.scenario is Scenario.OPENING:
        await _begin_anew(operator, room, options)
        due = Due(
            await operator.server_time_ms(room) + options.opens_in_ms, client.watch.ceil_ms() + options.opens_in_ms
        )
        wanted |= {
            "queueing_method": options.queueing_method,
            "opens_at": datetime.fromtimestamp(due.at_ms / 1000, UTC).isoformat(),
            **_ALWAYS_BEFORE,
        }
    if not wanted:
        yield due
        return
    before = await operator.sample(room)
    await operator.change(room, wanted)
    try:
        yield due
    finally:
        await patiently(lambda: operator.change(room, {name: before.settings[name] for name in wanted}))


async def _begin_anew(operator: OperatorApi, room: str, options: Options) -> None:
    """A line that has called somebody draws no lots."""
    if not options.reset and (await operator.sample(room)).tail:
        raise UsageError("--scenario opening: the room has given out numbers; with --reset its line begins anew")
    if options.reset:
        await operator.reset(room)


async def patiently(ask: Callable[[], Awaitable[T]]) -> T | None:
    """The answer, or None if the operator API stays away."""
    give_up_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await ask()
        except (aiohttp.ClientError, TimeoutError):
            if time.monotonic() > give_up_s:
                return None
            await asyncio.sleep(RETRY_EVERY_S)
