"""The addresses and cookie names of one room behind one gate."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from yarl import URL

from shared.wire import OWN_PATH, PASS_COOKIE, TICKET_COOKIE, VisitorState


@dataclass(frozen=True, slots=True)
class Site:
    """`page` is the protected page a visitor wants."""

    page: URL
    room: str

    @property
    def ticket(self) -> str:
        return f"{TICKET_COOKIE}_{self.room}"

    @property
    def pass_(self) -> str:
        return f"{PASS_COOKIE}_{self.room}"

    @property
    def origin(self) -> str:
        return str(self.page.origin())

    def at(self, path: str) -> URL:
        """An address of this site, sent exactly as it is spelled."""
        return _at(self.page, path)

    def own(self, name: str) -> URL:
        """The gate's own `status`, `board`, `draw` or `leave`."""
        return self.at(f"{OWN_PATH}{self.room}/{name}")


# To take an address apart costs as much as sending a request to it.
@lru_cache(maxsize=4096)
def _at(page: URL, path: str) -> URL:
    return URL(f"{page.origin()}{path}", encoded=True)


@dataclass(frozen=True, slots=True)
class Status:
    """The fields of a status answer that a visitor goes by. lots_pending: nobody has a place yet."""

    state: VisitorState
    room_state: str
    number: int | None
    place: int | None
    poll_after_ms: int
    message: str
    catching_up: bool = False
    server_time_ms: int = 0
    lots_pending: bool = False
    eta_ms: tuple[int, int] | None = None
    settings_version: int = 0

    @classmethod
    def read(cls, data: Any) -> "Status | None":
        """None if this is no status answer."""
        try:
            return cls(
                state=VisitorState(data["state"]),
                room_state=str(data["room_state"]),
                number=data["number"],
                place=data["place"],
                poll_after_ms=int(data["poll_after_ms"] or 0),
                message=str(data["message"]),
                catching_up=data.get("catching_up") is True,
                server_time_ms=int(data.get("server_time_ms") or 0),
                lots_pending=data.get("draw") == "pending",
                eta_ms=None if data.get("eta_ms") is None else (int(data["eta_ms"][0]), int(data["eta_ms"][1])),
                settings_version=int(data.get("settings_version") or 0),
            )
        except (KeyError, IndexError, TypeError, ValueError):
            return None
