"""The hot path: what is asked by the million is answered in the very turn of the event loop in which it is read.

No task, no request or response object, no await: bytes in, bytes out. It is no second gateway. Every question is put to
the same functions that the ordinary path asks (`ticket.verify`, `decide`, `facts`), and what is said alike to all is
taken from the ordinary path's own answer, once for a state of the room. Whatever is not quite ordinary is None: then
the request goes the ordinary way as if nobody had looked at it.

    the head is not plain (`plain`), brings a body, or another request follows it: None
    the ticket is not one good ticket of this line, or a pass is there: None, but for what `hot_forward` forwards
    anything would have to be asked of the store, or is not known freshly: None

A test puts the same requests to both paths and expects the same answers, byte for byte.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp.helpers import rfc822_formatted_time

from gateway.edge import answers
from gateway.edge.framing import Limits
from gateway.edge.hot_forward import HotForward
from gateway.edge.hot_page import PageAnswers
from gateway.edge.hot_status import StatusAnswers
from gateway.edge.later import Caller, Later, Send
from gateway.edge.line import Line
from gateway.edge.overload import Overload
from gateway.edge.plain import PlainHead, read_plain
from gateway.edge.regulars import Regular
from gateway.edge.visitors import Visitors
from gateway.keys import KeyStore
from gateway.metrics import REFUSED, Meters
from gateway.room.match import AmbiguousTarget, Target, find_area, read_target
from gateway.room.model import Snapshot
from gateway.sampling import Sampling
from shared.wire import OWN_PATH

_LOG: Final = logging.getLogger(__name__)

# One in so many is measured.
MEASURED: Final = 8
# Addresses remembered: an opening has a handful.
PLACES: Final = 1_024
_PAGE: Final = ("waiting", None)
_VERSION: Final = b" HTTP/1.1"
_OURS: Final = b"sunbeon_"
_OK: Final = b"HTTP/1.1 200 "
# Where the target stands in a request line.
_BEFORE: Final = len(b"GET ")
_AFTER: Final = -len(_VERSION)

_Answer = Callable[[PlainHead, Send], bytes | Later | None]


class Hot:
    """Answers for all rooms of a worker. overload: of it; `watch` is the caller's to run."""

    def __init__(
        self,
        lines: Sequence[Line],
        visitors: Visitors,
        keys: KeyStore,
        meters: Meters,
        limits: Limits,
        forward: HotForward,
    ) -> None:
        self._forward = forward
        self.overload = Overload()
        self._limits = limits
        self._visitors = visitors
        self._meters = meters
        self._sampling = Sampling()
        self._nth = -1
        self._took_s: dict[str, float] = {}
        self._routes: dict[bytes, tuple[str, _Answer | None]] = {}
        self._lines = {line.name: line for line in lines}
        self._pages = {line.name: PageAnswers(line, visitors, keys, self.overload) for line in lines}
        self._areas = [line.area for line in lines]
        # Where a page of a host is: in which room, and how a backend might read its address.
        self._places: dict[tuple[str, bytes], tuple[Line, Target] | None] = {}
        for line in lines:
            self._add(line, "status", StatusAnswers(line, visitors, keys, meters).answer)
            self._add(line, "board", BoardAnswers(line, visitors).answer)

    def _add(self, line: Line, action: str, answer: _Answer) -> None:
        self._routes[f"GET {OWN_PATH}{line.name}/{action} HTTP/1.1".encode()] = action, answer

    def answer(self, data: bytes, send: Send, caller: Caller | None = None) -> bytes | Later | None:
        """The answer to the request that `data` is; None: not one for this path. `LATER`: it goes to `send`, once.

        caller: who sent it; None: nothing is forwarded.
        """
        try:
            return self._answer(data, send, caller)
        except Exception as error:  # noqa: BLE001
            # Whatever it is, the ordinary path answers for it.
            beside = self._sampling.take(type(error).__name__, time.monotonic())
            if beside is not None:
                _LOG.error("the hot path failed through a fault of the gateway's", exc_info=error, extra=beside)
            return None

    def _answer(self, data: bytes, send: Send, caller: Caller | None) -> bytes | Later | None:
        end = data.find(b"\r\n")
        line = data[:end]
        kind, answer = self._routes.get(line, _PAGE)
        if answer is None:
            if not (line.startswith(b"GET /") and line.endswith(_VERSION)):
                return None
            if caller is not None and (regular := self._forward.regulars.find(caller.peer, data[end:])) is not None:
                return self._go_on(regular, line, len(data), send, caller)
        head = read_plain(data, self._limits)
        if head is None:
            return None
        # A look at the clock costs as much as a signature: each of these takes about as long as the one before it.
        self._nth += 1
        began_s = 0.0 if self._nth % MEASURED else time.monotonic()
        ours = answer is None and _OURS in data
        answered = self._page(head, ours=ours) if answer is None else answer(head, send)
        if isinstance(answered, bytes):
            if not answered.startswith(_OK):
                kind = REFUSED
            if began_s:
                self._took_s[kind] = time.monotonic() - began_s
            self._meters.answered(kind, self._took_s.get(kind, 0.0))
        if answered is None and ours and caller is not None:
            return self._get_on(head, data[end:], send, caller)
        return answered

    def _page(self, head: PlainHead, *, ours: bool) -> bytes | None:
        """The waiting page. ours: whether something is brought that may be ours; who brings nothing is a newcomer."""
        host, target = head.get(b"host"), head.target
        place = None if host is None or target is None else self._place(host, target)
        if place is None:
            return None
        pages = self._pages[place[0].name]
        return pages.again(head, place[1]) if ours else pages.answer(head, place[1])

    def _get_on(self, head: PlainHead, headers: bytes, send: Send, caller: Caller) -> Later | None:
        """Who is inside has come for the first time with just these headers."""
        host, target = head.get(b"host"), head.target
        place = None if host is None or target is None else self._place(host, target)
        if place is None:
            return None
        line = place[0]
        regular = self._forward.regulars.see(line, line.snapshot.epoch, caller.peer, head, headers)
        return None if regular is None else self._forward.answer(regular, head.lines[0], place[1], send, caller)

    def _go_on(self, regular: Regular, asked: bytes, size: int, send: Send, caller: Caller) -> Later | None:
        """Once more. size: of the head."""
        place = self._place(regular.host, asked[_BEFORE:_AFTER]) if size <= self._limits.header_bytes else None
        if place is None or place[0] is not regular.line:
            return None
        return self._forward.answer(regular, asked, place[1], send, caller)

    def _place(self, host: str, target: bytes) -> tuple[Line, Target] | None:
        """In which room a page of a host is, if it is in one and its address has one reading."""
        if len(target) > self._limits.target_bytes:
            return None
        path = target.partition(b"?")[0]
        try:
            return self._places[host, path]
        except KeyError:
            if len(self._places) >= PLACES:
                self._places.clear()
            place = self._places[host, path] = self._find(host, path)
            return place

    def _find(self, host: str, path: bytes) -> tuple[Line, Target] | None:
        try:
            target = read_target(host, path.decode())
            area = find_area(target, self._areas)
        except (AmbiguousTarget, UnicodeDecodeError):
            return None
        # What can be read in several ways, or may be the gate's own, is looked at on the ordinary path.
        plain = len(target.readings) == 1 and not target.path.startswith("/_")
        return (self._lines[area.name], target) if plain and area is not None else None


class BoardAnswers:
    """The board, which is the same for everyone and made once in a millisecond."""

    def __init__(self, line: Line, visitors: Visitors) -> None:
        self._line = line
        self._visitors = visitors
        self._room: Snapshot | None = None
        self._date = ""
        self._answer = b""

    def answer(self, _head: PlainHead, _send: Send) -> bytes:
        line = self._line
        room, date = line.snapshot, rfc822_formatted_time()
        if room is not self._room or date is not self._date:
            self._room, self._date = room, date
            head, body = answers.undated(self._visitors.board(line))
            self._answer = (head % date).encode() + body
        return self._answer
