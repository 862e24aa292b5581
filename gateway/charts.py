"""Charts over time as SVG, in nothing but elements and classes: for pages under a strict policy, and for print. Pure.

A line's meaning is in its dashes as well as in its colour, and in words for those who see neither (`title`, `desc`).
The page brings the colours: `CSS` has ours.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from html import escape
from math import floor, log10
from typing import Final

WIDTH: Final = 560
HEIGHT: Final = 230
LEFT: Final = 56
RIGHT: Final = 12
TOP: Final = 20
BOTTOM: Final = 26

_MINUTE_MS: Final = 60_000
# Pauses between moments written below, in minutes.
_PAUSES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080)
_MOMENTS: Final = 6
_DAY_MINUTES: Final = 1440
_STEPS: Final = 4
# A stretch without points longer than so many of the usual pauses is a gap in the line.
_GAP: Final = 3

CSS: Final = """
.chart{width:100%;height:auto;font:11px system-ui,sans-serif}
.chart text{fill:currentColor}
@media (max-width:40rem){.chart{font-size:15px}}
.chart .grid{stroke:currentColor;stroke-opacity:.18}
.chart .mark{stroke:currentColor;stroke-opacity:.55;stroke-dasharray:2 3}
.chart .series,.legend .series{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
.chart .s0,.legend .s0{stroke:var(--chart-0,#1b5fc1)}
.chart .s1,.legend .s1{stroke:var(--chart-1,#b3261e);stroke-dasharray:7 3}
.chart .s2,.legend .s2{stroke:var(--chart-2,#187a43);stroke-dasharray:2 3}
"""


@dataclass(frozen=True, slots=True)
class Series:
    """values: one for each moment of the chart; None where not known."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Frame:
    """What all charts of a page share. marks: moments with a line across, and what stands on top of it."""

    from_ms: int
    before_ms: int
    zone: tzinfo
    marks: Sequence[tuple[int, str]] = ()


def chart(
    key: str,
    title: str,
    times_ms: Sequence[int],
    series: Sequence[Series],
    frame: Frame,
    *,
    said: Callable[[float], str],
    summary: str,
) -> str:
    """A chart of lines. key: of its own on the page. said: a value in words. summary: the chart in words."""
    highest = max((value for each in series for value in each.values if value is not None), default=0.0)
    steps = scale(highest)
    top = steps[-1]
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-labelledby="{key}-title {key}-desc">',
        f'<title id="{key}-title">{escape(title)}</title><desc id="{key}-desc">{escape(summary)}</desc>',
    ]
    for value in steps:
        y = _y(value, top)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{escape(said(value))}</text>')
    for at_ms, text in moments(frame):
        x = _x(at_ms, frame)
        parts.append(f'<text x="{x}" y="{HEIGHT - 8}" text-anchor="middle">{escape(text)}</text>')
    for at_ms, text in frame.marks:
        if frame.from_ms <= at_ms < frame.before_ms:
            x = _x(at_ms, frame)
            parts.append(f'<line class="mark" x1="{x}" x2="{x}" y1="{TOP - 6}" y2="{HEIGHT - BOTTOM}"/>')
            parts.append(f'<text x="{x}" y="{TOP - 9}" text-anchor="middle">{escape(text)}</text>')
    for number, each in enumerate(series):
        parts.append(f'<path class="series s{number}" d="{_path(times_ms, each.values, top, frame)}"/>')
    return "".join((*parts, "</svg>"))


def legend(names: Sequence[str]) -> str:
    """What the lines are, in their order."""
    marks = (
        f'<span><svg width="28" height="8" aria-hidden="true"><line class="series s{number}" x1="1" x2="27" y1="4" '
        f'y2="4"/></svg> {escape(name)}</span>'
        for number, name in enumerate(names)
    )
    return f'<p class="legend">{" ".join(marks)}</p>'


def scale(highest: float) -> list[float]:
    """From 0 in round steps to at least the highest value; whole numbers from 1 on."""
    if highest <= 0:
        return [0.0, 1.0]
    rough = highest / _STEPS
    power: float = 10.0 ** floor(log10(rough))
    size = next(power * each for each in (1, 2, 5, 10) if power * each >= rough)
    size = max(size, 1.0)
    count = max(1, -int(-highest // size))
    return [size * each for each in range(count + 1)]


def moments(frame: Frame) -> list[tuple[int, str]]:
    """The moments to write below: round ones of the zone, as many as fit."""
    minutes = (frame.before_ms - frame.from_ms) / _MINUTE_MS
    pause = next((each for each in _PAUSES if minutes / each <= _MOMENTS), _PAUSES[-1])
    begins = datetime.fromtimestamp(frame.from_ms / 1000, frame.zone)
    at = begins.replace(hour=0, minute=0, second=0, microsecond=0)
    found = []
    while (at_ms := round(at.timestamp() * 1000)) < frame.before_ms:
        if at_ms >= frame.from_ms:
            found.append((at_ms, f"{at.month}/{at.day}" if pause >= _DAY_MINUTES else f"{at:%H:%M}"))
        at += timedelta(minutes=pause)
    return found


def _path(times_ms: Sequence[int], values: Sequence[float | None], top: float, frame: Frame) -> str:
    pauses = sorted(after - before for before, after in itertools.pairwise(times_ms))
    gap_ms = _GAP * pauses[len(pauses) // 2] if pauses else 0
    parts = []
    before_ms: int | None = None
    for at_ms, value in zip(times_ms, values, strict=True):
        if value is None:
            before_ms = None
            continue
        joined = before_ms is not None and at_ms - before_ms <= gap_ms
        parts.append(f"{'L' if joined else 'M'}{_x(at_ms, frame)} {_y(value, top)}")
        if not joined:
            # A point by itself is a dot.
            parts.append("h.1")
        before_ms = at_ms
    return "".join(parts)


def _x(at_ms: int, frame: Frame) -> float:
    share = (at_ms - frame.from_ms) / max(1, frame.before_ms - frame.from_ms)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _y(value: float, top: float) -> float:
    return round(HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM), 1)
