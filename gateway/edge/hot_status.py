"""Status answers of the hot path: to who plainly waits, with one good ticket and nothing else.

What a status answer says alike to all who wait is written once for a state of the room, by the ordinary path's own
functions, with marks where each reader's own facts go. So there is one wording of it, and a poll costs the verification
of its ticket, a few numbers, and one `%`.
"""

from typing import Final

import orjson
from aiohttp.helpers import rfc822_formatted_time

from gateway.edge import answers
from gateway.edge.facts import Own, own_facts, status_facts
from gateway.edge.language import pick_language
from gateway.edge.glance import Glance
from gateway.edge.line import Line
from gateway.edge.plain import PlainHead
from gateway.edge.settle import InLine
from gateway.edge.visitors import Visitors
from gateway.keys import KeyStore
from gateway.room.decide import only_waits, place_of
from gateway.room.estimate import finishing
from gateway.room.model import Snapshot
from gateway.room.stock import Stock
from gateway.room.ticket import BadToken, Ticket, verify
from shared.wire import HEADER_PREFIX, RoomState

_COOKIE: Final = b"cookie: "
_PREFIX: Final = HEADER_PREFIX.lower().encode()
_STATES: Final = frozenset({RoomState.OPEN, RoomState.PREQUEUE, RoomState.PAUSED})


class StatusAnswers:
    """Of one room."""

    def __init__(self, line: Line, visitors: Visitors, keys: KeyStore) -> None:
        self._line = line
        self._visitors = visitors
        self._keys = keys
        self._ticket = f"{line.cookies.ticket}="
        self._pass = f"{line.cookies.visitor_pass}="
        self._forms: dict[str, _Form] = {}
        self._told: tuple[object, ...] = ()
        self._room: Snapshot | None = None
        self._sight = Glance(line)

    def answer(self, head: PlainHead) -> bytes | None:
        """The answer to a poll; None where it is not this plain."""
        line, ring = self._line, self._keys.current.cookies
        text = one_cookie(head, self._ticket, self._pass)
        room = self._sight.room()
        if text is None or room is None or line.eligibility is not None:
            return None
        try:
            ticket = verify(text, line.name, ring)
        except BadToken:
            return None
        if not isinstance(ticket, Ticket) or ticket.wave or ticket.epoch != room.epoch or ticket.number > room.tail:
            return None
        place = place_of(ticket.number, room)
        # One signed with an older key is signed anew.
        if not only_waits(room, place) or not text.startswith(f"ticket.{ring.current}."):
            return None
        form = self._form(room, head, ticket)
        if form is None:
            return None
        line.watch.mark(room, ticket)
        own = own_facts(room, place, line.watch)
        if own.eta_ms is not None and place is not None and room.state is RoomState.OPEN:
            line.shown(place, own.eta_ms)
        return form.filled(ticket.number, own, room.now_ms, text)

    def _form(self, room: Snapshot, head: PlainHead, ticket: Ticket) -> "_Form | None":
        """What all who wait are told alike now, in the reader's language; None where that is not told to all alike."""
        line = self._line
        if room is not self._room:
            if room.state not in _STATES or room.blocks or finishing(room) is not None:
                return None
            # By what a millisecond changes in all this, which is nearly always nothing.
            told = line.known, room.state, room.moment, room.in_force.new_users_per_minute
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

    None also if there are several `Cookie` headers, or any of our own headers.
    """
    found: str | None = None
    for line in head.own:
        begins = line[:8].lower()
        if begins == _COOKIE:
            if found is not None:
                return None
            found = line[8:].decode()
        elif begins == _PREFIX:
            return None
    if found is None or unwanted in found or found.count(wanted) != 1:
        return None
    at = found.find(wanted)
    if at and found[at - 2 : at] != "; ":
        return None
    value = found[at + len(wanted) :].partition(";")[0]
    return None if '"' in value or " " in value or not value else value


# What stands in a form until it is filled. No text of ours or of an operator's holds a bare quote in JSON.
_OWN: Final = ("number", "place", "ahead", "eta_ms", "poll_after_ms", "server_time_ms")
_TICKET: Final = "@ticket@"
_CHANCE: Final = "@chance@"


class _Form:
    """An answer with blanks. stock: what it says is left."""

    def __init__(self, line: Line, room: Snapshot, visitors: Visitors, ticket: Ticket, language: str) -> None:
        """ticket: of anybody who waits; what is said to its holder alone is left blank."""
        self.stock: Stock | None = line.watch.stock
        standing = InLine(ticket, at_door=False, notice=None)
        facts = status_facts(
            room, standing, language, ticket=_TICKET, as_of_ms=line.known.now_ms, stale=False, watch=line.watch
        )
        facts |= {name: f"@{name}@" for name in _OWN}
        if facts["stock"] is not None:
            facts["stock"] = {**facts["stock"], "chance_gone_percent": _CHANCE}
        body = orjson.dumps(facts).decode().replace("%", "%%").replace(_TICKET, "%s")
        for name in (*_OWN, _CHANCE.strip("@")):
            body = body.replace(f'"@{name}@"', "%s")
        self._body = body
        cookie = visitors.ticket_cookie(line, _TICKET)
        head = answers.head_of(answers.json({}, "status", cookies=[cookie])).replace("%", "%%").replace(_TICKET, "%s")
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
