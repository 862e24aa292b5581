"""What gateways and the backend wrote down about the run, and whether it agrees: the logs of all of them together.

A gateway writes each admission into its audit log before it answers it, the booking site each request with the pass it
came by. So two passes of one place are found here even if no visitor ever saw both.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from loadtest.evidence import Evidence, Finding, Verdict, judge
from loadtest.flow import turns_inside
from loadtest.scenario import Cheat
from shared.wire import How

BY_LINE: Final = frozenset({How.DIRECT, How.LINE, How.LATE_LANE})


@dataclass(frozen=True, slots=True)
class Grant:
    """A pass, as told by an audit log. A pass told again is the same grant."""

    epoch: int
    number: int
    place: int
    pass_id: str


@dataclass(frozen=True, slots=True)
class Logs:
    """grants: of the room, of all time. served: pass id and `how` of what the backend let through meanwhile.

    refused: how many requests it refused meanwhile, for want of a pass that counts.
    audits, backends: how many files of each were there to read.
    """

    grants: frozenset[Grant]
    served: Sequence[tuple[str | None, str | None]]
    refused: int
    audits: int
    backends: int


class LogFiles:
    """Made before the run: what stands in the backend's log by then is not this run's."""

    def __init__(self, audits: Sequence[Path], backends: Sequence[Path]) -> None:
        self._audits = audits
        self._backends = {path: path.stat().st_size if path.exists() else 0 for path in backends}

    def read(self, room: str) -> Logs | None:
        """None if no log was named."""
        if not self._audits and not self._backends:
            return None
        grants = frozenset(
            Grant(int(line["epoch"]), int(line["number"]), int(line["place"]), str(line["pass_id"]))
            for path in self._audits
            for line in _lines(path)
            if line.get("event") == "admitted" and line.get("room") == room
        )
        asked = [line for path, begun in self._backends.items() for line in _lines(path, begun) if "verdict" in line]
        served = [(line.get("pass_id"), line.get("how")) for line in asked if line["verdict"] == "ok"]
        there = [[path.exists() for path in paths] for paths in (self._audits, self._backends)]
        return Logs(grants, served, len(asked) - len(served), *map(sum, there))


def check_logs(evidence: Evidence, logs: Logs | None) -> tuple[Finding, ...]:
    if logs is None:
        return ()
    return (
        _check_one_pass(logs),
        _check_written(evidence, logs),
        _check_numbers(logs),
        _check_backend(logs),
        _check_refused(evidence, logs),
    )


def _check_one_pass(logs: Logs) -> Finding:
    name = "a place yields one pass, by all audit logs"
    if not logs.grants:
        return _unread(4, name, logs.audits)
    passes = defaultdict(set)
    for grant in logs.grants:
        passes[grant.epoch, grant.place].add(grant.pass_id)
    wrong = [f"place {place} has {len(ids)} passes" for (_, place), ids in sorted(passes.items()) if len(ids) > 1]
    return judge(4, name, wrong, f"{len(passes)} places in {logs.audits} logs")


def _check_written(evidence: Evidence, logs: Logs) -> Finding:
    name = "everyone inside is in an audit log"
    if not logs.grants:
        return _unread(4, name, logs.audits)
    epochs = {sample.epoch for sample in evidence.samples} or {grant.epoch for grant in logs.grants}
    written = {grant.place for grant in logs.grants if grant.epoch in epochs}
    places = [turn.place for turn in turns_inside(evidence) if turn.place is not None]
    wrong = [f"place {place} entered, and no log says so" for place in sorted(set(places) - written)]
    return judge(4, name, wrong, f"{len(places)} entered whose place is known")


def _check_numbers(logs: Logs) -> Finding:
    name = "one number per place, by all audit logs"
    if not logs.grants:
        return _unread(6, name, logs.audits)
    places, numbers = defaultdict(set), defaultdict(set)
    for grant in logs.grants:
        places[grant.epoch, grant.number].add(grant.place)
        numbers[grant.epoch, grant.place].add(grant.number)
    wrong = [f"number {number} has places {sorted(found)}" for (_, number), found in places.items() if len(found) > 1]
    wrong += [f"place {place} has numbers {sorted(found)}" for (_, place), found in numbers.items() if len(found) > 1]
    return judge(6, name, wrong, f"{len(places)} numbers")


def _check_backend(logs: Logs) -> Finding:
    name = "the backend served granted passes only"
    if not logs.grants or not logs.served:
        why = f"{logs.backends} logs of the backend's, {logs.audits} audit logs, nothing in them"
        return Finding(5, name, Verdict.UNCHECKED, why, required=logs.backends > 0)
    granted = {grant.pass_id for grant in logs.grants}
    strange = {pass_id for pass_id, how in logs.served if how in BY_LINE and pass_id not in granted}
    wrong = [f"pass {pass_id} is in no audit log" for pass_id in sorted(map(str, strange))]
    without = sum(how == How.FAIL_OPEN for _, how in logs.served)
    if without:
        wrong.append(f"{without} requests without the line (fail_open)")
    return judge(5, name, wrong, f"{len(logs.served)} requests let through")


def _check_refused(evidence: Evidence, logs: Logs) -> Finding:
    """Whoever went past the gate to the backend is in its log as refused, each time."""
    name = "the backend counted who went past the gate"
    tricks = [journey.trick for journey in evidence.journeys if journey.trick is not None]
    past = sum(trick.tried for trick in tricks if trick.cheat is Cheat.BACKEND_DIRECT)
    if not past or not logs.backends:
        return Finding(5, name, Verdict.UNCHECKED, "nobody did, or no log of the backend's", required=False)
    # Spellings of addresses outside every room go on without a pass, and fail there too.
    most = past + sum(trick.reached for trick in tricks)
    wrong = [] if past <= logs.refused <= most or evidence.disturbed else [f"{past} sent, {logs.refused} refused"]
    return judge(5, name, wrong, f"{past} sent, {logs.refused} refused")


def _unread(invariant: int, name: str, audits: int) -> Finding:
    return Finding(invariant, name, Verdict.UNCHECKED, f"{audits} audit logs without an admission")


def _lines(path: Path, begun: int = 0) -> Iterator[Mapping[str, Any]]:
    """Whole lines of JSON; one that a killed process left half written is none."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(begun)
        for line in file:
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
