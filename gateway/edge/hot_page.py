"""The waiting page on the hot path: for newcomers to a room with a line, who get a knock in it, and for who is in line.

When a site opens, the first is what ten million people ask for first; the second is what they ask for when a phone
comes out of a pocket, or patience runs out. All of the page but a few words and numbers is alike for everyone who reads
the same language: it is rendered by the ordinary path once for a state of the room, with blanks (`page_form`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiohttp.helpers import rfc822_formatted_time
from markupsafe import escape
from multidict import CIMultiDict

from gateway.edge import answers
from gateway.edge.facts import knock_poll_ms, own_facts, status_facts
from gateway.edge.glance import Glance, told_alike
from gateway.edge.hot_status import one_cookie
from gateway.edge.language import pick_language
from gateway.edge.line import Line
from gateway.edge.manner import Manner, manner_of
from gateway.edge.overload import Overload
from gateway.edge.page_form import PageForm
from gateway.edge.pages import json_of, phase_of
from gateway.edge.plain import PlainHead
from gateway.edge.reader import reader_words
from gateway.edge.settle import InLine, Knocking
from gateway.edge.strings import STRINGS
from gateway.edge.visitors import NEWCOMERS_DATA, OWN_DATA, Visitors, refresh_s
from gateway.keys import KeyStore
from gateway.room.decide import Facts, Wait, decide, only_waits, place_of
from gateway.room.match import Target, may_bypass
from gateway.room.model import Snapshot
from gateway.room.ticket import BadToken, Ticket, sign, verify
from shared.wire import HEADER_PREFIX, RoomState

_PREFIX: Final = HEADER_PREFIX.lower().encode()
# Of answers to who reloads in a loop.
_OFFS: Final = 256


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
        self._ticket = f"{line.cookies.ticket}="
        self._pass = f"{line.cookies.visitor_pass}="
        self._sight = Glance(line)
        # By language, compressed or not, and which words there are.
        self._forms: dict[tuple[str, bool, tuple[bool, ...] | None], PageForm | None] = {}
        # What those in line are told alike, by language.
        self._alike: dict[str, dict[str, Any]] = {}
        self._offs: dict[tuple[int, str, bool, str], tuple[str, bytes]] = {}
        self._room: Snapshot | None = None
        self._told: tuple[object, ...] = ()

    def answer(self, head: PlainHead, target: Target) -> bytes | None:
        """The answer to a newcomer who brings nothing of ours; None where it is not this page."""
        line, room = self._line, self._sight.room()
        if room is None or not self._has_line(room) or may_bypass(target, line.rules):
            return None
        if any(each[: len(_PREFIX)].lower() == _PREFIX for each in head.own):
            return None
        asked = _asked(head)
        if not answers.wants_page(asked) or manner_of("GET", asked.headers) is Manner.STRANGER:
            return None
        if self._overload.sheds():
            return self._overload.answer()
        if not self._is_up_to_date(room):
            return None
        return self._to_newcomer(room, asked)

    def again(self, head: PlainHead, target: Target) -> bytes | None:
        """The answer to one who waits by the one good ticket they bring; None where it is not this plain."""
        text = one_cookie(head, self._ticket, self._pass)
        line, ring = self._line, self._keys.current.cookies
        # One signed with an older key is signed anew.
        if text is None or not text.startswith(f"ticket.{ring.current}."):
            return None
        room = self._sight.room()
        if room is None or room.blocks or line.eligibility is not None or line.pages.has_own_waiting:
            return None
        try:
            ticket = verify(text, line.name, ring)
        except BadToken:
            return None
        if not isinstance(ticket, Ticket) or ticket.wave or ticket.epoch != room.epoch or ticket.number > room.tail:
            return None
        if not only_waits(room, place_of(ticket.number, room)) or may_bypass(target, line.rules):
            return None
        asked = _asked(head)
        return self._to_waiting(room, ticket, text, asked) if answers.wants_page(asked) else None

    def _has_line(self, room: Snapshot) -> bool:
        """Whether nobody who comes now could be let in, or must be asked anything first."""
        if self._line.eligibility is not None or (room.admitting and not room.waiting):
            return False
        return decide(Facts(room, joined_ahead=self._line.joined_ahead)) == Wait(None)

    def _is_up_to_date(self, room: Snapshot) -> bool:
        """Whether many are told the same now. What was made of another state of the room is forgotten."""
        line = self._line
        if room is not self._room:
            alike = told_alike(line, room)
            if alike is None:
                return False
            told = (*alike, line.watch.stock, self._keys.current.cookies.current)
            if told != self._told:
                self._forms.clear()
                self._alike.clear()
                self._told = told
            self._room = room
        return True

    def _to_newcomer(self, room: Snapshot, asked: Asked) -> bytes | None:
        line, ring = self._line, self._keys.current.cookies
        knock = line.new_knock()
        language, gzip = _language(asked), answers.takes_gzip(asked)
        of = language, gzip, None
        if of not in self._forms:
            made = self._form(room, asked, Knocking(knock, None), language, gzip=gzip)
            # A room's own page without them is shown by the ordinary path.
            whole = sorted(made.blanks) == sorted(f"data.{name}" for name in NEWCOMERS_DATA)
            self._forms[of] = made if whole else None
        form = self._forms[of]
        if form is None:
            return None
        text = sign(knock, line.name, ring)
        values = {
            "data.poll_after_ms": b"%d" % knock_poll_ms(room),
            "data.server_time_ms": b"%d" % room.now_ms,
            "data.ticket": _quoted(text),
        }
        return form.filled(values, text)

    def _to_waiting(self, room: Snapshot, ticket: Ticket, text: str, asked: Asked) -> bytes | None:
        """text: the ticket, signed."""
        line = self._line
        if not self._is_up_to_date(room):
            return None
        language, gzip = _language(asked), answers.takes_gzip(asked)
        standing = InLine(ticket, at_door=False, notice=None)
        if language not in self._alike:
            self._alike[language] = self._status(room, standing, language)
        alike = self._alike[language]
        line.watch.mark(room, ticket)
        retry_s = line.tells_off(ticket, self._sight.now_s, page=True)
        if retry_s is not None:
            return self._told_off(asked, language, retry_s, gzip=gzip)
        own = own_facts(room, place_of(ticket.number, room), line.watch)
        if own.eta_ms is not None and own.place is not None and room.state is RoomState.OPEN:
            line.shown(own.place, own.eta_ms, room)
        stock = alike["stock"] and {**alike["stock"], "chance_gone_percent": own.chance}
        status = {
            **alike,
            "number": ticket.number,
            "place": own.place,
            "ahead": own.ahead,
            "eta_ms": own.eta_ms,
            "poll_after_ms": own.poll_after_ms,
            "server_time_ms": room.now_ms,
            "stock": stock,
            "ticket": None,
        }
        words = reader_words(status, phase_of(status), line.zone, STRINGS[language])
        of = language, gzip, tuple(map(bool, words.values()))
        form = self._forms.get(of)
        if form is None:
            form = self._forms[of] = self._form(room, asked, standing, language, status, gzip=gzip)
        values = {f"word.{name}": escape(word).encode() for name, word in words.items()}
        values["word.refresh_s"] = b"%d" % refresh_s(status)
        values |= {f"data.{name}": _json(status[name]) for name in OWN_DATA}
        values["data.ticket"] = _quoted(text)
        return form.filled(values, text)

    def _status(self, room: Snapshot, standing: InLine | Knocking, language: str) -> dict[str, Any]:
        line = self._line
        return status_facts(
            room, standing, language, ticket="", as_of_ms=line.known.now_ms, stale=False, watch=line.watch
        )

    def _form(
        self,
        room: Snapshot,
        asked: Asked,
        standing: InLine | Knocking,
        language: str,
        status: Mapping[str, Any] | None = None,
        *,
        gzip: bool,
    ) -> PageForm:
        """status: what is told; None: to be found."""
        line = self._line
        plain = Asked("GET", asked.raw_path, CIMultiDict(asked.headers))
        plain.headers.popall("Accept-Encoding", None)
        told = self._status(room, standing, language) if status is None else status
        page = self._visitors.waiting_form(plain, line, standing, told, language)
        return PageForm(page, line.pages.splicer(language) if gzip else None)

    def _told_off(self, asked: Asked, language: str, retry_s: int, *, gzip: bool) -> bytes:
        of = retry_s, language, gzip, asked.raw_path
        if of not in self._offs:
            if len(self._offs) >= _OFFS:
                self._offs.clear()
            self._offs[of] = answers.undated(self._visitors.told_off(asked, self._line, retry_s))
        head, body = self._offs[of]
        return (head % rfc822_formatted_time()).encode() + body


def _asked(head: PlainHead) -> Asked:
    asked_for, *lines = head.lines
    named = (each.decode().split(": ", 1) for each in lines)
    return Asked("GET", asked_for.split(b" ")[1].decode(), CIMultiDict((name, value) for name, value in named))


def _json(value: object) -> bytes:
    """A number, a range or whatever else as `json_of` has it, which takes ten times as long for the first two."""
    if value is None:
        return b"null"
    if type(value) is int:
        return b"%d" % value
    return b"[%d, %d]" % value if type(value) is tuple else json_of(value).encode()


def _quoted(token: str) -> bytes:
    """A token of ours as JSON: nothing in it needs to be escaped."""
    return b'"%b"' % token.encode()


def _language(asked: Asked) -> str:
    """As `answers` reads it: by the first header that says one."""
    return pick_language(asked.headers.get("Accept-Language"))
