"""What is thought of the head of an answer, worked out once.

A backend that is asked the same by thousands says the same to all of them, but for the date, in each second. Whether a
head is sound, how long its body is, which lines of it go on: all of that is a pure function of the head, and remembered
by exactly that, whole. Another byte is another head. What carries somebody's cookie is not remembered.
"""

from typing import Final, NamedTuple

from aiohttp.http_parser import RawResponseMessage

from gateway.edge.proxy.answer import check, is_event_stream
from gateway.edge.proxy.errors import BackendError
from gateway.edge.proxy.headers import DATE, SET_COOKIE, answer_head, shape_of

# How many are remembered, and of how many bytes at most.
MOST: Final = 1_024
LONGEST: Final = 2_048

_Exactly = tuple[tuple[int, int], int, str, tuple[tuple[bytes, bytes], ...]]


class Known(NamedTuple):
    """sound: it may be passed on. endless: its body has no end of its own. length: of the body, None if not stated.

    head: the head that goes on (`answer_head`); None: to be written anew each time, as a date of ours is in it.
    """

    sound: bool
    endless: bool
    length: int | None
    head: bytes | None


def known(message: RawResponseMessage) -> Known:
    """What to think of it."""
    exactly: _Exactly = (message.version, message.code, message.reason, message.raw_headers)
    found = _known.get(exactly)
    if found is None:
        found = _judge(message)
        kinds = shape_of(message.raw_headers).kinds
        size = sum(len(name) + len(value) for name, value in message.raw_headers) + len(message.reason)
        if size <= LONGEST and SET_COOKIE not in kinds:
            if len(_known) >= MOST:
                _known.clear()
            _known[exactly] = found
    return found


def _judge(message: RawResponseMessage) -> Known:
    headers = message.raw_headers
    try:
        check(message)
    except BackendError:
        return Known(sound=False, endless=False, length=None, head=None)
    stated = message.headers.get("Content-Length")
    dated = DATE in shape_of(headers).kinds
    return Known(
        sound=True,
        endless=is_event_stream(headers),
        length=None if stated is None else int(stated),
        head=answer_head(message.code, message.reason, headers) if dated else None,
    )


_known: Final[dict[_Exactly, Known]] = {}
