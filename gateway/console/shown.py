"""A room as operators see it: the document that the API answers with, and the console draws."""

from collections.abc import Mapping
from typing import Any

from gateway.room.forecast import wait_of_last
from gateway.room.grading import share_within
from gateway.room.model import Prequeue, Snapshot
from gateway.settings import as_iso, live_settings


def describe(
    room: Snapshot,
    *,
    fresh: bool = True,
    waves: Mapping[str, Prequeue] | None = None,
    people_waiting: int | None = None,
    stock: int | None = None,
) -> dict[str, Any]:
    """A room as operators see it. fresh: whether the store was heard from lately; else this is what it was before.

    waves: that have yet to join the line. people_waiting: who of those `waiting` are still there. stock: what the
    backend last said it has left. Both None while nobody can say.
    """
    return {
        "room": room.room,
        "fresh": fresh,
        "epoch": room.epoch,
        "state": room.state.value,
        "admitting": room.admitting,
        "opens_at": as_iso(room.moment.opens_at_ms),
        "closes_at": as_iso(room.moment.closes_at_ms),
        "postponed_from": as_iso(room.limits.postponed_from_ms) if room.is_postponed else None,
        "in_force": {
            "new_users_per_minute": room.in_force.new_users_per_minute,
            "total_active_users": room.in_force.total_active_users,
        },
        "draw_size": room.draw_size,
        "settings": {**live_settings(room.limits), "version": room.limits.version},
        "tail": room.tail,
        "serving": room.serving,
        "watermark": room.watermark,
        "waiting": room.waiting,
        "people_waiting": people_waiting,
        "stock": stock,
        "waves": {
            wave: {"waiting": found.waiting, "opens_at": as_iso(found.opens_ms)}
            for wave, found in (waves or {}).items()
        },
        "live": room.live,
        "lane_waiting": room.lane_waiting,
        "lane_granted": room.lane_granted,
        "credit": room.credit,
        "entry_credit": room.entry_credit,
        "server_time_ms": room.now_ms,
        "wait_ms": wait_of_last(room) if fresh else None,
        "estimates_within": share_within(room),
        "armed": _armed(room),
        "counters": dict(room.counters),
    }


def _armed(room: Snapshot) -> dict[str, Any] | None:
    """By which drill the room was armed. stands: nothing was changed since."""
    armed = dict(room.limits.armed)
    if not armed:
        return None
    stands = (armed.get("version"), armed.get("epoch")) == (str(room.limits.version), str(room.epoch))
    return {"stands": stands, **{name: armed.get(name) for name in ("drill", "sha256", "at", "by")}}
