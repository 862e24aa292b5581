"""A gate, an operator API and a booking backend in one process, on the real wire contract, over `fake_line.Line`."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import unquote

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer

from loadtest.tests.fake_line import Fault, Line
from shared.wire import GATE_HEADER, PASS_HEADER, STATUS_FIELDS, TICKET_HEADER

ROOM = "main"
TICKET, PASS = f"sunbeon_ticket_{ROOM}", f"sunbeon_pass_{ROOM}"
TOKEN = "operator-secret"


@dataclass
class Fake:
    """others: further gates of the same line."""

    line: Line
    url: str = ""
    others: tuple[str, ...] = ()
    operator_url: str = ""
    backend_url: str = ""
    resets: int = 0  # connections to break before an answer


@asynccontextmanager
async def running(line: Line, *, resets: int = 0, others: int = 0) -> AsyncIterator[Fake]:
    fake = Fake(line, resets=resets)
    apps = []
    gate = Gate(fake).handle
    for handler in (gate, Operator(fake).handle, Backend(fake).direct, *(gate,) * others):
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        apps.append(TestServer(app, host="127.0.0.1"))
    for server in apps:
        await server.start_server()
    fake.url, fake.operator_url, fake.backend_url, *more = (str(server.make_url("/")) for server in apps)
    fake.others = tuple(more)
    try:
        yield fake
    finally:
        for server in apps:
            await server.close()


class Backend:
    """Books anything for anybody, once the gate has let them through."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake

    def answer(self, method: str, path: str) -> web.Response:
        if path == "/api/slots" and method == "GET":
            return web.json_response({"slots": [{"id": 1, "centre_id": 1, "starts_at": "2021-07-19", "left": 9}]})
        if path == "/api/identity" and method == "POST":
            return web.json_response({"identity": "i1"}, status=201)
        if path == "/api/holds" and method == "POST":
            return web.json_response({"hold_id": "h1"}, status=201)
        if path == "/api/holds/h1/confirm" and method == "POST":
            return web.json_response({"code": "ABC"}, status=201)
        return web.Response(text="<p>book</p>") if path in {"/", "/booking"} else web.Response(status=404)

    async def direct(self, request: web.Request) -> web.Response:
        open_door = self._fake.line.has(Fault.BACKEND_DIRECT)
        return self.answer(request.method, request.path) if open_door else web.Response(status=403)


class Gate:
    """Decides like the real one: forward, admit, join, wait, refuse."""

    def __init__(self, fake: Fake) -> None:
        self._fake = fake
        self._line = fake.line
        self._backend = Backend(fake)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self._fake.resets > 0 and request.cookies.get(TICKET):
            self._fake.resets -= 1
            assert request.transport is not None
            request.transport.abort()
        self._count_false(request)
        match request.raw_path:
            case "/_sunbeon/main/status":
                return self._status(request)
            case "/_sunbeon/main/board":
                return web.json_response({"room": ROOM, "tail": self._line.tail, "serving": self._line.serving})
            case "/_sunbeon/main/leave":
                return self._leave(request)
        return self._page(request)

    def _count_false(self, request: web.Request) -> None:
        """Count what is none of ours, or in the place of another, once a request."""
        ticket, held = request.cookies.get(TICKET), request.cookies.get(PASS)
        sent = request.headers.get(TICKET_HEADER)
        good = {token for token in (ticket, sent) for kind in "tk" if self._line.open_seal(kind, token) is not None}
        bad = any(token and token not in good for token in (ticket, sent))
        if (bad or (held and self._line.open_seal("p", held) is None)) and not self._line.has(Fault.COUNTS_NO_FALSE):
            self._line.counters["damaged"] += 1

    def _number(self, request: web.Request) -> int | None:
        """Of the ticket, if it has one and is ours."""
        token = request.cookies.get(TICKET)
        if self._line.has(Fault.ALTERED_TICKET) and token and token.startswith("t."):
            digits = token.split(".")[1]
            return int(digits) if digits.isdigit() else None
        text = self._line.open_seal("t", token)
        return int(text) if text else None

    def _live(self, request: web.Request) -> int | None:
        """The place of a live pass."""
        text = self._line.open_seal("p", request.cookies.get(PASS))
        place, _, pass_id = (text or "").partition(".")
        return int(place) if place and self._line.passes.get(int(place)) == pass_id else None

    def _page(self, request: web.Request) -> web.Response:
        if (place := self._live(request)) is not None:
            return self._forward(request, place)
        if self._slips(request):
            return self._backend.answer("GET", "/booking")
        number = self._number(request)
        knock_id = self._line.open_seal("k", request.cookies.get(TICKET))
        if number is None and knock_id is not None:
            number = self._line.knocks.get(knock_id)
        if number is not None:
            return self._claim(request, number)
        if request.cookies.get(TICKET) and knock_id is None:
            return _own("refused", 403)
        if self._line.idle():
            number = self._line.join()
            if knock_id is not None:
                self._line.knocks[knock_id] = number
            return self._claim(request, number)
        knock = request.cookies.get(TICKET) or self._line.seal("k", secrets.token_hex(8))
        answer = _own("waiting", 200 if "text/html" in request.headers.get("Accept", "") else 429)
        answer.set_cookie(TICKET, knock)
        return answer

    def _slips(self, request: web.Request) -> bool:
        """Whether one of the planted holes lets this request through without a pass."""
        line, cookie = self._line, request.cookies.get(PASS)
        spent = (number := self._number(request)) is not None and number in line.spent
        if number is not None and line.has(Fault.EARLY_CLAIM) and not spent and not line.is_called(number):
            line.asked[number] += 1
        return (
            (line.has(Fault.FORGED_PASS) and cookie is not None)
            or (line.has(Fault.TICKET_AS_PASS) and line.open_seal("t", cookie) is not None)
            or (line.has(Fault.HEADERS) and PASS_HEADER in request.headers)
            or (line.has(Fault.DEEP_LINK) and request.raw_path != unquote(request.raw_path))
            or (line.has(Fault.METHODS) and request.method not in {"GET", "POST"})
            or (line.has(Fault.USED_TICKET) and spent)
            or (line.has(Fault.EARLY_CLAIM) and number is not None and line.asked[number] > 2)
        )

    def _claim(self, request: web.Request, number: int) -> web.Response:
        line = self._line
        if number in line.spent:
            return _own("refused", 403)
        pass_id = line.claim(number)
        if pass_id is None:
            return _own("waiting", 200)
        answer = self._forward(request, number)
        answer.set_cookie(TICKET, line.seal("t", str(number)))
        if not line.has(Fault.NO_PASS):
            answer.set_cookie(PASS, line.seal("p", f"{number}.{pass_id}"))
        return answer

    def _forward(self, request: web.Request, place: int) -> web.Response:
        answer = self._backend.answer(request.method, request.path)
        if request.path.endswith("/confirm"):
            self._line.end(place, "completed")
            answer.del_cookie(PASS)
        elif self._line.has(Fault.PUTS_OUT) and request.path == "/api/slots" and place % 4 == 0:
            self._line.end(place, "expired")
        return answer

    def _status(self, request: web.Request) -> web.Response:
        line, answer = self._line, web.Response(content_type="application/json")
        number = self._number(request)
        knock = line.open_seal("k", request.cookies.get(TICKET))
        if number is None and knock is not None:
            if knock not in line.knocks or line.has(Fault.KNOCK_REPLAY):
                line.knocks[knock] = line.join()
            number = line.knocks[knock]
        if number is None and line.has(Fault.FORGED_TICKET) and request.cookies.get(TICKET):
            number = 1
        state = "outside" if not request.cookies.get(TICKET) else "refused"
        if number is not None:
            line.asked[number] += 1
            if line.has(Fault.CHANGES_NUMBERS) and number % 4 == 0 and line.asked[number] == 2:
                number = line.join()
            if line.has(Fault.FAST_POLL) and line.asked[number] == 10:
                number = line.join()
                # Once each: sent to the end again and again, they would make more numbers than are called.
                line.asked[number] = 10
            answer.set_cookie(TICKET, line.seal("t", str(number)))
            state = line.state(number)
            if state == "called" and line.status_claims and (pass_id := line.claim(number)) is not None:
                state = "inside"
                answer.set_cookie(PASS, line.seal("p", f"{number}.{pass_id}"))
            if line.has(Fault.LOSES_TICKETS) and number % 4 == 0 and line.asked[number] > 1:
                state = "refused"
        fields = dict.fromkeys(STATUS_FIELDS)
        # Like the real one, it tells those inside no number.
        told = None if state == "inside" and line.status_claims else number
        room_state = "prequeue" if line.prequeue else "open"
        known = {"state": state, "room_state": room_state, "number": told, "place": told, "poll_after_ms": 25}
        answer.body = orjson.dumps({**fields, **known, "message": ""})
        return answer

    def _leave(self, request: web.Request) -> web.Response:
        number = self._number(request)
        if number is None or request.headers.get("Origin") != self._fake.url.rstrip("/"):
            return _own("refused", 403)
        self._line.end(number, "left")
        return _own("left", 200)


class Operator:
    def __init__(self, fake: Fake) -> None:
        self._line = fake.line
        self._asked = 0

    async def handle(self, request: web.Request) -> web.Response:
        line = self._line
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        if request.path == "/api/rooms":
            return web.json_response({"rooms": [{"room": ROOM}]})
        if request.method == "PATCH":
            if request.headers.get("If-Match") != f'"{line.version}"':
                return web.Response(status=412)
            patch = await request.json()
            line.ceiling = patch.get("total_active_users", line.ceiling)
            line.per_minute = patch.get("new_users_per_minute", line.per_minute)
            line.calls.per_minute = line.claims.per_minute = line.per_minute
            line.version += 1
        line.tick()
        self._asked += 1
        back = line.has(Fault.SERVING_GOES_BACK) and self._asked % 3 == 0
        data = {
            "room": ROOM,
            "epoch": 1,
            "state": "prequeue" if line.prequeue else "open",
            # All fields as the real one names them: a check that asks for another must fail.
            "settings": {
                "state": "prequeue" if line.prequeue else "open",
                "queueing_method": "fifo",
                "total_active_users": line.ceiling,
                "new_users_per_minute": line.per_minute,
                "claim_window_s": 60,
                "session_length_s": 600,
                "idle_limit_s": 300,
                "opens_at": None,
                "message": {},
                "version": line.version,
            },
            "tail": line.tail,
            "serving": 0 if back else line.serving,
            "waiting": line.tail - line.serving,
            "live": len(line.passes),
            "counters": {"admitted": 0, "peak_live": 0, **line.counters},
        }
        return web.json_response(data, headers={"ETag": f'"{line.version}"'})


def _own(word: str, status: int) -> web.Response:
    return web.Response(status=status, text=word, headers={GATE_HEADER: word})
