"""Puts what operators do on record: who did it, what it was before, what it is now.

Who did it is whose token it was. With the first token, which nobody is named by, it is what the caller says of itself
(`Sunbeon-Operator`), and the line says that it was said.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import unquote

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.console.answers import Refused
from gateway.console.auth import who
from gateway.room.model import Snapshot
from gateway.settings import OperatorName, as_iso, live_settings
from gateway.tokens import FIRST

# Percent-encoded UTF-8 where the name is not plain ASCII.
OPERATOR_HEADER: Final = "Sunbeon-Operator"


class Book(Protocol):
    """Where it is written down: the audit log."""

    def operated(self, event: str, room: str, now_ms: int, **facts: object) -> None: ...


@dataclass(frozen=True, slots=True)
class By:
    """Whose doing it is. said: the name is what the caller says."""

    name: str | None
    said: bool = False


class Record:
    """book: None where nothing is kept."""

    def __init__(self, book: Book | None = None) -> None:
        self._book = book

    def postponed(self, room: Snapshot, reason: str, by: By) -> None:
        moved = {"from": as_iso(room.limits.postponed_from_ms), "to": as_iso(room.limits.postponed_to_ms)}
        self._write("postponed", room, by, reason=reason, **moved)

    def changed(self, before: Snapshot, after: Snapshot, names: Iterable[str], by: By) -> None:
        """names: of the settings that were named in the change."""
        old, new = live_settings(before.limits), live_settings(after.limits)
        changes = {name: {"from": old[name], "to": new[name]} for name in sorted(names) if old[name] != new[name]}
        self._write("settings", after, by, changed=changes)

    def did(self, event: str, room: Snapshot, by: By, **facts: Any) -> None:
        """Any other action, under its own name."""
        self._write(event, room, by, **facts)

    def reset(self, room: Snapshot, by: By) -> None:
        self._write("reset", room, by, epoch=room.epoch)

    def armed(self, room: Snapshot, by: By, **facts: object) -> None:
        self._write("armed", room, by, **facts)

    def _write(self, event: str, room: Snapshot, by: By, **facts: Any) -> None:
        if self._book is None:
            return
        said = {"by": by.name, "by_said": True} if by.said else {"by": by.name}
        self._book.operated(event, room.room, room.now_ms, version=room.limits.version, **facts, **said)


class _Said(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    by: OperatorName


def whose(request: web.Request) -> By:
    """Whose token came with the request, or who the caller says to be. Raises `Refused` for what is no name."""
    principal = who(request)
    if principal.name != FIRST:
        return By(principal.name)
    text = request.headers.get(OPERATOR_HEADER)
    if text is None:
        return By(None)
    try:
        return By(_Said(by=unquote(text, errors="strict")).by, said=True)
    except (ValidationError, UnicodeDecodeError):
        reason = f"{OPERATOR_HEADER} must be a name of 1 to 100 characters in one line"
        raise Refused(400, reason) from None
