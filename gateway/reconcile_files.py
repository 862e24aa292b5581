"""`sunbeon reconcile`: reads a list of bookings and an audit log, and writes what was found."""

import csv
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TextIO

import orjson

from gateway import audit_files
from gateway.chain import Fault, Report
from gateway.reconcile import Booking, Class, Evidence, Judged, Way, counts, reconcile
from shared.errors import SunbeonError

NEEDED: Final = ("ref", "created_at", "room", "epoch", "number", "place", "how", "rule", "pass_id")
# So many of those nobody can prove are told one by one; the rows file has all.
SHOWN: Final = 20
_SUSPECT: Final = (Class.UNPROVEN, Class.REPLAYED)


class BadBookings(SunbeonError):
    """The list cannot be used; says where."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """logs: what verifying each log found, with its name.

    passages: of room, way and rule: how often the logs tell of somebody let in like that without the line.
    left_out: lines that were not written in floods.
    """

    judged: Sequence[Judged]
    logs: Sequence[tuple[str, Report]]
    passages: Counter[Way]
    left_out: int

    @property
    def sound(self) -> bool:
        """Whether every booking is proven, by a log that holds."""
        return self.logs_hold and not any(each.judged in _SUSPECT for each in self.judged)

    @property
    def logs_hold(self) -> bool:
        return all(audit_files.holds(report) for _, report in self.logs)


def read_bookings(file: Iterable[str], name: str) -> list[Booking]:
    """A CSV with the columns `NEEDED` in any order, and others. Raises `BadBookings`."""
    table = csv.DictReader(file)
    found: list[Booking] = []
    try:
        missing = [column for column in NEEDED if column not in (table.fieldnames or ())]
        if missing:
            raise BadBookings(f"{name}: columns are missing: {', '.join(missing)}")
        found.extend(_booking(row, f"{name}:{table.line_num}") for row in table)
    except (csv.Error, UnicodeDecodeError) as error:
        raise BadBookings(f"{name}:{table.line_num}: is no CSV: {error}") from None
    return found


def ask_booking_site(config: Path | None) -> list[Booking]:
    """The bookings of the database that the booking site's settings name. Raises `BadBookings`."""
    # A program of its own, never imported: the packages stay apart.
    command = [sys.executable, "-m", "booking", "provenance", *(("--config", str(config)) if config else ())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as program:  # noqa: S603 - our own
        assert program.stdout is not None  # noqa: S101 - asked for above
        found = read_bookings(program.stdout, "bookings")
    if program.returncode:
        raise BadBookings("the booking site's database could not be read; it says why above")
    return found


def compare(bookings: Sequence[Booking], logs: Sequence[Path]) -> Outcome:
    """Judge the bookings by the logs, and each log by its chain. logs: of one gateway each. Raises `NoLog`."""
    evidence = Evidence(bookings)
    reports: list[tuple[str, Report]] = []
    for log in logs:
        reading = audit_files.Reading([log])
        for where, facts in reading.lines():
            evidence.read(where, facts)
        report = reading.end()
        for earlier, known in reports:
            _find_twice(report, known, earlier)
        reports.append((str(log), report))
    evidence.done()
    return Outcome(reconcile(bookings, evidence), reports, evidence.passages, evidence.left_out)


def _find_twice(report: Report, known: Report, earlier: str) -> None:
    """Lines that another log has too would count twice as passages: a fault of this one's."""
    for room, found in report.rooms.items():
        other = known.rooms.get(room)
        if other is None or other.head.chain != found.head.chain:
            continue
        if other.first_seq <= found.head.seq and found.first_seq <= other.head.seq:
            report.add(Fault.MOVED, room, "all", f"{earlier} has the same lines: name each log once")


def summary(outcome: Outcome) -> Iterator[str]:
    """One page, in words."""
    total = len(outcome.judged)
    yield f"{total:,} bookings"
    for name, number in counts(outcome.judged).items():
        yield f"  {name:<16} {number:>10,}  {number / total:7.2%}" if total else f"  {name:<16} {number:>10,}"
    exempt: dict[str, list[Booking]] = {}
    for each in outcome.judged:
        if each.judged is Class.EXEMPT:
            said = each.why + (f", by {each.by}" if each.by and each.by not in each.why else "")
            exempt.setdefault(said, []).append(each.booking)
    for said, bookings in sorted(exempt.items(), key=lambda item: -len(item[1])):
        # More bookings than passages is a sign: the log tells of each, but for what it says it left out in a flood.
        on_record = sum(outcome.passages[way] for way in {(each.room, each.how, each.rule) for each in bookings})
        yield f"  exempt: {said}: {len(bookings):,} ({on_record:,} passages on record)"
    if outcome.left_out:
        yield f"  in floods {outcome.left_out:,} lines were not written"
    suspects = [each for each in outcome.judged if each.judged in _SUSPECT]
    for each in suspects[:SHOWN]:
        said = f" [{each.evidence}]" if each.evidence else ""
        yield f"{each.judged}: {each.booking.ref} ({each.booking.where}): {each.why}{said}"
    if len(suspects) > SHOWN:
        yield f"... and {len(suspects) - SHOWN:,} more"
    for log, report in outcome.logs:
        yield f"{log}: {'holds' if audit_files.holds(report) else 'DOES NOT HOLD'}"
        for line in audit_files.told(report):
            yield f"  {line}"


def write_rows(outcome: Outcome, file: TextIO) -> None:
    """Every booking with its class and its evidence, as CSV."""
    table = csv.writer(file)
    table.writerow(("ref", "created_ms", "room", "number", "place", "how", "class", "by", "why", "evidence"))
    for each in outcome.judged:
        booking = each.booking
        row = (booking.ref, booking.created_ms, booking.room, booking.number, booking.place, booking.how)
        table.writerow(map(audit_files.cell, (*row, each.judged.value, each.by, each.why, each.evidence)))


def as_json(outcome: Outcome) -> str:
    """The counts, and all who are not proven."""
    suspects = [
        {"ref": each.booking.ref, "class": each.judged, "why": each.why, "evidence": each.evidence}
        for each in outcome.judged
        if each.judged in _SUSPECT
    ]
    data = {
        "bookings": len(outcome.judged),
        "classes": {name.value: number for name, number in counts(outcome.judged).items()},
        "suspects": suspects,
        "logs_hold": outcome.logs_hold,
    }
    return orjson.dumps(data, option=orjson.OPT_INDENT_2).decode()


def _booking(row: Mapping[str | None, str | None], where: str) -> Booking:
    try:
        created = datetime.fromisoformat(row["created_at"] or "")
        if created.tzinfo is None:
            raise BadBookings(f"{where}: {row['created_at']} has no UTC offset")
        return Booking(
            where,
            row["ref"] or where,
            round(created.timestamp() * 1000),
            row["room"] or "",
            _whole(row["epoch"]),
            _whole(row["number"]),
            _whole(row["place"]),
            row["how"] or "",
            row["rule"] or None,
            row["pass_id"] or "",
        )
    except (ValueError, OverflowError) as error:
        raise BadBookings(f"{where}: {error}") from None


def _whole(text: str | None) -> int | None:
    return int(text) if text else None
