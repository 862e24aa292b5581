"""What the waiting page says to its reader alone, in words. Pure. The script says the same by the same rules."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

from gateway.edge.opening import ahead_words, draw_words, duration, stock_words

WORDS: Final = ("count_before", "count", "count_after", "number", "eta", "ahead_row", "draw", "stock")


def reader_words(status: Mapping[str, Any], phase: str, zone: tzinfo, t: Mapping[str, str]) -> dict[str, str]:
    """`WORDS` for `waiting.html`; empty is what does not apply.

    status: a whole status answer. phase: the page's face for it.
    """
    before, count, after = _people_words(status["ahead"] if phase in {"waiting", "paused"} else None, t)
    return {
        "count_before": before,
        "count": count,
        "count_after": after,
        "number": _grouped(status["number"]),
        "eta": "" if is_hopeless(status) else _eta_of(phase, status, t),
        "ahead_row": ahead_words(status, phase, t),
        "draw": draw_words(status, phase, zone, t),
        "stock": stock_words(status, phase, t),
    }


def is_hopeless(status: Mapping[str, Any]) -> bool:
    """Whether the turn will not come within the reader's own window."""
    window = status["eligibility"]
    return window is not None and window.get("late") == "certain"


def eta_words(eta_ms: tuple[int, int] | list[int] | None, t: Mapping[str, str]) -> str:
    """An expected wait as a range in words: the longer, the rounder. The script has the same rule (`etaWords`)."""
    if eta_ms is None:
        return t["eta_unknown"]
    top = -(-eta_ms[1] // 60_000)
    if top <= 1:
        return t["eta_soon"]
    step = next(step for limit, step in ((20, 1), (90, 5), (300, 10), (1_440, 30), (top, 60)) if top <= limit)
    high = -(-top // step) * step
    low = eta_ms[0] // 60_000 // step * step
    if low <= 0:
        return t["eta_upto"].format(high=duration(high, t))
    if low >= high:
        return t["eta_about"].format(high=duration(high, t))
    if high > 90:  # noqa: PLR2004 - as in `duration`
        return t["eta_between_long"].format(low=duration(low, t), high=duration(high, t))
    return t["eta_between"].format(low=t["minutes_bare"].format(m=low), high=duration(high, t))


def _eta_of(phase: str, status: Mapping[str, Any], t: Mapping[str, str]) -> str:
    return eta_words(status["eta_ms"], t) if phase == "waiting" else t["eta_paused"] if phase == "paused" else ""


def _people_words(ahead: int | None, t: Mapping[str, str]) -> tuple[str, str, str]:
    """Words before the number of people ahead, the number, words after it."""
    if ahead is None:
        return "", "", ""
    if ahead == 0:
        return t["ahead_none"], "", ""
    return t["ahead_before"], _grouped(ahead), t["ahead_one" if ahead == 1 else "ahead_many"]


def _grouped(number: int | None) -> str:
    """A number as both our languages group it; empty for none."""
    return "" if number is None else f"{number:,}"
