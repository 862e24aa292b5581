"""Status answers of the hot path: to who plainly waits, with one good ticket and nothing else.

What a status answer says alike to all who wait is written once for a state of the room, by the ordinary path's own
functions, with marks where each reader's own facts go. So there is one wording of it, and a poll costs the verification
of its ticket, a few numbers, and one `%`.
"""

import secrets
from typing import Final

import orjson
from aiohttp.helpers import rfc822_formatted_time

from gateway.edge import answers
from gateway.edge.facts import Own, own_facts, status_facts
from gateway.edge.glance import Glance, told_alike
from gateway.edge.hot_join import Joins
from gateway.edge.language import pick_language
from gateway.edge.later import Later, Send
from gateway.edge.line import Line
from gateway.edge.plain import PlainHead
from gateway.edge.settle import InLine
from gateway.edge.visitors import Visitors, line_facts
from gateway.keys import KeyStore
from gateway.metrics import Meters
from gateway.room.decide import Facts, Join, Wait, decide, has_room, only_waits, place_of
from gateway.room.model import Snapshot
from gateway.room.stock import Stock
from gateway.room.ticket import BadToken, Knock, Ticket, sign, verify
from shared.wire import HEADER_PREFIX, TICKET_HEADER, RoomState

_COOKIE: Final = b"cookie: "
_PREFIX: Final = HEADER_PREFIX.lower().encode()
_COPY: Final = f"{TICKET_HEADER}: ".lower().encode()
# See `gateway.room.decide`.
_OPEN: Final = RoomState.OPEN


class StatusAnswers:
    """Of one room."""

    def __init__(self, line: Line, visitors: Visitors, keys: KeyStore, meters: Meters) -> None:
        self._line = line
        self._visitors = visitors
        self._keys = keys
        self._ticket = f"{line.cookies.ticket}="
        self._pass = f"{line.cookies.visitor_pass}="
        self._forms: dict[str, _Form] = {}
        self._told: tuple[object, ...] = ()
        self._room: Snapshot | None = None
        self._sight = Glance(line)
        self._joins = Joins(line, meters, self._joined)
        # What `_may_join` found of this state of the room, which is the same for all where there is no calendar.
        self._decided_of: Snapshot | None = None
        self._decided = False
        # By how many seconds, which are few.
        self._offs: dict[int, tuple[str, bytes]] = {}

    def answer(self, head: PlainHead, send: Send) -> bytes | Later | None:
        """The answer to a poll; None where it is not this plain. `LATER`: it goes to `send`, once."""
        line, ring = self._line, self._keys.current.cookies
        text = one_cookie(head, self._ticket, self._pass)
        room = self._sight.room()
        if text is None or room is None:
            return None
        try:
            ticket = verify(text, line.name, ring)
        except BadToken:
            return None
        if isinstance(ticket, Knock):
            return self._join(room, ticket, head, send)
        if not isinstance(ticket, Ticket) or ticket.wave or ticket.epoch != room.epoch or ticket.number > room.tail:
            return None
        # One signed with an older key is signed anew.
        return self._wait(room, ticket, text, head) if text.startswith(f"ticket.{ring.current}.") else None

    def _wait(self, room: Snapshot, ticket: Ticket, text: str, head: PlainHead) -> bytes | None:
        """To who waits by this ticket. text: the same, signed with the newest key."""
        line = self._line
        if line.eligibility is not None or room.blocks:
            return self._wait_for_window(room, ticket, text, head)
        place = place_of(ticket.number, room)
        if not only_waits(room, place):
            return None
        form = self._form(room, head, ticket)
        if form is None:
            return None
        retry_s = line.tells_off(ticket, self._sight.now_s)
        if retry_s is not None:
            return self._told_off(retry_s)
        line.watch.mark(room, ticket)
        own = own_facts(room, place, line.watch)
        if own.eta_ms is not None and place is not None and room.state is _OPEN:
            line.shown(place, own.eta_ms, room)
        return form.filled(ticket.number, own, room.now_ms, text)

    def _wait_for_window(self, room: Snapshot, ticket: Ticket, text: str, head: PlainHead) -> bytes | None:
        """As `_wait`, in a room with a calendar, or to whose line a wave has joined: no two are told alike there."""
        line, entitled = self._line, self._line.entitle(ticket.cohorts)
        decided = decide(Facts(room, ticket=ticket, entitled=entitled))
        if decided != Wait(ticket):
            return None
        retry_s = line.tells_off(ticket, self._sight.now_s)
        if retry_s is not None:
            return self._told_off(retry_s)
        line.watch.mark(room, ticket)
        standing = InLine(ticket, at_door=False, notice=None, entitled=entitled)
        language = pick_language(head.get(b"accept-language"))
        facts = line_facts(line, room, standing, language, text)
        headers, body = answers.undated(
            answers.json(facts, "status", cookies=[self._visitors.ticket_cookie(line, text)])
        )
        return (headers % rfc822_formatted_time()).encode() + body

    def _told_off(self, retry_s: int) -> bytes:
        told = self._offs.get(retry_s)
        if told is None:
            told = self._offs[retry_s] = answers.undated(answers.told_off(retry_s))
        head, body = told
        return (head % rfc822_formatted_time()).encode() + body

    def _join(self, room: Snapshot, knock: Knock, head: PlainHead, send: Send) -> Later | None:
        """A knock is brought back for a number. If that cannot be had soon, the ordinary path asks for it once more."""
        if not self._line.accepts(knock, room) or not self._may_join(room, knock):
            return None
        return self._joins.ask(room, knock, head, send)

    def _may_join(self, room: Snapshot, knock: Knock) -> bool:
        """Whether a knock leads into the room's line, and to no more than a place there."""
        line = self._line
        if line.eligibility is None and room is self._decided_of:
            return self._decided
        decided = decide(Facts(room, knock=knock, entitled=line.entitle(knock.cohorts)))
        self._decided_of, self._decided = (
            room,
            decided == Join(knock) and not has_room(room) and not line.waves.due(room),
        )
        return self._decided

    def _joined(self, ticket: Ticket, head: PlainHead) -> bytes | None:
        """To who has just joined the line."""
        room = self._sight.room()
        if room is None or room.epoch != ticket.epoch:
            return None
        return self._wait(room, ticket, sign(ticket, self._line.name, self._keys.current.cookies), head)

    def _form(self, room: Snapshot, head: PlainHead, ticket: Ticket) -> "_Form | None":
        """What all who wait are told alike now, in the reader's language; None where that is not told to all alike."""
        line = self._line
        if room is not self._room:
            told = told_alike(line, room)
            if told is None:
                return None
            if told != self._told:
                self._forms.clear()
                self._told = told
            self._room = room
        language = pick_language(head.get(b"accept-language")) if room.limits.message else ""
        form = self._forms.get(language)
        if form is None or form.stock is not line.watch.stock:
            form = self._forms[language] = _Form(line, room, self._visitors, ticket, language)
        return form


def one_cookie(head: PlainHead, wanted: str, unwanted: str) -> str | None:
    """The value of the cookie `wanted` (`name=`), if it is there once, without quotes, and `unwanted` is not.

    None also if there are several `Cookie` headers, or any of our own headers but the copy of this very value that the
    page's script sends with every poll.
    """
    found: str | None = None
    copy: str | None = None
    for line in head.own:
        begins = line[:8].lower()
        if begins == _COOKIE:
            if found is not None:
                return None
            found = line[8:].decode()
        elif begins == _PREFIX:
            if copy is not None or line[: len(_COPY)].lower() != _COPY:
                return None
            copy = line[len(_COPY) :].decode()
    if found is None or unwanted in found or found.count(wanted) != 1:
        return None
    at = found.find(wanted)
    if at and found[at - 2 : at] != "; ":
        return None
    value = found[at + len(wanted) :].partition(";")[0]
    if '"' in value or " " in value or not value or (copy is not None and copy != value):
        return None
    return value


# What stands in a form until it is filled; nobody can write it into a message.
_MARK: Final = secrets.token_hex(8)
_OWN: Final = ("number", "place", "ahead", "eta_ms", "poll_after_ms", "server_time_ms")
_CHANCE: Final = "chance_gone_percent"


def _mark(name: str) -> str:
    return f"{name}-{_MARK}"


class _Form:
    """An answer with blanks. stock: what it says is left."""

    def __init__(self, line: Line, room: Snapshot, visitors: Visitors, ticket: Ticket, language: str) -> None:
        """ticket: of anybody who waits; what is said to its holder alone is left blank."""
        self.stock: Stock | None = line.watch.stock
        standing = InLine(ticket, at_door=False, notice=None)
        facts = status_facts(
            room, standing, language, ticket=_mark("ticket"), as_of_ms=line.known.now_ms, stale=False, watch=line.watch
        )
        facts |= {name: _mark(name) for name in _OWN}
        if facts["stock"] is not None:
            facts["stock"] = {**facts["stock"], _CHANCE: _mark(_CHANCE)}
        body = orjson.dumps(facts).decode().replace("%", "%%").replace(_mark("ticket"), "%s")
        for name in (*_OWN, _CHANCE):
            body = body.replace(f'"{_mark(name)}"', "%s")
        self._body = body
        cookie = visitors.ticket_cookie(line, _mark("ticket"))
        head = answers.head_of(answers.json({}, "status", cookies=[cookie])).replace("%", "%%")
        head = head.replace(_mark("ticket"), "%s")
        self._head = f"{head}Content-Length: %d\r\nDate: %s\r\n\r\n"

    def filled(self, number: int, own: Own, now_ms: int, ticket: str) -> bytes:
        place, ahead, eta, poll_after_ms, chance = own
        told: tuple[int | str, ...] = (
            number,
            "null" if place is None else place,
            "null" if ahead is None else ahead,
            "null" if eta is None else f"[{eta[0]},{eta[1]}]",
            poll_after_ms,
            now_ms,
        )
        if self.stock is not None:
            told = (*told, "null" if chance is None else chance)
        body = (self._body % (*told, ticket)).encode()
        return (self._head % (ticket, len(body), rfc822_formatted_time())).encode() + body
