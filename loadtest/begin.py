"""What a run needs before the first visitor, and gives back after the last: connections, the room, its limits."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import aiohttp
from yarl import URL

from loadtest.client import JSON, Client
from loadtest.operator_api import OperatorApi
from loadtest.options import Options, UsageError
from loadtest.site import Site

T = TypeVar("T")

# How long the operator API is waited for, if a worker is just restarting.
PATIENCE_S: Final = 10.0
RETRY_EVERY_S: Final = 0.2


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
    except (aiohttp.ClientError, TimeoutError) as error:
        raise UsageError(f"cannot begin: {str(error) or type(error).__name__}") from None
    return Site(URL(options.urls[0]), site.room)


async def _first_that_answers(sites: Sequence[Site], client: Client) -> Site:
    """Raises `UsageError` if it does not know the room, and what the last one raised if none answers."""
    for site in sites:
        url = site.own("board")
        try:
            answer = await client.once("GET", url, {"Accept": JSON})
        except (aiohttp.ClientError, TimeoutError):
            if site is sites[-1]:
                raise
            continue
        if answer.status != 200 or not isinstance(answer.json(), dict):  # noqa: PLR2004
            raise UsageError(f"--room: {url} answered {answer.status}: no room {site.room} at this gate")
        return site
    raise UsageError("--url: none was given")


@asynccontextmanager
async def limits_of_run(operator: OperatorApi, room: str, options: Options) -> AsyncIterator[None]:
    """The limits of the run; those from before are put back whatever happens."""
    wanted = {
        name: value
        for name, value in (
            ("total_active_users", options.total_active_users),
            ("new_users_per_minute", options.new_users_per_minute),
        )
        if value is not None
    }
    if not wanted:
        yield
        return
    before = await operator.sample(room)
    await operator.set_limits(room, wanted)
    try:
        yield
    finally:
        await patiently(lambda: operator.set_limits(room, {name: int(str(before.settings[name])) for name in wanted}))


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
