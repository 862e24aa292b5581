"""Compare what came out with what a case expects."""

import re
from collections.abc import Sequence
from typing import Final

from gateway.tests.http.case import Answer, Case, Expect, Seen
from gateway.tests.http.play import SWITCHED, Outcome
from gateway.tests.http.wire import Message

# Of this hop: a case that is about them looks at them by `framing`, `absent` or `head`.
FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
ADDED_TO_ANSWERS: Final = FRAMING | {b"connection", b"upgrade", b"date"}
ADDED_TO_REQUESTS: Final = FRAMING | {
    b"connection",
    b"upgrade",
    b"host",
    b"sunbeon-pass",
    b"via",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"x-forwarded-proto",
    b"x-request-id",
}


def judge(case: Case, outcome: Outcome) -> list[str]:
    """Everything that is not as expected, by the likeliest of the expectations; empty if it is as one of them."""
    found = min((_compare(case, each, outcome) for each in case.expected), key=len)
    if not outcome.alive:
        found.append("afterwards the gateway does not serve")
    return found


def _compare(case: Case, expect: Expect, outcome: Outcome) -> list[str]:
    wrong: list[str] = []
    if len(outcome.answers) != len(expect.answers):
        wrong.append(f"{len(outcome.answers)} answers, not {len(expect.answers)}: {_starts(outcome.answers)}")
    for answer, interim, message in zip(expect.answers, outcome.interim, outcome.answers, strict=False):
        wrong += _answer(answer, interim, message)
    if expect.then not in {None, outcome.then}:
        wrong.append(f"the client's connection is {outcome.then}, not {expect.then}")
    if expect.then == "closed" and not case.old and not _is_told(outcome):
        wrong.append("the connection ends, and the answer does not say so")
    if outcome.switched and any(message.wire.end is None for message in outcome.seen):
        wrong.append("the client has gone, and the backend's end of the tunnel is open")
    if outcome.tunnel != expect.tunnel:
        wrong.append(f"after the answers came {outcome.tunnel[:200]!r}")
    if expect.again not in {None, outcome.again}:
        wrong.append(f"the backend's connection is{'' if outcome.again else ' not'} used again")
    if expect.seen is not None:
        if len(outcome.seen) != len(expect.seen):
            wrong.append(
                f"{len(outcome.seen)} requests at the backend, not {len(expect.seen)}: {_starts(outcome.seen)}"
            )
        for seen, message in zip(expect.seen, outcome.seen, strict=False):
            wrong += _seen(seen, message)
        if all(seen.whole for seen in expect.seen) and outcome.back != expect.back:
            wrong.append(f"beside requests, the backend got {outcome.back[:200]!r}")
    return wrong


def _is_told(outcome: Outcome) -> bool:
    """Whether the last answer says that the connection ends with it (RFC 9112, 9.6).

    One that is cut off itself need not, nor one that came before its request was whole: then nobody knew.
    """
    if not outcome.answers or outcome.switched or not all(message.whole for message in outcome.seen):
        return True
    last = outcome.answers[-1]
    return not last.whole or b"close" in [value.lower() for value in last.all(b"Connection")]


def _starts(messages: Sequence[Message]) -> list[bytes]:
    return [message.start[:100] for message in messages]


def _answer(expect: Answer, interim: tuple[bytes, ...], message: Message) -> list[str]:
    wrong = []
    if message.status not in ((expect.status,) if isinstance(expect.status, int) else expect.status):
        wrong.append(f"status {message.status}, not {expect.status}")
    if interim != expect.interim:
        wrong.append(f"interim answers {interim}, not {expect.interim}")
    wrong += _switching(message, wanted=message.status == SWITCHED)
    return wrong + _message(expect, message, ADDED_TO_ANSWERS)


def _seen(expect: Seen, message: Message) -> list[str]:
    wrong = []
    if expect.head is not None and not re.fullmatch(expect.head, message.head):
        wrong.append(f"head {message.head!r}")
    if not message.whole and message.wire.end is None:
        wrong.append("a request that broke is still open at the backend")
    wrong += _switching(message, wanted=expect.upgrade)
    if not expect.upgrade and message.all(b"Connection"):
        wrong.append(f"Connection: {message.all(b'Connection')}")
    return wrong + _message(expect, message, ADDED_TO_REQUESTS)


def _switching(message: Message, *, wanted: bool) -> list[str]:
    """Whether it says what it must of a switch to WebSocket, and otherwise nothing."""
    upgrade = [value.lower() for value in message.all(b"Upgrade")]
    connection = [value.lower() for value in message.all(b"Connection")]
    if upgrade != [b"websocket"] * wanted or (wanted and connection != [b"upgrade"]):
        return [f"Upgrade: {upgrade}, Connection: {connection}"]
    return []


def _message(expect: Answer | Seen, message: Message, added: frozenset[bytes]) -> list[str]:
    wrong = []
    if expect.start not in {None, message.start}:
        wrong.append(f"it begins {message.start[:200]!r}")
    if expect.lines is not None:
        wanted = {_name(line) for line in expect.lines}
        lines = tuple(line for line in message.lines if _name(line) not in added - wanted)
        if lines != expect.lines:
            wrong.append(f"headers {b'; '.join(lines)[:600]!r}")
    if expect.framing not in {None, message.framing}:
        wrong.append(f"framing {message.framing!r}")
    if expect.body not in {None, message.body}:
        wrong.append(f"body {message.body[:200]!r}")
    wrong += [f"{name.decode()} came: {message.all(name)}" for name in expect.absent if message.all(name)]
    if message.extra:
        wrong.append(f"extensions or trailers {message.extra!r}")
    if expect.whole not in {None, message.whole}:
        wrong.append("it came whole" if message.whole else "it did not come whole")
    return wrong


def _name(line: bytes) -> bytes:
    return line.partition(b":")[0].lower()
