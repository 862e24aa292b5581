"""What was sent and what came back: answers cut out of a stream of bytes, and both as text that may be shown."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from shared.wire import DRILL_HEADER, GATE_HEADER, PASS_HEADER

AGENT: Final = "sunbeon-drill/1"
SHOWN_CHARS: Final = 300
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [^\r\n]*)?")
_UNPRINTABLE: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
# On every request, and no part of what is tried.
_USUAL: Final = re.compile(rf"User-Agent: {AGENT}|{DRILL_HEADER}: .*|Accept: text/html|Connection: close")
# Tokens by their form, wherever they stand; proofs; the operators' token.
_SECRET: Final = re.compile(
    rf"((?:ticket|knock|pass)\.)[\w-]+\.[\w-]+\.[\w-]*|({PASS_HEADER}: .{{24}})[^;]+|(Bearer )\S+"
)


Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Fields
    body: bytes

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def gate(self) -> str | None:
        """The gate's own word; None if the gate did not answer."""
        return self.get(GATE_HEADER)

    @property
    def cookies(self) -> dict[str, str]:
        """Those set; "" for one taken away."""
        lines = [value for key, value in self.headers if key.lower() == "set-cookie"]
        pairs = [line.partition(";")[0].partition("=") for line in lines]
        return {name.strip(): value.strip() for name, _, value in pairs}

    def json(self) -> dict[str, Any]:
        """The body; {} if it is no JSON object."""
        try:
            told = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return told if isinstance(told, dict) else {}


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was sent, what came back, and what went wrong with that."""

    sent: bytes
    answers: tuple[Answer, ...]
    failed: str = ""

    @property
    def answer(self) -> Answer | None:
        return self.answers[0] if self.answers else None

    @property
    def sent_text(self) -> str:
        """The request line and the headers, but for those of every request. Never a token in whole."""
        head, _, body = self.sent.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        told = [field for field in fields if not _USUAL.fullmatch(field)]
        return _shown("; ".join([line, *told, *([f"[{len(body)} bytes]"] if body else [])]))

    @property
    def came_text(self) -> str:
        if not self.answers:
            return f"nothing: {self.failed or 'the connection was closed'}"
        return _shown(" | ".join(_told(answer) for answer in self.answers))


def _told(answer: Answer) -> str:
    gate = f"{GATE_HEADER}: {answer.gate}" if answer.gate is not None else f"no {GATE_HEADER}"
    set_ones = sorted(name for name, value in answer.cookies.items() if value)
    return f"{answer.status}, {gate}" + (f", sets {', '.join(set_ones)}" if set_ones else "")


def _shown(text: str) -> str:
    masked = _SECRET.sub(lambda match: f"{match[match.lastindex or 0]}...", text).translate(_UNPRINTABLE)
    return masked if len(masked) <= SHOWN_CHARS else masked[:SHOWN_CHARS] + "..."


def read_answers(data: bytes, *, head: bool = False) -> tuple[list[Answer], bool]:
    """The final answers in a stream, and whether the last of them is whole. head: none has a body.

    One that is cut short, or ends only with its connection, is given as far as it came.
    """
    answers: list[Answer] = []
    whole = False
    while (found := _STATUS_LINE.match(data)) is not None and b"\r\n\r\n" in data:
        text, _, data = data.partition(b"\r\n\r\n")
        status = int(found[1])
        lines = text.decode("latin-1").split("\r\n")[1:]
        fields = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        if 100 <= status < 200 and status != 101:  # noqa: PLR2004 - interim answers
            continue
        body, data, whole = _body(Answer(status, fields, b""), data, head=head)
        answers.append(Answer(status, fields, body))
    return answers, whole


def _body(answer: Answer, data: bytes, *, head: bool) -> tuple[bytes, bytes, bool]:
    """The body, what follows it, and whether it is whole."""
    if head or answer.status in {101, 204, 304}:
        return b"", data, True
    if "chunked" in (answer.get("Transfer-Encoding") or "").lower():
        return _chunks(data)
    length = answer.get("Content-Length") or ""
    if length.isdecimal():
        size = int(length)
        return data[:size], data[size:], len(data) >= size
    return data, b"", False


def _chunks(data: bytes) -> tuple[bytes, bytes, bool]:
    body = b""
    while b"\r\n" in data:
        line, _, rest = data.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0], 16)
        except ValueError:
            break
        if size == 0:
            return body, rest.removeprefix(b"\r\n"), b"\r\n" in rest
        if len(rest) < size + 2:
            break
        body, data = body + rest[:size], rest[size + 2 :]
    return body, b"", False


def merged(cookies: Mapping[str, str], answers: Iterable[Answer]) -> dict[str, str]:
    """A jar after these answers."""
    jar = dict(cookies)
    for answer in answers:
        for name, value in answer.cookies.items():
            if value:
                jar[name] = value
            else:
                jar.pop(name, None)
    return jar


def fields_of(token: str) -> list[Any]:
    """What a ticket, knock or pass says, unverified; [] if it is none."""
    kind, *rest = token.split(".")
    if kind not in {"ticket", "knock", "pass"} or len(rest) != 3:  # noqa: PLR2004 - `gateway.room.ticket`
        return []
    try:
        told = orjson.loads(urlsafe_b64decode(rest[1] + "=" * (-len(rest[1]) % 4)))
    except ValueError:
        return []
    return told if isinstance(told, list) else []
