"""An evening made up: its audit log and its history, with figures that are known beforehand."""

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.history import HistoryFile
from gateway.ledger import Ledger
from gateway.points import SLOT_MS, Point

START_MS = 1_626_692_400_000  # 19 July 2021, 20:00 in Korea
CLAIM_WINDOW_MS = 60_000
SETTINGS = """
[gateway]
audit_log = "{folder}/audit.log"
history_file = "{folder}/history.db"
[upstream]
servers = ["http://127.0.0.1:1"]
[[room]]
name = "vaccine"
title = {{ ko = "예방접종 <사전예약>", en = "Vaccination" }}
"""


@dataclass
class Evening:
    """What was put in. waits: in seconds, in the order of admission."""

    folder: Path
    minutes: int
    config: Path = field(init=False)
    waits: list[int] = field(default_factory=list)
    admitted: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    no_shows: int = 0

    def __post_init__(self) -> None:
        self.config = self.folder / "sunbeon.toml"
        self.config.write_text(SETTINGS.format(folder=self.folder), encoding="utf-8")

    @property
    def end_ms(self) -> int:
        return START_MS + self.minutes * 60_000


def make(folder: Path, *, minutes: int = 120, per_slot: int = 20, seed: int = 7) -> Evening:
    """`per_slot` places are called in ten seconds; their holders come within ten, one in ten never, one in 50 late."""
    made = Evening(folder, minutes)
    rng = random.Random(seed)
    ledger = Ledger(folder / "audit.log")
    file = HistoryFile(folder / "history.db", days=7)
    counters: Counter[str] = Counter({"admitted": 1_000, "refused.forged": 50, "estimate.within": 10})
    lines: list[tuple[int, dict[str, Any]]] = []
    points: list[tuple[str, Point]] = [("vaccine", _point(START_MS - SLOT_MS, 0, counters))]
    for slot in range(minutes * 6):
        at_ms = START_MS + slot * SLOT_MS
        for place in range(slot * per_slot + 1, (slot + 1) * per_slot + 1):
            if rng.random() < 0.1:
                made.no_shows += 1
                counters["no_shows"] += 1
                continue
            late = rng.random() < 0.02
            came_ms = at_ms + 4_000 + rng.randrange(6_000) + (2 * CLAIM_WINDOW_MS if late else 0)
            if came_ms >= made.end_ms:
                continue
            how = "late_lane" if late else "line"
            waited = slot * 8 + rng.randrange(60)
            facts = {"epoch": 1, "number": place, "place": place, "pass_id": f"p{place}", "how": how}
            lines.append((came_ms, {"event": "admitted", **facts, "again": False, "waited_ms": waited * 1000}))
            if place % 10 == 0:
                lines.append((came_ms + 500, {"event": "admitted", **facts, "again": True, "waited_ms": waited * 1000}))
            made.admitted[how] += 1
            counters["admitted"] += 1
            if not late:
                made.waits.append(waited)
        if slot % 3 == 0:
            made.refused += 1
            counters["refused.forged"] += 1
            lines.append((at_ms, {"event": "refused", "why": "forged"}))
        counters["estimate.within"] += 9
        counters["estimate.later"] += 1
        counters["exempt.desk"] += slot % 2
        points.append(("vaccine", _point(at_ms, (slot + 1) * per_slot, counters)))
    change = {"new_users_per_minute": {"from": 120, "to": 240}}
    by = {"by": "<b>Kim</b>", "by_said": True, "version": 2}
    lines += [
        (START_MS + 600_000, {"event": "settings", "changed": change, **by}),
        (START_MS + 1_200_000, {"event": "postponed", "from": None, "to": "2021-07-19T22:00", "reason": "slow", **by}),
    ]
    for time_ms, facts in sorted(lines, key=lambda line: line[0]):
        ledger.append("vaccine", {"time_ms": time_ms, "room": "vaccine", **facts})
    file.add(points)
    file.close()
    ledger.close()
    return made


def _point(at_ms: int, serving: int, counters: Counter[str]) -> Point:
    return Point(
        at_ms=at_ms, epoch=1, state="open", waiting=9_000, people_waiting=4_000, serving=serving, tail=serving + 9_000,
        live=280, ceiling=300, outflow=120, lane=2, claim_window_ms=CLAIM_WINDOW_MS, wait_low_ms=600_000,
        wait_high_ms=1_200_000, latency_p50_ms=40, latency_p95_ms=120, stock=None, counters=dict(counters),
    )  # fmt: skip
