"""Puts what operators do on record: who says to have done it, what it was before, what it is now.

There is one operator token, so who did it is what the caller says of itself, and the line says that it was said.
"""

from collections.abc import Iterable
from typing import Any, Final, Protocol
from urllib.parse import unquote

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.room.model import Snapshot
from gateway.settings import OperatorName, as_iso, live_settings

# Percent-encoded UTF-8 where the name is not plain ASCII.
OPERATOR_HEADER: Final = "Sunbeon-Operator"


class Book(Protocol):
    """Where it is written down: the audit log."""

    def operated(self, event: str, room: str, now_ms: int, **facts: object) -> None: ...


class Record:
    """book: None where nothing is kept."""

    def __init__(self, book: Book | None = None) -> None:
        self._book = book

    def postponed(self, room: Snapshot, reason: str, by: str | None) -> None:
        moved = {"from": as_iso(room.limits.postponed_from_ms), "to": as_iso(room.limits.postponed_to_ms)}
        self._write("postponed", room, by, reason=reason, **moved)

    def changed(self, before: Snapshot, after: Snapshot, names: Iterable[str], by: str | None) -> None:
        old, new = live_settings(before.limits), live_settings(after.limits)
        changes = {name: {"from": old[name], "to": new[name]} for name in sorted(names) if old[name] != new[name]}
        self._write("settings", after, by, changed=changes)

    def reset(self, room: Snapshot, by: str | None) -> None:
        self._write("reset", room, by, epoch=room.epoch)

    def _write(self, event: str, room: Snapshot, by: str | None, **facts: Any) -> None:
        if self._book is None:
            return
        said = {"by": by, "by_said": True} if by else {"by": None}
        self._book.operated(event, room.room, room.now_ms, version=room.limits.version, **facts, **said)


class _Said(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    by: OperatorName


def said_by(request: web.Request) -> str | None:
    """Who the caller says to be; None if it says nothing. Raises `HTTPBadRequest` for what is no name in a line."""
    text = request.headers.get(OPERATOR_HEADER)
    if text is None:
        return None
    try:
        return _Said(by=unquote(text, errors="strict")).by
    except (ValidationError, UnicodeDecodeError):
        reason = f"{OPERATOR_HEADER} must be a name of 1 to 100 characters in one line"
        raise web.HTTPBadRequest(reason=reason) from None
