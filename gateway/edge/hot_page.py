"""The waiting page on the hot path: for newcomers to a room with a line, who get a knock in it.

When a site opens, this is what ten million people ask for first. All of the page but the knock and two numbers is alike
for everyone who reads the same language; it is rendered by the ordinary path once for a state of the room, cut where
those three stand, and compressed in pieces.
"""

import re
import zlib
from dataclasses import dataclass
from typing import Final

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time
from multidict import CIMultiDict

from gateway.edge import answers
from gateway.edge.facts import knock_poll_ms
from gateway.edge.glance import Glance, told_alike
from gateway.edge.language import pick_language
from gateway.edge.line import Line
from gateway.edge.manner import Manner, manner_of
from gateway.edge.overload import Overload
from gateway.edge.plain import PlainHead
from gateway.edge.settle import Knocking
from gateway.edge.splice import Splicer, gzip_member, stored
from gateway.edge.visitors import Visitors
from gateway.keys import KeyStore
from gateway.room.decide import Facts, Wait, decide
from gateway.room.match import Target, may_bypass
from gateway.room.model import Snapshot
from gateway.room.ticket import Knock, sign
from shared.wire import HEADER_PREFIX

_PREFIX: Final = HEADER_PREFIX.lower().encode()
# Our data in the page; in a text of anybody's the quotes would be escaped.
_POLL: Final = re.compile(rb'(?<="poll_after_ms": )[0-9]+')
_CLOCK: Final = re.compile(rb'(?<="server_time_ms": )[0-9]+')
_TICKET: Final = re.compile(rb'(?<="ticket": ")[^"]+(?=")')


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as `answers` looks at it."""

    method: str
    raw_path: str
    headers: CIMultiDict[str]


class PageAnswers:
    """Of one room."""

    def __init__(self, line: Line, visitors: Visitors, keys: KeyStore, overload: Overload) -> None:
        self._line = line
        self._overload = overload
        self._visitors = visitors
        self._keys = keys
        self._sight = Glance(line)
        self._forms: dict[tuple[str, bool], _Form | None] = {}
        self._room: Snapshot | None = None
        self._told: tuple[object, ...] = ()

    def answer(self, head: PlainHead, target: Target) -> bytes | None:
        """The answer to a newcomer who brings nothing of ours; None where it is not this page."""
        line, room = self._line, self._sight.room()
        if room is None or not self._has_line(room) or may_bypass(target, line.rules):
            return None
        if any(each[: len(_PREFIX)].lower() == _PREFIX for each in head.own):
            return None
        lines = (each.decode().split(": ", 1) for each in head.lines[1:])
        asked = Asked("GET", target.path, CIMultiDict((name, value) for name, value in lines))
        if not answers.wants_page(asked) or manner_of("GET", asked.headers) is Manner.STRANGER:
            return None
        if self._overload.sheds():
            return self._overload.answer()
        knock = line.new_knock()
        form = self._form(room, asked, knock)
        return None if form is None else form.filled(room, sign(knock, line.name, self._keys.current.cookies))

    def _has_line(self, room: Snapshot) -> bool:
        """Whether nobody who comes now could be let in, or must be asked anything first."""
        if self._line.eligibility is not None or (room.admitting and not room.waiting):
            return False
        return decide(Facts(room, joined_ahead=self._line.joined_ahead)) == Wait(None)

    def _form(self, room: Snapshot, asked: Asked, knock: Knock) -> "_Form | None":
        line = self._line
        if room is not self._room:
            alike = told_alike(line, room)
            if alike is None:
                return None
            told = (*alike, line.watch.stock, self._keys.current.cookies.current)
            if told != self._told:
                self._forms.clear()
                self._told = told
            self._room = room
        languages, gzip = asked.headers.getall("Accept-Language", []), answers.takes_gzip(asked)
        of = pick_language(languages[0] if languages else None), gzip
        if of not in self._forms:
            plain = Asked("GET", asked.raw_path, CIMultiDict(asked.headers))
            plain.headers.popall("Accept-Encoding", None)
            page = self._visitors.wait(plain, line, Knocking(knock, None))
            self._forms[of] = _Form.of(page, line.pages.splicer(of[0]) if gzip else None)
        return self._forms[of]


class _Form:
    """A page with three blanks: when to ask again, the clock, the knock."""

    def __init__(self, head: str, parts: tuple[bytes, bytes, bytes, bytes], splicer: Splicer | None) -> None:
        self._head = head
        self._begin, self._second, self._third, self._end = parts
        self._blocks: tuple[bytes, bytes] | None = None
        if splicer is not None:
            self._blocks = splicer.deflated(self._begin), splicer.deflated(self._end)
        self._crc = zlib.crc32(self._begin)

    @classmethod
    def of(cls, page: web.Response, splicer: Splicer | None) -> "_Form | None":
        """page: uncompressed. None if it has not each blank once: a room's own page, which the ordinary path shows."""
        body = page.body
        assert isinstance(body, bytes)  # noqa: S101 - as `answers.page` makes it
        found = [list(blank.finditer(body)) for blank in (_POLL, _CLOCK, _TICKET)]
        if [len(each) for each in found] != [1, 1, 1]:
            return None
        poll, clock, ticket = (each[0] for each in found)
        if not poll.end() < clock.start() < clock.end() < ticket.start():
            return None
        parts = body[: poll.start()], body[poll.end() : clock.start()], body[clock.end() : ticket.start()]
        if splicer is not None:
            page.headers["Content-Encoding"] = "gzip"
        text = ticket[0].decode()
        head = answers.head_of(page).replace("%", "%%")
        if head.count(text) != 1:
            return None
        head = head.replace(text, "%s") + "Content-Length: %d\r\nDate: %s\r\n\r\n"
        return cls(head, (*parts, body[ticket.end() :]), splicer)

    def filled(self, room: Snapshot, knock: str) -> bytes:
        poll, clock = knock_poll_ms(room), room.now_ms
        middle = b"%d%b%d%b%b" % (poll, self._second, clock, self._third, knock.encode())
        if self._blocks is None:
            body = b"".join((self._begin, middle, self._end))
        else:
            begin, end = self._blocks
            crc = zlib.crc32(self._end, zlib.crc32(middle, self._crc))
            size = len(self._begin) + len(middle) + len(self._end)
            body = gzip_member((begin, stored(middle), end), crc, size)
        return (self._head % (knock, len(body), rfc822_formatted_time())).encode() + body
