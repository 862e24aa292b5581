"""The chain of an audit log: each line holds the hash of all before it. Pure.

A line is a JSON object with `seq` (from 1, for each room) first and `hash` last:

    hash = SHA-256(hash of the line before, as text | newline | the line without its hash)

So a line cannot be altered, dropped, added or moved without every later hash being another. Whoever can rewrite the
whole log can compute those anew, but not the hashes that others noted meanwhile: the newest is public (`board`).
The first line of a room in each file is an event `chain`: it says which chain this is (`chain`, random) and the hash
before it (`prev`; zeros where the chain begins), so that each file can be verified by itself.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

import orjson

GENESIS: Final = "0" * 64
BEGIN: Final = "chain"
# So many faults are told one by one.
FAULTS_SHOWN: Final = 20

_SEAL: Final = b',"hash":"'
_SEAL_BYTES: Final = len(_SEAL) + 64 + 2


@dataclass(frozen=True, slots=True)
class Head:
    """The newest line of a room's chain. chain: which chain it is."""

    chain: str
    seq: int
    hash: str


class Fault(StrEnum):
    """What was done to a log. Which of them it was is the likeliest reading; that something was done is certain."""

    ALTERED = "altered"  # a line is not what was written
    DROPPED = "dropped"  # lines are missing before this one
    MOVED = "moved"  # a line stands where an earlier or a later one belongs, or twice
    FOREIGN = "foreign"  # a line that no gateway of this log wrote
    CUT_OFF = "cut_off"  # a head that was noted is not reached
    REWRITTEN = "rewritten"  # the line that was noted as head is another


@dataclass(frozen=True, slots=True)
class Finding:
    """where: file and line."""

    fault: Fault
    room: str
    where: str
    says: str


# A line that fits the chain: where it stands, and what it says.
Proven = tuple[str, dict[str, Any]]


@dataclass(slots=True)
class RoomReport:
    """What was found of one room: how many lines, the number of the first, and the last one.

    noted: whether a head that was noted earlier was looked for. last: the last line, if it fits; what comes after it
    may still say otherwise.
    """

    lines: int = 0
    first_seq: int = 0
    head: Head = Head("", 0, GENESIS)
    noted: bool = False
    last: Proven | None = None


@dataclass(slots=True)
class Report:
    """unchained: lines from before the log had a chain. torn: half lines, left by a process that was killed."""

    rooms: dict[str, RoomReport] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    faults: int = 0
    unchained: int = 0
    torn: int = 0

    def add(self, fault: Fault, room: str, where: str, says: str) -> None:
        self.faults += 1
        if len(self.findings) < FAULTS_SHOWN:
            self.findings.append(Finding(fault, room, where, says))


def link(facts: dict[str, Any], previous: str) -> tuple[bytes, str]:
    """The line for these facts (without its end of line), and its hash."""
    body = orjson.dumps(facts)
    digest = _digest(previous, body)
    return body[:-1] + _SEAL + digest.encode() + b'"}', digest


def split(line: bytes) -> tuple[dict[str, Any], bytes, str] | None:
    """A line as its facts, the bytes that were hashed, and its hash; None if it is none of a chain."""
    seal = line[-_SEAL_BYTES:]
    if not seal.startswith(_SEAL) or not seal.endswith(b'"}'):
        return None
    body = line[:-_SEAL_BYTES] + b"}"
    try:
        facts = orjson.loads(body)
        digest = seal[len(_SEAL) : -2].decode("ascii")
    except ValueError:
        return None
    if not isinstance(facts, dict) or type(facts.get("seq")) is not int or not isinstance(facts.get("room"), str):
        return None
    return facts, body, digest


class Verifier:
    """Looks through a log, line by line; memory does not grow with it."""

    def __init__(self, noted: Iterable[tuple[str, Head]] = ()) -> None:
        """noted: heads by room, noted earlier (chain "": of whichever chain)."""
        self.report = Report()
        self._noted: dict[tuple[str, int], list[Head]] = {}
        for room, head in noted:
            self._noted.setdefault((room, head.seq), []).append(head)

    def read(self, where: str, line: bytes) -> Proven | None:
        """The next line, without its end. where: file and line.

        Returns the line before it in its room, if this one shows that it is what was written: who alters a line can
        hash it anew, and then it is the next one that does not fit.
        """
        parts = split(line)
        if parts is not None:
            return self._follow(where, *parts)
        if line:
            self._no_link(where, line)
        return None

    def rest(self) -> Iterator[Proven]:
        """The last line of each room, when there is no more to read: nothing speaks against it."""
        return (found.last for found in self.report.rooms.values() if found.last is not None)

    def end(self, known: Collection[str] = ()) -> Report:
        """What was found, when there is no more to read. known: rooms that have a chain here; none: nobody can say."""
        for room in self.report.rooms:
            if known and room not in known:
                self.report.add(Fault.FOREIGN, room, "end", "the heads beside the log know of no such room")
        for (room, seq), heads in self._noted.items():
            found = self.report.rooms.get(room, RoomReport())
            if seq >= found.first_seq:
                found.noted = True
                for _ in heads:
                    self.report.add(
                        Fault.CUT_OFF, room, "end", f"line {seq} was noted, and the log ends with {found.head.seq}"
                    )
        return self.report

    def _no_link(self, where: str, line: bytes) -> None:
        """A line without a hash: of before the chain, half written, or foreign."""
        try:
            facts = orjson.loads(line)
        except orjson.JSONDecodeError:
            # If a whole line was made into this one, its number is missing: the next line says so.
            self.report.torn += 1
            return
        room = str(facts.get("room")) if isinstance(facts, dict) else ""
        # Once the log has a chain, every line is in one.
        if self.report.rooms or not isinstance(facts, dict) or "seq" in facts or "hash" in facts:
            self.report.add(Fault.FOREIGN, room, where, "a line without its hash within the chain")
        else:
            self.report.unchained += 1

    def _follow(self, where: str, facts: dict[str, Any], body: bytes, digest: str) -> Proven | None:
        room, seq = facts["room"], facts["seq"]
        found = self.report.rooms.setdefault(room, RoomReport())
        fault = _fault(found, facts, body, digest)
        if fault is not None:
            self.report.add(fault[0], room, where, fault[1])
        begins = facts.get("event") == BEGIN
        if not found.lines:
            found.first_seq = seq
        found.lines += 1
        found.head = Head(str(facts.get("chain")) if begins else found.head.chain, seq, digest)
        before, found.last = found.last, (where, facts) if fault is None else None
        for head in self._noted.pop((room, seq), ()):
            found.noted = True
            if head.hash != digest or head.chain not in {"", found.head.chain}:
                found.last = None
                self.report.add(Fault.REWRITTEN, room, where, f"line {seq} was noted with another hash")
        return before if fault is None else None


def _fault(found: RoomReport, facts: dict[str, Any], body: bytes, digest: str) -> tuple[Fault, str] | None:
    """What is wrong with a line that follows those already found."""
    seq, last = facts["seq"], found.head.seq
    begins = facts.get("event") == BEGIN
    if not found.lines:
        previous = str(facts.get("prev")) if begins else ""
        if not begins or _digest(previous, body) != digest or (seq == 1) != (previous == GENESIS):
            return Fault.DROPPED, "the log of this room does not begin with the line that says so"
        return None
    if begins and seq == 1 and facts.get("prev") == GENESIS:
        return Fault.MOVED, f"another chain begins behind line {last}"
    if seq != last + 1:
        return Fault.DROPPED if seq > last else Fault.MOVED, f"line {seq} follows line {last}"
    if _digest(found.head.hash, body) != digest:
        return Fault.ALTERED, f"line {seq} or the hash before it is not what was written"
    return None


def _digest(previous: str, body: bytes) -> str:
    return sha256(previous.encode() + b"\n" + body).hexdigest()
