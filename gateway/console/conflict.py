"""What another operator has changed since one looked: for the answer to a change that came second (412)."""

from typing import Any

from aiohttp import web

from gateway.console.context import ROOMS, if_match
from gateway.room.model import Limits, Snapshot
from gateway.settings import as_iso, live_settings


def what_changed(request: web.Request, now: Snapshot) -> dict[str, Any]:
    """`changed`: by setting, what it was at the version the caller saw, and is. None if nobody here remembers."""
    room = request.app[ROOMS].get(request.match_info.get("room", ""))
    version = if_match(request)
    then = room.settings_at(version) if room is not None and version is not None else None
    if then is None:
        return {"changed": None}
    was, found = _all_of(then), _all_of(now.limits)
    return {"changed": {name: {"yours_was": was[name], "is": found[name]} for name in was if was[name] != found[name]}}


def _all_of(limits: Limits) -> dict[str, Any]:
    """The settings, and what actions of their own change."""
    return {
        **live_settings(limits),
        "postponed_to": as_iso(limits.postponed_to_ms),
        "allow": [entry.name for entry in limits.allow],
        "approvals": [one.action for one in limits.approvals],
    }
