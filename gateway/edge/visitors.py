"""What the gate tells visitors: the waiting page, and the small endpoints under `/_sunbeon/{room}/`.

status (mine)   where I stand. Brings a knock back for a number; claims a called place; restores a lost cookie.
board           the same for everyone, cacheable for a second.
draw            likewise: what lots are drawn by, so that everybody can check them.
eligibility     in a room with a calendar: asks for the birth date, and judges it (`desk`).
leave (POST)    gives the place up.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar, assert_never
from urllib.parse import urlencode

from aiohttp import web

from gateway.audit import Audit
from gateway.edge import answers, cookies
from gateway.edge.away import stand_without_store
from gateway.edge.blanks import data_blank
from gateway.edge.desk import Desk
from gateway.edge.eligibility_page import closes_words, window_why, window_words
from gateway.edge.facts import board_facts, draw_facts, status_facts, wave_draw_facts
from gateway.edge.language import pick_language
from gateway.edge.line import KNOCK_LIFETIME_MS, Line
from gateway.edge.manner import is_same_origin
from gateway.edge.opening import finishing_words
from gateway.edge.pages import OWN_WORDS, Pages, WaitView, early_words
from gateway.edge.settle import (
    Credentials,
    InLine,
    Inside,
    Knocking,
    Refused,
    Standing,
    Through,
    Told,
    read_credentials,
    settle,
    stand_by_memory,
)
from gateway.edge.sight import StoreSlow
from gateway.edge.strings import STRINGS
from gateway.keys import KeyStore
from gateway.room.entitle import Way
from gateway.room.estimate import finishing
from gateway.room.match import Address
from gateway.room.model import Snapshot
from gateway.room.ticket import sign
from gateway.store.base import StoreError
from shared.wire import JWKS_PATH, OWN_PATH, TICKET_HEADER, How, RoomState, VisitorState

T = TypeVar("T")

# Methods that send nothing that could be lost.
LOOKING: Final = frozenset({"GET", "HEAD"})

# The query of a leave form whose sender wants to join anew.
JOIN_AGAIN: Final = "then=join"

# What a status answer tells to one reader alone.
NEWCOMERS_DATA: Final = ("poll_after_ms", "server_time_ms", "ticket")
OWN_DATA: Final = ("number", "place", "ahead", "eta_ms", "stock", *NEWCOMERS_DATA)

# A browser without scripts asks again at least this often and at most this seldom.
REFRESH_S: Final = (5, 30)


class Visitors:
    """Answers for all rooms."""

    def __init__(self, lines: Sequence[Line], keys: KeyStore, audit: Audit, desk: Desk) -> None:
        self._lines = {line.name: line for line in lines}
        self._keys = keys
        self._desk = desk
        self._audit = audit
        # For what is said outside every room.
        self._pages = Pages()
        self._under_way: set[asyncio.Task[Any]] = set()

    def read(self, request: web.BaseRequest, line: Line) -> Credentials:
        """Verify what a request brings to a room. A key nobody knows may be one just made: look once more."""
        headers = request.headers.getall("Cookie", ())
        tickets = cookies.values(headers, line.cookies.ticket) + request.headers.getall(TICKET_HEADER, [])[:1]
        passes = cookies.values(headers, line.cookies.visitor_pass)
        epoch = line.snapshot.epoch
        found = read_credentials(tickets, passes, line.name, self._keys.current.cookies, epoch=epoch)
        if found.unknown_key and self._keys.refresh():
            found = read_credentials(tickets, passes, line.name, self._keys.current.cookies, epoch=epoch)
        return found

    async def stand(
        self, line: Line, brought: Credentials, *, rule: str | None = None, at_once: bool = True
    ) -> Standing:
        """`settle`, and the record of it, as one: a client that hangs up in between must not be in unrecorded.

        Within the visitor's patience: a store that fails or is slow is answered for by `stand_without_store`. Raises
        `StoreError` where that cannot say.
        """
        failed: StoreError | None = None
        known = stand_by_memory(line, brought, rule=rule)
        if known is not None:
            self.record(line, known, brought)
            return known
        if not line.out_of_reach:
            task = self._begin(self._settle_and_record(line, brought, rule, at_once=at_once))
            try:
                return await line.within(task)
            except StoreError as error:
                line.outage.failed(error)
                failed = error
                if isinstance(error, StoreSlow):
                    self._begin(self._take_back(line, task))
            except asyncio.CancelledError:
                # The client hung up: it has no cookie of what comes.
                self._begin(self._take_back(line, task))
                raise
        standing = stand_without_store(line, brought, rule=rule, failed=failed)
        self.record(line, standing, brought)
        return standing

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        # The loop holds tasks weakly; an abandoned one must not be forgotten.
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    @staticmethod
    async def _take_back(line: Line, task: asyncio.Task[Standing]) -> None:
        """Give back a seat or a number that came too late to be told, unless a knock or a ticket can ask for it."""
        with suppress(Exception):
            standing = await task
            if isinstance(standing, InLine | Inside) and standing.knockless and standing.ticket is not None:
                await line.leave(standing.ticket)

    async def _settle_and_record(
        self, line: Line, brought: Credentials, rule: str | None, *, at_once: bool
    ) -> Standing:
        standing = await settle(line, brought, rule=rule, at_once=at_once)
        self.record(line, standing, brought)
        return standing

    def record(self, line: Line, standing: Standing, brought: Credentials) -> None:
        """Count, and write to the audit log, what a request came to."""
        now_ms = line.snapshot.now_ms
        _watch(line, standing)
        if brought.damaged:
            line.count("damaged")
        match standing:
            case Inside(visitor_pass, grant, fresh=True, first_time=first_time, ticket=ticket):
                waited = {} if ticket is None else {"waited_ms": max(0, now_ms - ticket.issued_ms)}
                # Also when told again: the worker that was first may have been killed before it wrote its line.
                self._audit.admitted(
                    line.name,
                    now_ms,
                    epoch=visitor_pass.epoch,
                    number=visitor_pass.number,
                    place=grant.place,
                    pass_id=visitor_pass.pass_id,
                    how=visitor_pass.how,
                    again=not first_time,
                    **waited,
                )
            case Inside(grace=True):
                line.outage.grace += 1
                line.count("grace")
            case Through(How.FAIL_OPEN):
                line.outage.lets_in()
                line.count("fail_open")
                self._audit.failed_open(line.name, now_ms, epoch=line.known.epoch)
            case Through(how, rule):
                line.count(f"{how.value}.{rule}" if rule else how.value)
                self._audit.note("exempt", line.name, now_ms, how=how.value, rule=rule)
            case Refused(why):
                line.count(f"refused.{why.value}")
                self._audit.note("refused", line.name, now_ms, why=why.value)
            case Told(entitled) if entitled.way is Way.NEVER:
                verdict = entitled.verdict
                line.count(f"refused.{entitled.reason}")
                self._audit.note(
                    "refused", line.name, now_ms, why=entitled.reason, rule=verdict and verdict.rule_name,
                    cohorts=brought.cohorts,
                )  # fmt: skip
            case Told():
                line.count("told_when" if standing.entitled.verdict is not None else "asked")
            case Inside() | InLine() | Knocking():
                pass
            case _ as unreachable:
                assert_never(unreachable)

    async def answer(self, request: web.BaseRequest, path: str, language: str, client: Address) -> web.Response | None:
        """The answer to a request below `/_sunbeon/`; None if there is no such page. client: who asks."""
        if path == JWKS_PATH:
            return answers.json({"keys": self._keys.current.public_jwks}, "jwks", cache="public, max-age=60")
        name, _, action = path.removeprefix(OWN_PATH).partition("/")
        line = self._lines.get(name)
        if line is None:
            return None
        match action, request.method:
            case "status", "GET":
                return await self._status(request, line, language)
            case "board", "GET":
                return self.board(line)
            case "draw", "GET":
                return self._draw(request, line)
            case "leave", "POST":
                return await self._leave(request, line, language)
            case "eligibility", ("GET" | "HEAD" | "POST") if line.eligibility is not None:
                return await self._eligibility(request, line, client)
            case (("status" | "board" | "draw" | "leave"), _):
                allow = "POST" if action == "leave" else "GET"
                response = answers.problem("method_not_allowed", f"use {allow}", status=405)
                response.headers["Allow"] = allow
                return response
        return None

    def admission_cookies(self, line: Line, standing: Inside | Through) -> list[str]:
        """The cookies of somebody who was just admitted; none for the others."""
        if not isinstance(standing, Inside) or not standing.fresh:
            return []
        ring = self._keys.current.cookies
        limits = line.snapshot.limits
        # Its life may begin later, and whoever drops the cookie sooner would have to show the ticket again.
        seconds = (limits.session_length_ms + limits.unserved_limit_ms) // 1000
        result = [self._cookie(line, line.cookies.visitor_pass, sign(standing.visitor_pass, line.name, ring), seconds)]
        if standing.ticket is not None:
            # Kept, so that a pass whose answer was lost can be claimed once more.
            result.append(self.ticket_cookie(line, sign(standing.ticket, line.name, ring)))
        return result

    def wait(
        self, request: answers.Asked, line: Line, standing: InLine | Knocking, *, silent: bool = False
    ) -> web.Response:
        """The waiting page, or its facts as a problem document. silent: sets no cookie.

        Making it costs several times what a status does: who asks for it again and again is told off.
        """
        retry_s = line.tells_off(standing.ticket, page=True) if isinstance(standing, InLine) else None
        if retry_s is not None:
            return self.told_off(request, line, retry_s)
        language = pick_language(request.headers.get("Accept-Language"))
        text = self._token(line, standing)
        status = _facts(line, standing, language, ticket=text)
        set_cookies = [] if silent else [self._token_cookie(line, standing, text)]
        if not answers.wants_page(request):
            retry_s = max(1, round(status["poll_after_ms"] / 1000))
            return answers.problem(
                "waiting", "wait for your turn, then ask again with the cookie you were given", status=429,
                retry_s=retry_s, cookies=set_cookies, **{key: status[key] for key in status if key != "status"},
            )  # fmt: skip
        page = line.pages.waiting(_view(request, line, standing, status, language), language)
        # Only a page that was asked for as a page may be taken for one.
        code = 200 if request.method in LOOKING else 429
        return answers.page(request, page, "waiting", status=code, cookies=set_cookies)

    def waiting_form(
        self,
        request: answers.Asked,
        line: Line,
        standing: InLine | Knocking,
        status: Mapping[str, Any],
        language: str,
    ) -> web.Response:
        """As `wait` shows the page to who asks for it so and is told this, with blanks: see `Pages.waiting_form`.

        All that a newcomer is told is told to all alike, but for `NEWCOMERS_DATA`.
        """
        view = _view(request, line, standing, status, language)
        if isinstance(standing, InLine):
            page = line.pages.waiting_form(view, language, data=OWN_DATA, words=OWN_WORDS)
        else:
            page = line.pages.waiting_form(view, language, data=NEWCOMERS_DATA)
        cookie = self._token_cookie(line, standing, data_blank("ticket"))
        return answers.page(request, page, "waiting", status=200, cookies=[cookie])

    def told_off(self, request: answers.Asked, line: Line, retry_s: int) -> web.Response:
        """To who asks for the page far more often than anybody reads it."""
        return self.notice(request, "hasty", "you ask far too often; your place is kept", line=line, retry_s=retry_s)

    def notice(
        self,
        request: answers.Asked,
        kind: str,
        detail: str,
        *,
        line: Line | None = None,
        cookies: Iterable[str] = (),
        reference: str | None = None,
        retry_s: int | None = None,
    ) -> web.Response:
        """Say one thing, as a page or as a problem document.

        reference: finds this request in the log. retry_s: when to come back, where the kind alone does not say it.
        """
        status = answers.STATUS[kind]
        retry_s = answers.RETRY_AFTER_S.get(kind, 0) if retry_s is None else retry_s
        if not answers.wants_page(request):
            return answers.problem(kind, detail, status=status, retry_s=retry_s, cookies=cookies)
        language = pick_language(request.headers.get("Accept-Language"))
        content = (line.pages if line else self._pages).notice(
            kind,
            language,
            room=line.name if line else None,
            title=line.config.title if line else None,
            retry_url=_own_address(request) if line else None,
            leave_url=f"{OWN_PATH}{line.name}/leave?{JOIN_AGAIN}" if line else None,
            request_id=reference,
            detail=_told_besides(kind, line) if line else None,
        )
        return answers.page(request, content, kind, status=status, cookies=cookies, retry_s=retry_s)

    async def _status(self, request: web.BaseRequest, line: Line, language: str) -> web.Response:
        brought = self.read(request, line)
        if brought.empty:
            if brought.damaged:
                line.count("damaged")
            facts = _facts(line, None, language)
            facts["state"] = VisitorState.REFUSED if brought.damaged else VisitorState.OUTSIDE
            return answers.json(facts, "status")
        standing = await self.stand(line, brought)
        match standing:
            case InLine():
                return self._status_in_line(line, standing, language)
            case Inside():
                facts = _facts(line, standing, language)
                return answers.json(facts, "status", cookies=self.admission_cookies(line, standing))
            case Knocking(catching_up=True):
                # It keeps knocking: its number comes when the store is back.
                text = self._token(line, standing)
                facts = _facts(line, standing, language, ticket=text)
                return answers.json(facts, "status", cookies=[self._token_cookie(line, standing, text)])
            case Knocking(notice=notice):
                # The page hands out knocks; here it is only told that its ticket has had its turn.
                facts = _facts(line, None, language)
                facts["state"] = VisitorState.USED if notice else VisitorState.OUTSIDE
                return answers.json(facts, "status")
            case Through():
                return answers.json(_facts(line, standing, language), "status")
            case Told(entitled):
                facts = _facts(line, standing, language)
                facts["code"] = entitled.reason
                return answers.json(facts, "status")
            case Refused(why):
                facts = _facts(line, standing, language)
                facts["code"] = why.value
                return answers.json(facts, "status")
            case _ as unreachable:
                assert_never(unreachable)

    def _status_in_line(self, line: Line, standing: InLine, language: str) -> web.Response:
        retry_s = line.tells_off(standing.ticket)
        if retry_s is not None:
            return answers.told_off(retry_s)
        text = self._token(line, standing)
        facts = _facts(line, standing, language, ticket=text)
        return answers.json(facts, "status", cookies=[self.ticket_cookie(line, text)])

    async def _eligibility(self, request: web.BaseRequest, line: Line, client: Address) -> web.Response | None:
        if line.eligibility is None:
            return None
        if request.method == "POST" and not is_same_origin(request.headers):
            return self.notice(request, "bad_request", "this form was not sent from this site", line=line)
        answer = await self._desk.answer(request, line, line.eligibility, self.read(request, line), client)
        return answer or self.notice(request, "too_many", "too many birth dates from one network", line=line)

    def tell(self, request: web.BaseRequest, line: Line, told: Told) -> web.Response:
        """Who has to say the birth date, or is not in line because of it."""
        return self._desk.tell(request, line, told)

    def board(self, line: Line) -> web.Response:
        """The same for everyone."""
        head = self._audit.head(line.name)
        facts = board_facts(
            line.snapshot,
            as_of_ms=line.known.now_ms,
            stale=not line.fresh,
            audit_head=head,
            people_waiting=line.people_waiting,
        )
        return answers.json(facts, "board", cache="public, max-age=1")

    @staticmethod
    def _draw(request: web.BaseRequest, line: Line) -> web.Response:
        room, as_of_ms, stale = line.snapshot, line.known.now_ms, not line.fresh
        wave = request.query.get("wave")
        if wave is None:
            facts = draw_facts(room, as_of_ms=as_of_ms, stale=stale)
        elif (secret := line.waves.secret(wave, room)) is None:
            return answers.problem("not_found", "no such wave", status=404)
        else:
            opens_ms = line.waves.opening(wave)
            facts = wave_draw_facts(room, wave, secret, opens_ms=opens_ms, as_of_ms=as_of_ms, stale=stale)
        return answers.json(facts, "draw", cache="public, max-age=1")

    async def _leave(self, request: web.BaseRequest, line: Line, language: str) -> web.Response:
        if not is_same_origin(request.headers):
            return self.notice(request, "bad_request", "this form was not sent from this site", line=line)
        brought = self.read(request, line)
        epoch = line.snapshot.epoch
        if brought.ticket is not None and brought.ticket.epoch == epoch:
            await line.leave(brought.ticket)
        if brought.visitor_pass is not None:
            await line.end(brought.visitor_pass, "left")
        names = (line.cookies.visitor_pass, line.cookies.ticket)
        dropped = [cookies.drop_cookie(name, secure=line.cookies.secure) for name in names]
        if not answers.wants_page(request):
            return answers.json({"state": VisitorState.OUTSIDE}, "left", cookies=dropped)
        if request.query_string == JOIN_AGAIN:
            # From a page that says why the ticket does not count: on to the line, without a word of having left one.
            response = answers.page(request, line.pages.notice("left", language), "left", status=303, cookies=dropped)
            response.headers["Location"] = line.config.paths[0]
            return response
        content = line.pages.notice(
            "left", language, room=line.name, title=line.config.title, retry_url=line.config.paths[0]
        )
        return answers.page(request, content, "left", status=200, cookies=dropped)

    def _token(self, line: Line, standing: InLine | Knocking) -> str:
        token = standing.ticket if isinstance(standing, InLine) else standing.knock
        return sign(token, line.name, self._keys.current.cookies)

    def _token_cookie(self, line: Line, standing: InLine | Knocking, text: str) -> str:
        if isinstance(standing, InLine):
            return self.ticket_cookie(line, text)
        # One that says who is asking is kept as long as a ticket: nobody should have to say it twice.
        seconds = cookies.TICKET_MAX_AGE_S if standing.knock.cohorts else KNOCK_LIFETIME_MS // 1000
        return self._cookie(line, line.cookies.ticket, text, seconds)

    def ticket_cookie(self, line: Line, text: str) -> str:
        """What keeps a ticket, signed, in a browser."""
        return self._cookie(line, line.cookies.ticket, text, cookies.TICKET_MAX_AGE_S)

    @staticmethod
    def _cookie(line: Line, name: str, value: str, seconds: int) -> str:
        return cookies.set_cookie(name, value, max_age_s=seconds, secure=line.cookies.secure)


def _watch(line: Line, standing: Standing) -> None:
    """Whoever waits and asks is still there."""
    if isinstance(standing, InLine):
        line.watch.mark(line.snapshot, standing.ticket)


def _view(
    request: answers.Asked, line: Line, standing: InLine | Knocking, status: Mapping[str, Any], language: str
) -> WaitView:
    verdict = standing.entitled and standing.entitled.verdict
    return WaitView(
        room=line.name,
        title=line.config.title,
        status=status,
        status_url=f"{OWN_PATH}{line.name}/status",
        leave_url=f"{OWN_PATH}{line.name}/leave",
        refresh_s=refresh_s(status),
        notice="unsent" if request.method not in LOOKING else standing.notice,
        zone=line.zone,
        window=window_words(verdict, language) if verdict else "",
        window_why=window_why(verdict, language) if verdict else "",
        window_closes=closes_words(verdict, language) if verdict else "",
        window_url=f"{OWN_PATH}{line.name}/eligibility?{urlencode({'back': _own_address(request) or '/'})}",
    )


def refresh_s(status: Mapping[str, Any]) -> int:
    """When a page asks again where no script runs. Who has no number yet gets it by that: they should hurry."""
    low, high = REFRESH_S
    hurry = status["number"] is None and not status["catching_up"]
    return low if hurry else min(max(low, status["poll_after_ms"] // 1000), high)


def _facts(line: Line, standing: Standing | None, language: str, *, ticket: str | None = None) -> dict[str, Any]:
    return line_facts(line, line.snapshot, standing, language, ticket)


def line_facts(
    line: Line, room: Snapshot, standing: Standing | None, language: str, ticket: str | None
) -> dict[str, Any]:
    """A status answer in a room. What it foresees is noted, to be graded."""
    facts = status_facts(
        room, standing, language, ticket=ticket, as_of_ms=line.known.now_ms, stale=not line.fresh, watch=line.watch
    )
    if facts["eta_ms"] is not None and room.state is RoomState.OPEN:
        line.shown(facts["place"], facts["eta_ms"])
    return facts


def _told_besides(kind: str, line: Line) -> dict[str, str]:
    """What the schedule adds to a notice, by language: when one can line up, or who may still finish."""
    room = line.snapshot
    if kind == "early":
        return early_words(room.moment.joins_from_ms, room.moment.opens_at_ms, line.zone)
    if kind in {"closed", "sold_out"}:
        return {language: finishing_words(finishing(room), t) for language, t in STRINGS.items()}
    return {}


def _own_address(request: answers.Asked) -> str | None:
    """The address asked for, to be asked for again: only if it is one on this site."""
    path = request.raw_path
    return path if path.startswith("/") and not path.startswith("//") and request.method in {"GET", "HEAD"} else "/"
