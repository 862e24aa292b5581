"""The gateways of one site, used as a balancer without memory would: any of them for any request, by lot.

A gateway that is known to be unready is left out, as a balancer's health check would; one that just failed is not asked
again at once where there are others. Whoever answers is sent the site's own name as the host.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Final

import aiohttp
from yarl import URL

LOOK_EVERY_S: Final = 0.25
LOOK_LIMIT_S: Final = 1.0
OK: Final = 200


@dataclass(frozen=True, slots=True)
class Target:
    """Where one try goes. name: of the gateway, for counts; `-` for an address that is none of theirs."""

    name: str
    url: URL
    host: str | None = None


def _told(gateway: URL, url: URL) -> Target:
    return Target(str(gateway), url) if url.origin() == gateway else Target("-", url)


class Gates:
    """pages: the protected page at each gateway; the first gives the site its name. seed: of the lots."""

    def __init__(self, pages: Sequence[str], seed: int = 0) -> None:
        self._origins = [URL(page).origin() for page in pages]
        self._ready = [True] * len(pages)
        self._rng = random.Random(seed)  # noqa: S311 - lots, not secrets
        self._alone = lru_cache(maxsize=4096)(partial(_told, self._origins[0]))

    def target(self, url: URL, *, failed: str | None = None) -> Target:
        """Where to send a request for `url`. failed: the gateway that was just tried in vain."""
        if len(self._origins) == 1:
            return self._alone(url)
        first = self._origins[0]
        if url.origin() != first:
            return Target("-", url)
        ready = [origin for origin, is_ready in zip(self._origins, self._ready, strict=True) if is_ready]
        found = ready or self._origins
        others = [origin for origin in found if str(origin) != failed]
        chosen = self._rng.choice(others or found)
        return Target(str(chosen), URL(f"{chosen}{url.raw_path_qs}", encoded=True), first.authority)

    @asynccontextmanager
    async def watched(self, session: aiohttp.ClientSession, operators: Sequence[str]) -> AsyncIterator[None]:
        """Meanwhile, ask each gateway whether it is ready. operators: their operator APIs, in the same order."""
        urls = [URL(base).with_path("/readyz") for base in operators]
        tasks = [asyncio.create_task(self._look(session, index, url)) for index, url in enumerate(urls)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _look(self, session: aiohttp.ClientSession, index: int, url: URL) -> None:
        while True:
            ready = False
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url, timeout=aiohttp.ClientTimeout(total=LOOK_LIMIT_S)) as reply:
                    ready = reply.status == OK
            self._ready[index] = ready
            await asyncio.sleep(LOOK_EVERY_S)
