"""Plain heads: those in which no two readers can see two things, read in a few microseconds.

What browsers send of the requests that come by the million is always of one form: `GET`, HTTP/1.1, one `Host`, no
body, every line a name of letters, digits and hyphens, `: `, and visible ASCII. Such a head ends where
it seems to, and nothing of the next request can hide in it: no length, no transfer coding, no upgrade, no expectation,
no folded line, no control character, no second empty line. Whatever is not so is not refused, only not read here: it
goes the ordinary way through `framing` and llhttp, which have seen not a byte of the plain heads before it, as each is
handed nothing but whole heads. What is plain is, by test, a part of what those two accept, with the same meaning.

Pure, but for a memory of lines and names: browsers are of few kinds, and the same lines come again and again.
"""

import re
from itertools import filterfalse, islice
from typing import Final, NamedTuple

from gateway.edge.framing import Limits

_END: Final = b"\r\n"
_LINE: Final = re.compile(rb"([A-Za-z0-9-]+): ([!-~](?:[ -~]*[!-~])?)")
_VISIBLE: Final = bytes(range(0x20, 0x7F))
_BLANK: Final = 0x20
# Visible ASCII without a fragment.
_TARGET: Final = re.compile(rb"GET (/[!\"$-~]*) HTTP/1\.1")
_HOST: Final = re.compile(rb"(?i:host): [A-Za-z0-9.-]+(?::[0-9]{1,5})?")
# The request line, the host, and the two that end a head.
_FEWEST: Final = 4

# They say how long a request is or what becomes of the connection: the ordinary way's to judge.
_FRAMING: Final = frozenset(
    {
        b"content-length", b"transfer-encoding", b"te", b"trailer", b"upgrade", b"expect", b"host", b"connection",
        b"proxy-connection", b"keep-alive", b"http2-settings", b"max-forwards",
    }
)  # fmt: skip
_KEEPS: Final = b"connection: keep-alive"

# The lines remembered are those that say nothing of a person.
_COMMON: Final = (
    b"accept", b"sec-", b"user-agent:", b"cache-control:", b"pragma:", b"dnt:", b"upgrade-insecure-requests:",
    b"priority:", b"connection:",
)  # fmt: skip
_REMEMBERED: Final = 4_096
_LONGEST_REMEMBERED: Final = 400


class PlainHead(NamedTuple):
    """lines: without their ends; the request line, which is the caller's to judge, then headers, one `Host` among them.

    own: those headers that not every other browser sends too; `Cookie` is always among them.
    """

    lines: list[bytes]
    own: list[bytes]

    @property
    def target(self) -> bytes | None:
        """What is asked for by GET; None if there is anything unusual about that."""
        found = _TARGET.fullmatch(self.lines[0])
        return found[1] if found is not None else None

    def get(self, name: bytes) -> str | None:
        """The first header of this name in lower case."""
        begins = name + b": "
        size = len(begins)
        return next((line[size:].decode() for line in self.lines if line[:size].lower() == begins), None)


def read_plain(data: bytes, limits: Limits) -> PlainHead | None:
    """The head that `data` is, if it is a plain one and nothing follows it; else None."""
    lines = data.split(_END)
    count = len(lines)
    if count < _FEWEST or lines[-1] or lines[-2] or len(data) > limits.header_bytes or count - 3 > limits.headers:
        return None
    del lines[-2:]
    # To ask for all of them, and find nearly all known, takes less than to look at one.
    unknown = list(filterfalse(_known.__contains__, lines))
    if not unknown or unknown[0] is not lines[0]:
        return None
    hosts = 0
    own = []
    for line in islice(unknown, 1, None):
        begins = line[: line.find(b" ") + 1]
        if begins in _names:
            # As `_LINE` has it, but for what is found out of all together.
            if line[-1] == _BLANK or line[len(begins)] == _BLANK:
                return None
            own.append(line)
        elif line in _hosts or _is_host(line):
            hosts += 1
        elif _is_plain(line):
            own.append(line)
        else:
            return None
    return PlainHead(lines, own) if hosts == 1 and not b"".join(own).translate(None, _VISIBLE) else None


# Lines found to be plain.
_known: set[bytes] = set()
_hosts: set[bytes] = set()
# How headers begin that may say anything, name, colon and blank, as they are spelled: `Cookie: ` is one.
_names: set[bytes] = set()


def _is_host(line: bytes) -> bool:
    plain = _HOST.fullmatch(line) is not None
    if plain:
        _remember(_hosts, line)
    return plain


def _is_plain(line: bytes) -> bool:
    found = _LINE.fullmatch(line)
    if found is None:
        return False
    lowered = line.lower()
    if found[1].lower() in _FRAMING and lowered != _KEEPS:
        return False
    if lowered.startswith(_COMMON):
        _remember(_known, line)
    else:
        _remember(_names, found[1] + b": ")
    return True


def _remember(known: set[bytes], line: bytes) -> None:
    if len(line) <= _LONGEST_REMEMBERED:
        if len(known) >= _REMEMBERED:
            known.clear()
        known.add(line)
