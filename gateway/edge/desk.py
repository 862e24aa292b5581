"""The desk before the line: asks for a birth date, judges it, and tells people when their time is.

`POST /_sunbeon/{room}/eligibility` takes a birth date, says what the room's calendar makes of it, and forgets it: only
the cohorts go into the visitor's ticket or knock. `GET` shows the question, with everybody's windows.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson
from aiohttp import web

from gateway.audit import Audit
from gateway.edge import answers, cookies
from gateway.edge.eligibility import Answer, Eligibility
from gateway.edge.eligibility_page import EligibilityView, render
from gateway.edge.facts import eligibility_data
from gateway.edge.language import pick_language
from gateway.edge.line import Line
from gateway.edge.newcomers import Newcomers
from gateway.edge.proxy.errors import BodyTimeout, BodyTooLarge
from gateway.edge.settle import Credentials, Told
from gateway.keys import KeyStore
from gateway.room.decide import counted, missed_wave, wave_of
from gateway.room.entitle import UNKNOWN, Entitled, Way
from gateway.room.match import Address
from gateway.room.ticket import Knock, Ticket, Token, sign
from shared.birth_date import BadBirthDate, read_birth_date
from shared.wire import OWN_PATH

# A birth date and the path to go back to.
MOST_BYTES: Final = 4_096
BODY_S: Final = 10.0
_BACK: Final = re.compile(r"/(?![/\\])[!-~]{0,2000}")
_LOOKING: Final = frozenset({"GET", "HEAD"})


class Desk:
    """Of all rooms with a calendar. newcomers: how many birth dates one network may ask about."""

    def __init__(self, keys: KeyStore, audit: Audit, newcomers: Newcomers) -> None:
        self._keys = keys
        self._audit = audit
        self._newcomers = newcomers

    def tell(self, request: web.BaseRequest, line: Line, told: Told) -> web.Response:
        """At the room's own address: the question, or when, or why not."""
        entitled, note = told.entitled, ""
        # A place is kept whatever the calendar says: tomorrow it may say otherwise. Giving it up is for its holder.
        leaves = told.ticket is not None and entitled.way is Way.NEVER
        if told.ticket is not None:
            note = "verdict_place_kept" if leaves else "ask_kept"
        elif request.method not in _LOOKING:
            note = "ask_unsent"
        if not answers.wants_page(request):
            return _problem(line, entitled)
        status = 200 if entitled.way is Way.ASK and request.method in _LOOKING else 403
        back = request.raw_path if request.method in _LOOKING else ""
        return self._page(request, line, entitled, status=status, back=back, note=note, leaves=leaves)

    async def answer(
        self, request: web.BaseRequest, line: Line, eligibility: Eligibility, brought: Credentials, client: Address
    ) -> web.Response | None:
        """The endpoint, of a request that came from this site; None if this network asks too often."""
        if request.method != "POST":
            back = next((value for key, value in parse_qsl(request.query_string) if key == "back"), "")
            return self._page(request, line, UNKNOWN, status=200, back=back)
        if not self._newcomers.may_enter(client):
            line.count("eligibility.too_many")
            return None
        typed = await _read(request)
        room = line.snapshot
        try:
            birth = read_birth_date(typed.pop("birth_date", ""), today=eligibility.today(room.now_ms))
        except BadBirthDate as error:
            return self._wrong(request, line, error.kind, typed.get("back", ""))
        answer = eligibility.judge(birth, room)
        self._record(line, answer)
        token = _token(line, eligibility, answer, brought)
        set_cookies = [] if token is None else [self._cookie(line, token)]
        if not answers.wants_page(request):
            return answers.json(eligibility_data(answer.entitled), "eligibility", cookies=set_cookies)
        back = _local(typed.get("back", ""), line)
        if token is None:
            # The place held is somebody else's: say it here, and leave that alone.
            return self._page(
                request, line, answer.entitled, status=403, back=back, note="verdict_kept", cookies=set_cookies
            )
        response = self._page(request, line, answer.entitled, status=303, back=back, cookies=set_cookies)
        response.headers["Location"] = back
        return response

    def _record(self, line: Line, answer: Answer) -> None:
        """Count the verdict by its rule; a line in the audit log for whoever cannot book now. Never the birth date."""
        verdict = answer.entitled.verdict
        rule = verdict.rule_name if verdict is not None else None
        reason = answer.entitled.reason
        line.count(f"eligibility.{reason}.{rule}" if rule else f"eligibility.{reason}")
        if verdict is not None and not verdict.eligible:
            self._audit.note(
                "not_now", line.name, line.snapshot.now_ms, verdict=reason, rule=rule, cohorts=answer.cohorts,
                calendar=verdict.calendar_version,
            )  # fmt: skip

    def _wrong(self, request: web.BaseRequest, line: Line, kind: str, back: str) -> web.Response:
        if answers.wants_page(request):
            return self._page(request, line, UNKNOWN, status=422, back=back, error=kind)
        return answers.problem(
            "birth_date", "say `birth_date` as YYYY-MM-DD, a day on which a living person can have been born",
            status=422, problems=[{"field": "birth_date", "code": kind}],
        )  # fmt: skip

    def _page(
        self,
        request: web.BaseRequest,
        line: Line,
        entitled: Entitled,
        *,
        status: int,
        back: str,
        note: str = "",
        error: str = "",
        leaves: bool = False,
        cookies: list[str] | None = None,
    ) -> web.Response:
        assert line.eligibility is not None  # noqa: S101 - there is no desk without a calendar
        now_ms = line.snapshot.now_ms
        calendar = line.eligibility.calendar
        own_path = f"{OWN_PATH}{line.name}/"
        leave_url = f"{own_path}leave" if leaves else ""
        view = EligibilityView(
            entitled, calendar, now_ms, f"{own_path}eligibility", _local(back, line), error, note, leave_url
        )
        content = render(line.pages, view, line.config.title, pick_language(request.headers.get("Accept-Language")))
        return answers.page(request, content, "eligibility", status=status, cookies=cookies or ())

    def _cookie(self, line: Line, token: Token) -> str:
        text = sign(token, line.name, self._keys.current.cookies)
        return cookies.set_cookie(
            line.cookies.ticket, text, max_age_s=cookies.TICKET_MAX_AGE_S, secure=line.cookies.secure
        )


def _token(line: Line, eligibility: Eligibility, answer: Answer, brought: Credentials) -> Knock | Ticket | None:
    """What the visitor is to hold from now on; None: what they hold already.

    A place in line stays the visitor's, if the new answer could have led to it when it was given. Else anybody could
    take a place by the birth date of those whose turn it is, and have it count as their own when their window opens.
    """
    room = line.snapshot
    if brought.ticket is None or brought.ticket.epoch != room.epoch:
        return line.new_knock(answer.cohorts)
    if answer.entitled.way is Way.NEVER:
        return None
    held = counted(brought.ticket, room)
    waits_elsewhere = held.wave and held.wave != answer.entitled.wave and not missed_wave(held, room)
    if not waits_elsewhere and eligibility.could_hold(answer.cohorts, held, wave_of(held, room), room):
        return held._replace(cohorts=answer.cohorts)
    # Where they cannot line up yet there is nothing to give them for it.
    return None if answer.entitled.way is Way.LATER else line.new_knock(answer.cohorts)


def _problem(line: Line, entitled: Entitled) -> web.Response:
    """For programs."""
    details = {
        Way.ASK: "say your birth date first: POST it to `eligibility_url`",
        Way.NEVER: "nothing opens for you any more, or nothing ever does",
    }
    return answers.problem(
        entitled.reason if entitled.way is not Way.ASK else "birth_date_needed",
        details.get(entitled.way, "your window is still to open"),
        status=403,
        **eligibility_data(entitled),
        eligibility_url=f"{OWN_PATH}{line.name}/eligibility",
    )


def _local(back: str, line: Line) -> str:
    """The path to go on to, if it is one on this site."""
    return back if _BACK.fullmatch(back) else line.config.paths[0]


async def _read(request: web.BaseRequest) -> dict[str, str]:
    """The fields of a form or of a JSON object; none of what cannot be read. Raises `BodyTooLarge`, `BodyTimeout`."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise BodyTooLarge("the form is larger than a birth date can be")
    except TimeoutError:
        raise BodyTimeout("the form did not come whole in time") from None
    if request.content_type == "application/json":
        try:
            sent = orjson.loads(body)
        except orjson.JSONDecodeError:
            return {}
        fields: Mapping[Any, Any] = sent if isinstance(sent, dict) else {}
        return {key: value for key, value in fields.items() if isinstance(value, str)}
    try:
        return dict(parse_qsl(body.decode(), max_num_fields=8))
    except ValueError:
        return {}
