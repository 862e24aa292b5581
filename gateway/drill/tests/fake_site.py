"""A site in one process, on the real wire contract: a gate, an operator API, a backend; with one fault, if wanted.

The faults are named by the row that must turn red.
"""

import asyncio
import json
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gateway.drill.exchange import fields_of

ROOM, OTHER = "main", "other"
TICKET, PASS = f"sunbeon_ticket_{ROOM}", f"sunbeon_pass_{ROOM}"
TOKEN = "operator-secret"
PAGE = "/booking"
CSP = "default-src 'none'; script-src 'sha256-x'"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"}


@dataclass
class Request:
    method: str
    target: str
    version: str
    headers: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def get(self, name: str) -> str:
        return (self.all(name) or [""])[0]

    def cookie(self, name: str) -> str:
        found = re.search(rf"(?:^|[;\s]){name}=([^;]*)", self.get("Cookie"))
        return found[1] if found else ""


def answer(status: int, body: bytes = b"", *headers: tuple[str, str], gate: str | None = None) -> bytes:
    fields = [*headers, ("Content-Length", str(len(body))), *([("Sunbeon-Gate", gate)] if gate else [])]
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    return f"HTTP/1.1 {status} X\r\n{head}\r\n".encode() + body


@dataclass
class Site:
    """fault: of which row. admits: nobody has to wait. stubborn: takes nothing back."""

    fault: str = ""
    admits: bool = False
    stubborn: bool = False
    tail: int = 0
    serving: int = 0
    generation: int = 0
    good: set[str] = field(default_factory=set)
    numbers: dict[tuple[str, int], int] = field(default_factory=dict)
    passes: dict[int, str] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    url: str = ""
    operator_url: str = ""
    backend_url: str = ""
    seen: list[Request] = field(default_factory=list)

    def token(self, kind: str, *fields: object) -> str:
        payload = urlsafe_b64encode(json.dumps(fields, separators=(",", ":")).encode()).rstrip(b"=").decode()
        text = f"{kind}.k.{payload}.{secrets.token_urlsafe(18)}"
        self.good.add(text)
        return text

    def cookie(self, name: str, value: str) -> tuple[str, str]:
        flags = "Path=/; SameSite=Lax" if self.fault == "cookies" else "Path=/; SameSite=Lax; HttpOnly"
        return ("Set-Cookie", f"{name}={value}; {flags}")

    def join(self, knock: str) -> int:
        key = (knock, self.generation)
        if knock and key in self.numbers and self.fault != "knock":
            return self.numbers[key]
        self.tail += 1
        self.numbers[key] = self.tail
        if self.admits:
            self.serving = self.tail
        return self.tail

    def through(self, *cookies: tuple[str, str]) -> bytes:
        return answer(200, b"the page", *cookies)

    def gate(self, request: Request) -> bytes:
        self.seen.append(request)
        refused = answer(400, b"", gate="bad_request")
        if not request.version.startswith("HTTP/1."):
            return self.through() if self.fault == "http-version" else refused
        if self._is_ambiguous(request) and self.fault != "smuggling":
            return refused
        if request.method not in METHODS:
            return answer(501, b"", gate="bad_request")
        if self._slips(request):
            return answer(101, b"") if self.fault == "upgrade" else self.through()
        path = request.target.partition("?")[0]
        if path == f"/_sunbeon/{OTHER}/status":
            state = "waiting" if self.fault == "other-room" else "refused"
            return answer(200, json.dumps({"state": state}).encode(), gate="status")
        if path.startswith("/_sunbeon/"):
            return self._own(request, path.rpartition("/")[2])
        if path == "/metrics" and self.fault == "operator-paths":
            return answer(200, b"sunbeon_waiting_users 1\n")
        return self._room(request)

    @staticmethod
    def _is_ambiguous(request: Request) -> bool:
        lengths, codings = request.all("Content-Length"), request.all("Transfer-Encoding")
        names = [name for name, _ in request.headers]
        return (
            bool(lengths and codings)
            or len(lengths) > 1
            or any(not length.isdecimal() for length in lengths)
            or any(name != name.strip() for name in names)
            or len(request.all("Host")) != 1
        )

    def _slips(self, request: Request) -> bool:
        """Whether the planted fault lets this request through without a pass."""
        ticket, visitor_pass = request.cookie(TICKET), request.cookie(PASS)
        is_page = not request.target.startswith("/_sunbeon/")
        if is_page and visitor_pass in self.good and visitor_pass.startswith("pass."):
            number = int(fields_of(visitor_pass)[1])
            return self.passes.get(number) is not None and (number not in self.ended or self.fault == "replayed")
        return {
            "gate": request.target == PAGE,
            "paths": "%2e" in request.target and "_sunbeon" not in request.target,
            "hosts": request.get("Host") == "localhost",
            "headers": bool(request.get("Sunbeon-Pass")),
            "methods": request.method == "OPTIONS",
            "clock": "2100" in request.get("If-Modified-Since"),
            "script": bool(request.get("X-Requested-With")),
            "upgrade": request.get("Upgrade") == "websocket",
            "forged": ticket.startswith("ticket.00000000."),
            "altered": ticket.startswith("ticket.k.") and ticket not in self.good,
            "swapped": visitor_pass.startswith("ticket."),
            "other-epoch": fields_of(ticket)[:1] == [0],
        }.get(self.fault, False)

    def _room(self, request: Request) -> bytes:
        ticket, visitor_pass = request.cookie(TICKET), request.cookie(PASS)
        if {ticket, visitor_pass} - {""} - self.good or (visitor_pass and visitor_pass.split(".")[0] != "pass"):
            old = fields_of(ticket)[:1] == [0]
            return answer(403, b"", gate="old_epoch" if old else "forged")
        if ticket.startswith("pass."):
            return answer(403, b"", gate="forged")
        if ticket.startswith("ticket.") or (self.admits and request.method == "GET"):
            number = int(fields_of(ticket)[1]) if ticket.startswith("ticket.") else self.join(ticket)
            if number <= self.serving and number not in self.ended:
                return self.through(*self._claim(number))
        knock = self.token("knock", secrets.randbits(32), 1)
        safe = [("Content-Security-Policy", CSP)] if self.fault != "page" else []
        safe += [
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "same-origin"),
        ]
        given = [] if ticket.startswith("ticket.") else [self.cookie(TICKET, knock)]
        return answer(200, b"" if request.method == "HEAD" else b"wait", *safe, *given, gate="waiting")

    def _claim(self, number: int) -> list[tuple[str, str]]:
        if number not in self.passes or self.fault == "copied":
            self.passes[number] = secrets.token_hex(4)
        visitor_pass = self.token("pass", 1, number, number, self.passes[number], "line", 1)
        return [self.cookie(PASS, visitor_pass), self.cookie(TICKET, self.token("ticket", 1, number, 1))]

    def _own(self, request: Request, action: str) -> bytes:
        if action == "board" and request.method == "GET":
            told = {"serving": self.serving, "tail": self.tail, "epoch": 1}
            return answer(200, json.dumps(told).encode(), gate="board")
        if action == "status" and request.method == "GET":
            return self._status(request)
        if action == "leave" and request.method == "POST" and not request.get("Origin") and not self.stubborn:
            tokens = [request.cookie(TICKET), request.cookie(PASS)]
            self.ended |= {int(fields_of(token)[1]) for token in tokens if token and not token.startswith("knock.")}
            return answer(200, b"", gate="left")
        return answer(405, b"", gate="method_not_allowed")

    def _status(self, request: Request) -> bytes:
        ticket = request.cookie(TICKET)
        told: dict[str, object] = {"state": "refused"}
        cookies: list[tuple[str, str]] = []
        if ticket in self.good and not ticket.startswith("pass."):
            number = self.join(ticket) if ticket.startswith("knock.") else int(fields_of(ticket)[1])
            told = {"state": "waiting", "number": number, "place": number}
            cookies = [self.cookie(TICKET, self.token("ticket", 1, number, 1))]
            if number <= self.serving and number not in self.ended:
                lost = self.fault == "claim" and number in self.passes
                told["state"] = "used" if lost else "inside"
                cookies = [] if lost else self._claim(number)
        return answer(200, json.dumps(told).encode(), *cookies, gate="status")

    def operator(self, request: Request) -> bytes:
        if request.get("Authorization") != f"Bearer {TOKEN}" and self.fault != "operator-token":
            return answer(401, b"")
        rooms = [
            {"room": name, "state": "open", "waiting": 1, "epoch": 1, "settings": {"version": 7}}
            for name in (ROOM, OTHER)
        ]
        return answer(200, json.dumps({"rooms": rooms}).encode())

    def backend(self, _request: Request) -> bytes:
        return answer(200, b"the page") if self.fault == "backend" else answer(403, b"")


@asynccontextmanager
async def running(site: Site) -> AsyncIterator[Site]:
    """Serve all three on loopback, reading requests as leniently as can be."""

    async def read(reader: asyncio.StreamReader) -> Request | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1")
        except asyncio.IncompleteReadError as error:
            if error.partial and site.fault == "network":
                site.generation += 1
            return None
        line, *fields = head.split("\r\n")
        parts = line.split(" ")
        pairs = [(name, value.strip()) for name, _, value in (each.partition(":") for each in fields)]
        request = Request(parts[0], parts[1], parts[2] if len(parts) > 2 else "HTTP/0.9", pairs)
        length = request.get("Content-Length")
        if length.isdecimal():
            await reader.readexactly(int(length))
        return request

    async def serve(handle, reader, writer):
        try:
            while (request := await read(reader)) is not None:
                writer.write(handle(request))
                await writer.drain()
                if "close" in request.get("Connection") or request.version == "HTTP/0.9":
                    break
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def serving(handle):
        return asyncio.start_server(lambda reader, writer: serve(handle, reader, writer), "127.0.0.1", 0)

    servers = [await serving(handle) for handle in (site.gate, site.operator, site.backend)]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    site.url, site.operator_url, site.backend_url = (f"http://127.0.0.1:{port}" for port in ports)
    try:
        yield site
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()
