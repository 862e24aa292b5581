"""Judge an example: what clients sent and got, against what a backend heard, by every way of reading it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.tests.http import strict
from gateway.tests.http.grammar import Reply
from gateway.tests.http.lenient import READINGS, SERIAL, Record
from gateway.tests.http.strict import End, Message, Stream

# Of one hop, or the gateway's to write: nothing is said here of what becomes of them, in any spelling.
FREE: Final = frozenset(
    b"connection content-length expect forwarded host keep-alive proxy-authenticate proxy-authorization"
    b" proxy-connection te trailer transfer-encoding upgrade via x-forwarded-for x-forwarded-host x-forwarded-port"
    b" x-forwarded-prefix x-forwarded-proto x-forwarded-server x-original-host x-original-url x-real-ip x-request-id"
    b" x-rewrite-url".split()
)
DIFFERENTLY: Final = "servers read differently"
ADDED_TO_ANSWERS: Final = frozenset({b"date", b"server"})
_ABSOLUTE: Final = re.compile(rb"(?i)https?://([^/?#]*)(.*)", re.DOTALL)
_MARK: Final = re.compile(rb"(?:mark|innocent)\d+")


@dataclass(frozen=True, slots=True)
class Talk:
    """One client's connection. asked: what it sent, strictly read. closed: by the other side, before the client did.

    hung: neither an answer nor a close came. reset: the connection did not end in order.
    """

    asked: Stream
    sent: bytes
    received: bytes
    closed: bool
    hung: bool
    reset: bool
    innocent: bool = False

    @property
    def answers(self) -> Stream:
        methods = self.asked.methods
        got = strict.answers(self.received, methods, ended=not self.reset)
        if got.end is not End.CLEAN and got.messages and strict.closes(got.messages[-1]):
            # A refusal may come before the method was looked at, HEAD among them: nothing follows that it could harm.
            methods[len(got.messages) - 1 : len(got.messages)] = [b"GET"]
            got = strict.answers(self.received, methods, ended=not self.reset)
        return got


@dataclass(frozen=True, slots=True)
class Heard:
    """What came on one connection to the backend. open: it still is."""

    data: bytes
    open: bool


def judge(talks: Sequence[Talk], records: Sequence[Record], heard: Sequence[Heard]) -> list[str]:
    """Every promise broken, empty if none is."""
    wrong = [fault for connection in heard for fault in _read_differently(connection)]
    wrong += _altered(talks, records, heard)
    for talk in talks:
        wrong += _misanswered(talk, {record.number: record for record in records})
    return wrong


def _read_differently(connection: Heard) -> list[str]:
    """The backend's stream must be the same requests to all."""
    plain = strict.requests(connection.data)
    wrong = []
    if plain.end is End.MALFORMED:
        wrong.append(f"the backend was sent what is no HTTP: {connection.data!r}")
    if plain.end is not End.CLEAN and connection.open:
        wrong.append(f"a connection to the backend was left amid a request: {connection.data!r}")
    ways = [(reading, reading.read(connection.data)) for reading in READINGS]
    if any((seen.messages, seen.end) != (plain.messages, plain.end) for _, seen in ways):
        told = "".join(f"\n  {reading}: {seen.messages!r}, {seen.end.name}" for reading, seen in ways)
        wrong.append(f"{DIFFERENTLY} {connection.data!r}{told}")
    return wrong


def _altered(talks: Sequence[Talk], records: Sequence[Record], heard: Sequence[Heard]) -> list[str]:
    """Every request at the backend must be one that a client sent, whole, unaltered, once and in its turn."""
    wrong = []
    asked = [message for talk in talks for message in talk.asked.messages]
    begun = [*asked, *(talk.asked.partial for talk in talks if talk.asked.partial)]
    turn = 0
    for record in records:
        if not record.whole:
            continue
        while turn < len(asked) and differs(asked[turn], record.message):
            turn += 1
        if turn == len(asked):
            wrong.append(f"nobody sent {record.message!r}")
            break
        turn += 1
    for connection in heard:
        part = strict.requests(connection.data).partial
        if part and not any(differs(message, part, part=True) is None for message in begun):
            wrong.append(f"nobody began to send {part!r}")
    return wrong


def _misanswered(talk: Talk, records: dict[int, Record]) -> list[str]:
    """Every answer must be that to the request in whose turn it comes, the backend's or the gateway's own."""
    answers = talk.answers
    asked = talk.asked.messages
    wrong = []
    if talk.hung:
        wrong.append(f"no answer to {talk.sent!r}")
    if answers.end is End.MALFORMED:
        wrong.append(f"the client was sent what is no HTTP: {talk.received!r}")
    # What is no request may be answered too.
    most = len(asked) + (talk.asked.end is not End.CLEAN)
    if len(answers.messages) > most or (len(answers.messages) == most and answers.end is not End.CLEAN):
        wrong.append(f"{len(answers.messages)} answers to {len(asked)} requests: {talk.received!r}")
    for turn, answer in enumerate(answers.messages):
        number = answer.all(SERIAL.lower())
        request = asked[turn] if turn < len(asked) else None
        if not number:
            if (request is None or talk.innocent) and answer.start[1] < b"400":
                wrong.append(f"what is no request was answered {answer!r}")
            if talk.innocent:
                wrong.append(f"an innocent was answered {answer!r}")
            continue
        record = records.get(int(number[0]))
        if request is None and record and not record.whole:
            request = talk.asked.partial  # a backend may answer before it has seen it all
        if request is None or record is None or differs(request, record.message, part=not record.whole):
            wrong.append(f"request {turn}, {request!r}, got the answer to {record and record.message!r}")
        elif request.start[0] != b"HEAD" and answer.body != b"answer %d" % record.number:
            wrong.append(f"another body in {answer!r}")
    if len(answers.messages) < len(asked) and not talk.closed and not talk.hung:
        wrong.append(f"{len(answers.messages)} answers to {len(asked)} requests, and then nothing: {talk.received!r}")
    return wrong


def judge_answer(reply: Reply, talks: Sequence[Talk], records: Sequence[Record]) -> list[str]:
    """The same for an answer: one, whole and unaltered, or a failure that looks like one; nothing of it elsewhere."""
    first, *innocents = talks
    wrong = [fault for talk in innocents for fault in _misanswered(talk, {record.number: record for record in records})]
    wrong += [f"an innocent got {talk.received!r}" for talk in innocents if b"reply" in talk.received]
    answers = first.answers
    if first.hung or answers.end is End.MALFORMED or len(answers.messages) + (answers.end is End.INCOMPLETE) > 1:
        wrong.append(f"the answer reached the client as {first.received!r}, hung: {first.hung}")
    for got in answers.messages[:1]:
        if got.all(b"sunbeon-gate"):
            if got.start[1] not in {b"502", b"504"} or b"reply" in b"".join((*map(b"".join, got.headers), got.body)):
                wrong.append(f"the gateway said {first.received!r}")
            continue
        wrong += [f"{fault}, and it reached the client as {got!r}" for fault in _passed_on(reply, got)]
    return wrong


def _passed_on(reply: Reply, got: Message) -> list[str]:
    """What is wrong with a whole answer at the client."""
    ended = None in reply.writes
    given = strict.answers(reply.data, [reply.method], ended=ended)
    if not given.messages:
        given = strict.answers(reply.data, [reply.method], ended=ended, lax=True)
    if not given.messages:
        # A head that is odd but has one meaning may go through; half a body must not.
        return ["the answer was not whole"] if given.partial or given.end is End.INCOMPLETE else []
    whole = given.messages[0]
    free = FREE | whole.tokens(b"connection") | ADDED_TO_ANSWERS
    same = (whole.start[1], whole.body, _kept(whole, free)) == (got.start[1], got.body, _kept(got, free))
    return [] if same else ["the answer was altered"]


def differs(sent: Message, seen: Message, *, part: bool = False) -> str | None:
    """What of a request was altered on its way. part: its body need not be all there."""
    absolute = _ABSOLUTE.fullmatch(sent.start[1])
    host = absolute[1] if absolute else b"".join(sent.all(b"host"))
    target = (absolute[2] or b"/") if absolute else sent.start[1]
    if (sent.start[0], target) != seen.start[:2]:
        return "method or target"
    if seen.all(b"host") != [host]:
        return "host"
    free = FREE | sent.tokens(b"connection")
    if _kept(sent, free) != _kept(seen, free):
        return "headers"
    if not (sent.body.startswith(seen.body) if part else sent.body == seen.body):
        return "body"
    # Once more, relying on none of the above: no other request's mark is in it.
    return None if _marks(seen) <= _marks(sent) else "marks"


def _marks(message: Message) -> set[bytes]:
    texts = (*message.start, *(value for _, value in message.headers), message.body)
    return {mark for text in texts for mark in _MARK.findall(text)}


def _kept(message: Message, free: frozenset[bytes]) -> list[tuple[bytes, bytes]]:
    return [(name, value) for name, value in message.headers if not _is_free(name.lower().replace(b"_", b"-"), free)]


def _is_free(name: bytes, free: frozenset[bytes]) -> bool:
    return name in free or name.startswith(b"sunbeon-")
