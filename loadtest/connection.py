"""One connection to a gateway: one request at a time, its answer read by llhttp. Needs no task and no timer of its own.

This leans on aiohttp's parser, which is pinned (see `gateway.edge.proxy.connection`, which does so for other ends).
"""

import asyncio
import re
import zlib
from typing import Final

from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_parser import HttpResponseParser, RawResponseMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

MOST_LINE_BYTES: Final = 16 * 1024
# Of a body, as it comes and as it was before it was coded.
MOST_BODY_BYTES: Final = 64 * 1024 * 1024

_SWITCHED: Final = 101
_FINAL: Final = 200
# gzip or zlib, whichever it turns out to be.
_ANY_DEFLATE: Final = 47
_PIECE_BYTES: Final = 12 * 1024


class NoAnswer(Exception):
    """A request was not answered. So is one that ended with `TimeoutError`."""


class Refused(NoAnswer):
    """There was no connection: nothing was sent."""


class Cut(NoAnswer):
    """The connection ended before the answer did."""


class BadAnswer(NoAnswer):
    """What came was no answer of HTTP, or more than one."""


# A head, and the body as it was sent.
Reply = tuple[RawResponseMessage, bytes]


def decoded(raw: bytes, coding: str, until: re.Pattern[bytes] | None = None) -> bytes:
    """A body as it was before it was coded, or as much of it as has `until` in it. Raises `BadAnswer`."""
    if not raw or coding in {"", "identity"}:
        return raw
    if coding not in {"gzip", "deflate"}:
        raise BadAnswer(f"a coding that was not asked for: {coding}")
    unpacker, body, left = zlib.decompressobj(_ANY_DEFLATE), b"", raw
    try:
        while left and len(body) < MOST_BODY_BYTES and (until is None or not until.search(body)):
            body += unpacker.decompress(left, _PIECE_BYTES)
            left = unpacker.unconsumed_tail
    except zlib.error as error:
        raise BadAnswer(f"a coded body: {error}") from None
    return body


class Connection(BaseProtocol):
    """used_s: when its last answer was there, for those who keep it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.used_s = 0.0
        self._kept = True
        self._early = b""
        self._waiting: asyncio.Future[Reply] | None = None
        self._head: RawResponseMessage | None = None
        self._body: StreamReader = EMPTY_PAYLOAD

    @property
    def fit(self) -> bool:
        """Whether it may carry one request more."""
        return self._kept and self._waiting is None and self.transport is not None and not self.transport.is_closing()

    def send(self, request: bytes, *, bodiless: bool = False) -> "asyncio.Future[Reply]":
        """The answer to come, or `NoAnswer`. bodiless: it is to HEAD."""
        waiting = self._waiting = self._loop.create_future()
        self._head = None
        self._parser = HttpResponseParser(
            self,
            self._loop,
            MOST_BODY_BYTES,
            max_line_size=MOST_LINE_BYTES,
            max_field_size=MOST_LINE_BYTES,
            response_with_body=not bodiless,
            read_until_eof=True,
            auto_decompress=False,
        )
        if self.transport is not None:
            self.transport.write(request)
        if self._early:
            early, self._early = self._early, b""
            self.data_received(early)
        if self.transport is None and self._waiting is waiting:
            self._fail(Cut())
        return waiting

    def hang_up(self) -> None:
        """Now, whatever is under way; nobody waits for it any more."""
        self._kept = False
        self._waiting = None
        if self.transport is not None:
            self.transport.abort()

    # What a body calls when it is long, or taken: bodies are held whole, and reading never pauses.

    def pause_reading(self) -> None:
        pass

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's
        pass

    # What the event loop calls.

    def data_received(self, data: bytes) -> None:
        if self._waiting is None or self._parser is None:
            if self.used_s:
                self.hang_up()  # nobody asked: taken for the next answer, it would reach another visitor
            else:
                self._early += data  # who is turned away at the door is told so before saying a word
            return
        try:
            messages, switched, _ = self._parser.feed_data(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer has no meaning
            self._fail(BadAnswer(str(error)))
            return
        for head, body in messages:
            if self._head is not None:
                self._fail(BadAnswer("two answers to one request"))
                return
            # 100 and 103 come before the answer.
            if head.code >= _FINAL or head.code == _SWITCHED:
                self._head, self._body = head, body
        if self._head is not None and (switched or self._body.is_eof()):
            self._done(last=switched or self._head.should_close)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(None)
        if self._waiting is None or self._parser is None:
            return
        # An end, where the answer ends with the connection; else half an answer.
        if self._head is not None and exc is None:
            try:
                self._parser.feed_eof()
            except Exception:  # noqa: BLE001 - the parser's word for the latter
                self._fail(Cut())
                return
            if self._body.is_eof():
                self._done(last=True)
                return
        self._fail(Cut())

    def _done(self, *, last: bool) -> None:
        waiting, head, self._waiting = self._waiting, self._head, None
        self._kept = not last
        self.used_s = self._loop.time()
        if waiting is not None and head is not None and not waiting.done():
            waiting.set_result((head, self._body.read_nowait()))
        # Both know this connection: without them nothing is left for the garbage collector.
        self._parser, self._body = None, EMPTY_PAYLOAD

    def _fail(self, why: NoAnswer) -> None:
        waiting = self._waiting
        self.hang_up()
        if waiting is not None and not waiting.done():
            waiting.set_exception(why)
