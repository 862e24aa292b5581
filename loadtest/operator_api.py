"""The operator's side of a room: samples for the checks, settings made for a run and put back after it.

Of several gateways the same one is asked as long as it answers, then the next.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import aiohttp
from yarl import URL

from loadtest.client import ERROR
from loadtest.evidence import Sample
from loadtest.options import UsageError
from loadtest.tally import Watch

OK: Final = 200

# Settings the checks rely on: without one of them a run would prove less than it says.
NEEDED: Final = ("total_active_users", "new_users_per_minute", "idle_limit_s", "session_length_s")


class OperatorApi:
    """bases: of each gateway."""

    def __init__(self, session: aiohttp.ClientSession, bases: Sequence[str], token: str, watch: Watch) -> None:
        self._session = session
        self._bases = [URL(base) for base in bases]
        self._asked = 0
        self._headers = {"Authorization": f"Bearer {token}"}
        self._watch = watch

    async def only_room(self) -> str:
        """Raises `UsageError` if there is not exactly one."""
        data, _ = await self._get("/api/rooms")
        listed = data.get("rooms", ()) if isinstance(data, Mapping) else data
        rooms = [str(entry["room"]) if isinstance(entry, Mapping) else str(entry) for entry in listed]
        if len(rooms) != 1:
            raise UsageError(f"--room: name one of {', '.join(rooms) or '(no rooms)'}")
        return rooms[0]

    async def sample(self, room: str) -> Sample:
        """The room now. Raises `UsageError` if the API does not let us in, `aiohttp.ClientError` if it is away."""
        sent_ms = self._watch.floor_ms()
        data, _ = await self._get(f"/api/rooms/{room}")
        try:
            for name in NEEDED:
                int(data["settings"][name])
            return Sample(
                gateway=str(self._base),
                fresh=data.get("fresh", True) is True,
                sent_ms=sent_ms,
                got_ms=self._watch.ceil_ms(),
                epoch=int(data["epoch"]),
                state=str(data["state"]),
                settings=dict(data["settings"]),
                tail=int(data["tail"]),
                serving=int(data["serving"]),
                waiting=int(data["waiting"]),
                live=int(data["live"]),
                counters={str(name): int(count) for name, count in data["counters"].items()},
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"--operator-url: the answer about room {room} is not understood: {error!r}") from None

    async def server_time_ms(self, room: str) -> int:
        data, _ = await self._get(f"/api/rooms/{room}")
        return int(data["server_time_ms"])

    async def change(self, room: str, patch: Mapping[str, object]) -> None:
        """Change settings as they stand now. Raises `UsageError` if the API refuses."""
        await self._do("PATCH", f"/api/rooms/{room}", patch, room)

    async def reset(self, room: str) -> None:
        """Start the line anew: every place in it is lost."""
        await self._do("POST", f"/api/rooms/{room}/reset", {"confirm": room}, room)

    async def _do(self, method: str, path: str, body: Mapping[str, object], room: str) -> None:
        _, etag = await self._get(f"/api/rooms/{room}")
        headers = {**self._headers, **({"If-Match": etag} if etag else {})}
        async with self._session.request(method, self._base.with_path(path), json=dict(body), headers=headers) as reply:
            if reply.status >= ERROR:
                raise aiohttp.ClientConnectionError(f"{path} answered {reply.status}")
            if reply.status != OK:
                raise UsageError(f"--operator-url: {method} {path}: {reply.status} {(await reply.text())[:300]}")

    @property
    def _base(self) -> URL:
        return self._bases[self._asked % len(self._bases)]

    async def _get(self, path: str) -> tuple[Any, str | None]:
        for _ in self._bases[1:]:
            try:
                return await self._get_once(path)
            except (aiohttp.ClientError, TimeoutError):
                self._asked += 1
        return await self._get_once(path)

    async def _get_once(self, path: str) -> tuple[Any, str | None]:
        async with self._session.get(self._base.with_path(path), headers=self._headers) as reply:
            if reply.status >= ERROR:
                # The store is away for a moment: as good as no connection.
                raise aiohttp.ClientConnectionError(f"{path} answered {reply.status}")
            if reply.status != OK:
                raise UsageError(f"--operator-url: {path} answered {reply.status}: {(await reply.text())[:200]}")
            return await reply.json(content_type=None), reply.headers.get("ETag")
