"""`sunbeon audit`: verify a log's chains, and give its lines in other forms."""

import csv
import glob
import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

import orjson

from gateway import heads
from gateway.chain import Head, Proven, Report, Verifier
from shared.errors import SunbeonError
from shared.terminal import plain

# What most lines have, in this order; whatever else a line says goes into the last column, as JSON.
COLUMNS: Final = (
    "seq",
    "time",
    "event",
    "room",
    "epoch",
    "number",
    "place",
    "how",
    "pass_id",
    "again",
    "why",
    "rule",
    "by",
)
MORE: Final = "more"


class NoLog(SunbeonError):
    """A file that is not there, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines; None: whatever it is. from_ms is included, before_ms is not."""

    room: str | None = None
    events: frozenset[str] | None = None
    from_ms: int | None = None
    before_ms: int | None = None

    def has(self, line: dict[str, Any]) -> bool:
        time_ms = line.get("time_ms")
        if type(time_ms) is not int:
            return False
        return (
            (self.room is None or line.get("room") == self.room)
            and (self.events is None or line.get("event") in self.events)
            and (self.from_ms is None or time_ms >= self.from_ms)
            and (self.before_ms is None or time_ms < self.before_ms)
        )


def files(paths: Sequence[Path]) -> list[Path]:
    """The files to read, in the order they were written. A log named alone stands for what was moved aside from it too.

    Raises `NoLog`.
    """
    if len(paths) > 1:
        return list(paths)
    (path,) = paths
    found = []
    for each in path.parent.glob(f"{glob.escape(path.name)}.*"):
        number = each.name.removeprefix(f"{path.name}.").removesuffix(".gz")
        if number.isascii() and number.isdigit():
            # By the time of its first line: we number from the oldest on, others (logrotate) from the newest.
            found.append((_begun_ms(each), int(number), each))
    if not found and not path.exists():
        raise NoLog(f"{path}: there is no such log")
    return [*(each for _, _, each in sorted(found)), *([path] if path.exists() else [])]


def heads_beside(paths: Sequence[Path]) -> list[tuple[str, Head]]:
    """The newest lines as the gateway that writes a log noted them beside it; none for a log that is given in parts."""
    if len(paths) > 1:
        return []
    try:
        known = heads.read(heads.beside(paths[0]).read_bytes())
    except OSError:
        return []
    return list(heads.heads_of(known).items()) if known is not None else []


def _begun_ms(path: Path) -> int:
    for _, text in lines([path]):
        try:
            time_ms = orjson.loads(text)["time_ms"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue
        if type(time_ms) is int:
            return time_ms
    return 0


def lines(paths: Iterable[Path]) -> Iterator[tuple[str, bytes]]:
    """Each line with its file and number; files that end in .gz are unpacked. Raises `NoLog`."""
    for path in paths:
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    yield f"{path}:{number}", line.rstrip(b"\n")
        except (OSError, EOFError, zlib.error) as error:
            raise NoLog(f"{path}: cannot be read: {error}") from None


def verify(paths: Sequence[Path], noted: Iterable[tuple[str, Head]]) -> Report:
    """Look through the log; a log named alone must reach the heads beside it. Raises `NoLog`."""
    log = Reading(paths, noted)
    for _ in log.lines():
        pass
    return log.end()


class Reading:
    """One log, verified as it is read: `lines` to their end, then `end`. Raises `NoLog`."""

    def __init__(self, paths: Sequence[Path], noted: Iterable[tuple[str, Head]] = ()) -> None:
        """paths, noted: as of `verify`."""
        self._paths = paths
        # Read first: a gateway that runs writes its heads after its lines.
        self._verifier = Verifier([*noted, *heads_beside(paths)])

    def lines(self) -> Iterator[Proven]:
        """Those that are what was written, in the order of their room: others prove nothing."""
        for where, line in lines(files(self._paths)):
            proven = self._verifier.read(where, line)
            if proven is not None:
                yield proven
        yield from self._verifier.rest()

    def end(self) -> Report:
        # Read once more: a room may have begun its chain meanwhile.
        return self._verifier.end([room for room, _ in heads_beside(self._paths)])


def told(report: Report) -> list[str]:
    """A report in words."""
    said = []
    for room, found in sorted(report.rooms.items()):
        part = "" if found.first_seq == 1 else f", from line {found.first_seq:,} on"
        said.append(f"room {room}: {found.lines:,} lines{part}; the last is {found.head.seq}:{found.head.hash}")
        if not found.noted:
            said.append(f"room {room}: no head was noted: nothing says whether its end was cut off")
    if report.unchained:
        said.append(f"{report.unchained:,} lines from before the log had a chain: nothing is known of them")
    if report.torn:
        said.append(f"{report.torn:,} half lines, as a process leaves them that is killed")
    said += [f"{finding.fault}: {finding.where}: room {finding.room}: {finding.says}" for finding in report.findings]
    if report.faults > len(report.findings):
        said.append(f"... and {report.faults - len(report.findings):,} more faults")
    if not report.rooms:
        said.append("no line of a chain was found")
    return list(map(plain, said))


def holds(report: Report) -> bool:
    """Whether there was a chain, and nothing was done to it."""
    return bool(report.rooms) and not report.faults


def export(paths: Sequence[Path], wanted: Wanted, form: str, out: TextIO | None = None) -> int:
    """Write the lines as CSV, or as JSON lines; how many they were. Verifies nothing. Raises `NoLog`.

    out: standard output if None.
    """
    out = out or sys.stdout
    count = 0
    table = csv.writer(out) if form == "csv" else None
    if table is not None:
        table.writerow([*COLUMNS, MORE])
    for _, text in lines(files(paths)):
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError:
            continue
        if not isinstance(line, dict) or not wanted.has(line):
            continue
        count += 1
        if table is None:
            out.write(orjson.dumps(line).decode() + "\n")
            continue
        line["time"] = _iso(line.pop("time_ms"))
        row = [cell(line.pop(name, None)) for name in COLUMNS]
        line.pop("hash", None)
        table.writerow([*row, orjson.dumps(line).decode() if line else ""])
    return count


def _iso(time_ms: int) -> str:
    """As it is, if it is no moment: whatever stands in the log is told."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(time_ms)


def cell(value: object) -> object:
    """A value for a spreadsheet, which would take a text that begins like a formula for one."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return f"'{value}"
    return "" if value is None else value
