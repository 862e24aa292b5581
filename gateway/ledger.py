"""The audit log's file: a hash chain for each room, appended to by all workers of a machine.

Beside `audit.log` lies `audit.log.heads`, the newest line of each chain. A worker that appends locks it, reads the
heads, writes its line with one write, and writes the heads. If it is killed in between, the next one finds that the log
is longer than the heads know and reads on from there: what was written counts.

A log that was moved away (logrotate and its like) or has grown to `max_bytes` (then it is moved to `audit.log.1`,
`.2`, ... in the order of time) is made anew, and its first lines say which chains go on in it.
"""

import errno
import fcntl
import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from gateway import heads
from gateway.chain import BEGIN, GENESIS, Head, link, split
from gateway.heads import Known
from gateway.sampling import Sampling

_LOG: Final = logging.getLogger(__name__)

# A worker that holds the lock has it for microseconds. One that was stopped by a signal meanwhile must not stop all.
LOCK_PATIENCE_S: Final = 0.1
# As long as others write, it is our turn before long: on a machine that is full they may be many, and slow.
LOCK_LONGEST_S: Final = 1.0
LOCK_PAUSE_S: Final = 0.0005
# Waited for in vain, it is waited for only so long in the next second: somebody may just be busy with it.
LOCK_SHORT_S: Final = 0.005
LOCK_AGAIN_S: Final = 1.0

# A room takes some 150 bytes.
MOST_HEADS_BYTES: Final = 1 << 20


class Ledger:
    """Appends to `path`; to nowhere if it is None."""

    def __init__(self, path: Path | None, *, max_bytes: int = 0) -> None:
        """max_bytes: where the log is moved aside; 0 for never. Raises OSError if a file cannot be opened."""
        self._path = path
        self._max_bytes = max_bytes
        self._failing = self._grows = False
        # Until then the lock is waited for only briefly.
        self._no_wait_until_s = 0.0
        self._log = self._heads = -1
        self._longest = 0
        # What this worker has written of the heads last: where they are damaged, it goes on from there.
        self._kept = b""
        self._sampling = Sampling()
        self.heads: dict[str, Head] = {}
        # Lines since the start: written as they should be, written without a link, not written.
        self.chained = self.unchained = self.failed = 0
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._heads_path = heads.beside(path)
            self._heads = _open(self._heads_path, os.O_RDWR)
            self._log = _open(path, os.O_RDWR | os.O_APPEND)
            with self._locked():
                self.heads = heads.heads_of(self._known())

    def append(self, room: str, facts: dict[str, Any]) -> None:
        """Write a line. A disk that fails is told of once until it works again, and stops nobody."""
        if self._path is None:
            return
        try:
            with self._locked() as locked:
                if locked:
                    self._append(self._path, room, facts)
                    self.chained += 1
                else:
                    # Better without a link than not at all: `verify` says so.
                    _write(self._log, b"\n" + orjson.dumps({**facts, "seq": None}) + b"\n")
                    self.unchained += 1
                    self._tell("the audit log is locked by a process that does not go on")
        except OSError as error:
            self.failed += 1
            if not self._failing:
                _LOG.error("the audit log cannot be written", extra={"why": error.strerror})
            self._failing = True
        else:
            if self._failing:
                _LOG.warning("the audit log is written again")
            self._failing = False

    def newest(self) -> dict[str, Head]:
        """The heads as any worker wrote them last."""
        if self._path is not None:
            try:
                self._follow_heads()
                known = heads.read(os.pread(self._heads, MOST_HEADS_BYTES, 0))
            except OSError:
                known = None
            # Where they are being written this very moment those known before will do.
            self.heads = heads.heads_of(known) if known is not None else self.heads
        return self.heads

    def close(self) -> None:
        for descriptor in (self._log, self._heads):
            if descriptor >= 0:
                os.close(descriptor)
        self._log = self._heads = -1
        self._path = None

    def _append(self, path: Path, room: str, facts: dict[str, Any]) -> None:
        known = self._known()
        if self._max_bytes and known["size"] >= self._max_bytes:
            known |= self._move_aside(path, known)
        data = b"" if known["whole"] else b"\n"
        head = Head(**known["rooms"][room]) if room in known["rooms"] else Head(secrets.token_hex(8), 0, GENESIS)
        if room not in known["opened"]:
            begin = {"seq": head.seq + 1, "time_ms": facts.get("time_ms"), "event": BEGIN, "room": room}
            line, digest = link({**begin, "chain": head.chain, "prev": head.hash}, head.hash)
            head, data = Head(head.chain, head.seq + 1, digest), data + line + b"\n"
            known["opened"].append(room)
        line, digest = link({"seq": head.seq + 1, **facts}, head.hash)
        data += line + b"\n"
        _write(self._log, data)
        head = Head(head.chain, head.seq + 1, digest)
        known["rooms"][room] = {"chain": head.chain, "seq": head.seq, "hash": head.hash}
        known["size"] += len(data)
        # Padded, so that whatever stood behind is no part of it: white space is none in JSON.
        self._kept = orjson.dumps(known)
        text = self._kept.ljust(self._longest)
        self._longest = len(text)
        os.pwrite(self._heads, text, 0)
        # Of other rooms `newest` tells.
        self.heads[room] = head

    def _move_aside(self, path: Path, known: Known) -> Known:
        """Begin a new file, if the old one can be moved; else the log grows on."""
        number = known["files"] + 1
        # Nothing is written over, whatever the heads know of earlier files.
        while any(path.with_name(f"{path.name}.{number}{packed}").exists() for packed in ("", ".gz")):
            number += 1
        try:
            path.rename(path.with_name(f"{path.name}.{number}"))
        except OSError as error:
            if not self._grows:
                _LOG.error("the audit log cannot be moved aside and grows on", extra={"why": error.strerror})
            self._grows = True
            return {}
        self._grows = False
        return {"files": number, **self._follow(path, known)}

    def _known(self) -> Known:
        """What the heads say, brought up to what the log holds. Call with the lock."""
        path = self._path
        assert path is not None  # noqa: S101 - only called where there is one
        text = os.pread(self._heads, MOST_HEADS_BYTES, 0)
        self._longest = len(text)
        known = heads.read(text)
        if known is None:
            if text:
                self._tell("the heads of the audit log are damaged: it is read from the log where it goes on")
            known = heads.read(self._kept)
        if known is None:
            known = {"inode": -1, "size": 0, "files": 0, "opened": [], "rooms": {}}
            # The heads were lost: what the log holds of a chain goes on.
            known["inode"] = os.fstat(self._log).st_ino if _is_at(path, self._log) else -1
        here = os.fstat(self._log)
        if here.st_ino != known["inode"] or not _is_at(path, self._log):
            known |= self._follow(path, known)
            here = os.fstat(self._log)
        size = here.st_size
        known["whole"] = True
        if size > known["size"]:
            _read_on(self._log, known, size)
        elif size < known["size"]:
            self._tell("the audit log is shorter than it was", bytes=size, before=known["size"])
            known["size"], known["whole"] = size, False
        return known

    def _follow(self, path: Path, known: Known) -> Known:
        """The file that is at `path` now."""
        # Opened first: a number that was closed may be somebody's socket before the next line is written.
        fresh = _open(path, os.O_RDWR | os.O_APPEND)
        os.close(self._log)
        self._log = fresh
        inode = os.fstat(self._log).st_ino
        same = inode == known["inode"]
        return {
            "inode": inode,
            "size": known["size"] if same else 0,
            "opened": known["opened"] if same else [],
            "whole": True,
        }

    def _follow_heads(self) -> bool:
        """Go over to the heads file that is there now; whether it is another."""
        if _is_at(self._heads_path, self._heads):
            return False
        try:
            fresh = _open(self._heads_path, os.O_RDWR)
        except OSError:
            fcntl.flock(self._heads, fcntl.LOCK_UN)
            raise
        os.close(self._heads)
        self._heads = fresh
        return True

    def _tell(self, what: str, **more: object) -> None:
        """An error that may come with every line: in the gateway's log once a second."""
        told = self._sampling.take(what, time.monotonic())
        if told is not None:
            _LOG.error(what, extra={**more, **told})

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """False if somebody else does not let go of it."""
        began_s = time.monotonic()
        until_s = began_s + (LOCK_SHORT_S if began_s < self._no_wait_until_s else LOCK_PATIENCE_S)
        written = None
        while True:
            try:
                fcntl.flock(self._heads, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # Whoever locks a file that was moved away or deleted is alone with it.
                if not self._follow_heads():
                    break
            except BlockingIOError:
                now_s, before, written = time.monotonic(), written, os.fstat(self._heads).st_mtime_ns
                if before not in {None, written}:
                    until_s = now_s + LOCK_PATIENCE_S
                if now_s >= min(until_s, began_s + LOCK_LONGEST_S):
                    self._no_wait_until_s = now_s + LOCK_AGAIN_S
                    yield False
                    return
                time.sleep(LOCK_PAUSE_S)
        try:
            yield True
        finally:
            fcntl.flock(self._heads, fcntl.LOCK_UN)


def _read_on(log: int, known: Known, size: int) -> None:
    """Take in what was written behind what the heads know."""
    rest, data = b"", b""
    while known["size"] < size:
        data = os.pread(log, min(1 << 20, size - known["size"]), known["size"])
        if not data:
            break
        known["size"] += len(data)
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            parts = split(line)
            if parts is None:
                continue
            facts, _, digest = parts
            room = facts["room"]
            before = known["rooms"].get(room)
            if facts.get("event") == BEGIN:
                known["opened"].append(room)
                before = {"chain": str(facts.get("chain"))}
            if before is not None:
                known["rooms"][room] = {"chain": before["chain"], "seq": facts["seq"], "hash": digest}
    known["whole"] = not rest


def _write(descriptor: int, data: bytes) -> None:
    if os.write(descriptor, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))  # noqa: PTH116 - a third of the time
    except FileNotFoundError:
        return False


def _open(path: Path, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, 0o600)
