"""What the waiting page says on opening day beside the countdown: a moved opening, lots, what may end soon. Pure.

The script says the same by the same rules, in the reader's own zone (`showOpening`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Final
from urllib.parse import quote

from shared.wire import OWN_PATH

# A closing is news only when it is this near.
CLOSES_SOON_MS: Final = 30 * 60_000

# Only what is more likely than not is said of the stock: people decide by it whether to go on waiting.
STOCK_LIKELY_PERCENT: Final = 50

# The faces of the page that count down to the room's opening.
BEFORE_OPENING: Final = frozenset({"prequeue", "early"})
_IN_LINE: Final = BEFORE_OPENING | {"waiting", "paused"}
_NOBODY_ENTERS: Final = BEFORE_OPENING | {"closed", "sold_out"}
_WAITING: Final = frozenset({"waiting", "paused"})
_NEAR_THE_DOOR: Final = frozenset({"number", "waiting", "paused", "door"})


def moment(at_ms: int, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC).astimezone(zone)


def own_opening_ms(window: Mapping[str, Any] | None, room_state: str, room_opens_ms: int | None) -> int | None:
    """When the reader's own window opens, if it is this that they wait for and not the room's next opening.

    window: `eligibility` of a status answer.
    """
    if window is None or window["verdict"] not in {"not_yet", "paused"}:
        return None
    opens_ms: int = window["opens_at_ms"]
    return None if room_state in BEFORE_OPENING and (room_opens_ms or 0) >= opens_ms else opens_ms


def time_words(at_ms: int, now_ms: int, zone: tzinfo) -> str:
    """A time of day with its zone; with its date too unless that is today's."""
    at = moment(at_ms, zone)
    return f"{at:%H:%M %Z}" if at.date() == moment(now_ms, zone).date() else f"{at:%Y-%m-%d %H:%M %Z}"


def postponed_words(status: Mapping[str, Any], zone: tzinfo, t: Mapping[str, str]) -> str:
    """That the opening was moved, and what of the reader's is kept; empty if it was not."""
    before_ms, after_ms, now_ms = (status[key] for key in ("postponed_from_ms", "opens_at_ms", "server_time_ms"))
    if before_ms is None or after_ms is None:
        return ""
    before, after = (time_words(at_ms, now_ms, zone) for at_ms in (before_ms, after_ms))
    return f"{t['postponed'].format(before=before, after=after)} {kept_words(status, t)}".rstrip()


def kept_words(status: Mapping[str, Any], t: Mapping[str, str]) -> str:
    """What of the reader's is kept. A number without a place is one for lots, or of a wave yet to join the line."""
    if status["number"] is None:
        return ""
    if status["place"] is not None:
        return t["kept_place"]
    return t["kept_number"] if status["draw"] == "pending" else wave_words(status["draw"], t)


def wave_words(draw: str | None, t: Mapping[str, str]) -> str:
    """What is kept of who lines up for a later window. draw: as in a status answer."""
    return t["kept_wave_draw" if draw == "wave_pending" else "kept_wave"]


def own_words(status: Mapping[str, Any], t: Mapping[str, str]) -> dict[str, str]:
    """What a page says of the reader's own window (`strings.OWN_WORDS`), also later on; empty where there is none."""
    window = status["eligibility"]
    if window is None:
        return {}
    paused = window["verdict"] == "paused"
    lead = t["window_paused_lead" if paused else "lead_window"]
    return {
        "head_window": t["verdict_paused" if paused else "head_window"],
        "lead_window": f"{lead} {kept_words(status, t)}".rstrip(),
        "kept_wave": wave_words(status["draw"], t),
    }


def draw_words(status: Mapping[str, Any], phase: str, zone: tzinfo, t: Mapping[str, str]) -> str:
    """How lots decide, or have decided, the reader's place; empty where they do not."""
    draw, opens_ms, size, place = (status[key] for key in ("draw", "opens_at_ms", "draw_size", "place"))
    if phase == "window" and draw == "wave_pending":
        opens_ms = own_opening_ms(status["eligibility"], status["room_state"], opens_ms)
    elif phase not in BEFORE_OPENING or draw != "pending":
        opens_ms = None
    if opens_ms is not None:
        return t["draw_before"].format(time=time_words(opens_ms, status["server_time_ms"], zone))
    # Lots among nobody were none.
    if draw not in {"drawn", "wave_drawn"} or phase not in _IN_LINE or not size or place is None:
        return ""
    early = draw == "wave_drawn" or place <= size
    return t["draw_after" if early else "draw_later"].format(n=f"{size:,}", place=f"{place:,}")


def draw_address(room: str, status: Mapping[str, Any]) -> str:
    """Where the lots the page speaks of are published."""
    wave = status["wave"]
    return f"{OWN_PATH}{room}/draw" + (f"?wave={quote(wave, safe='')}" if wave else "")


def stock_words(status: Mapping[str, Any], phase: str, t: Mapping[str, str]) -> str:
    """That what is left may not last until the reader's turn; empty where that is less likely than not, or unknown."""
    stock = status["stock"]
    if stock is None or phase not in _WAITING:
        return ""
    if stock["left"] == 0:
        return t["stock_none"]
    chance = stock["chance_gone_percent"]
    if chance is None or chance < STOCK_LIKELY_PERCENT:
        return ""
    return t["stock_likely"].format(n=f"{stock['left']:,}", p=chance)


def closes_soon_ms(status: Mapping[str, Any], phase: str) -> int | None:
    """When the room closes, to somebody who might not get in before."""
    closes_ms: int | None = status["closes_at_ms"]
    if closes_ms is None or phase not in _NEAR_THE_DOOR:
        return None
    return closes_ms if 0 < closes_ms - status["server_time_ms"] <= CLOSES_SOON_MS else None


def ahead_words(status: Mapping[str, Any], phase: str, t: Mapping[str, str]) -> str:
    """Before an opening, how many go in first; empty while places are not known."""
    ahead = status["ahead"]
    if ahead is None or phase not in BEFORE_OPENING:
        return ""
    key = "ahead_none" if ahead == 0 else "ahead_row_one" if ahead == 1 else "ahead_row_many"
    return t[key].format(n=f"{ahead:,}")


def finishing_words(finishing_ms: int | None, t: Mapping[str, str]) -> str:
    """Who may still finish after a closing, and for how long; empty where nobody is inside."""
    return "" if finishing_ms is None else t["finishing"].format(time=duration(-(-finishing_ms // 60_000), t))


def after_closing_words(status: Mapping[str, Any], phase: str, t: Mapping[str, str]) -> str:
    """Who may still finish, and, where no other opening is set, that and what of the reader's is kept."""
    told = [finishing_words(status["finishing_ms"], t)] if phase in _NOBODY_ENTERS else []
    opens_ms = status["opens_at_ms"]
    if phase == "closed" and status["number"] is not None and (opens_ms or 0) <= status["server_time_ms"]:
        told += [t["no_next"], kept_words(status, t)]
    return " ".join(filter(None, told))


def duration(minutes: int, t: Mapping[str, str]) -> str:
    """A wait in words: minutes up to an hour and a half, then hours and minutes."""
    if minutes <= 90:  # noqa: PLR2004 - "75 minutes" is still easier than "1 h 15 min"
        return t["minutes_one" if minutes == 1 else "minutes"].format(m=minutes)
    h, m = divmod(minutes, 60)
    return t["hours_minutes" if m else "hours"].format(h=h, m=m)
