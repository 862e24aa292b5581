"""A page with blanks (`blanks`): rendered and compressed once for all who are told the same, filled for each of them.

Pure, but for the date of an answer.
"""

import zlib
from collections.abc import Mapping
from operator import itemgetter
from typing import Final, NamedTuple

from aiohttp import web
from aiohttp.helpers import rfc822_formatted_time

from gateway.edge import answers
from gateway.edge.blanks import data_blank, parted
from gateway.edge.splice import Splicer, gzip_member, stored

# What lies between two blanks is compressed if it is longer; else that saves nothing.
_SHORT: Final = 400


class _Fixed(NamedTuple):
    """The same for all. block: the text, compressed."""

    text: bytes
    block: bytes


class _Open:
    """Blanks, and what little lies between them."""

    def __init__(self, form: bytes, names: list[str]) -> None:
        """form: with `%b` for each blank. names: theirs, in their order."""
        self._form = form
        self._pick = itemgetter(*names)

    def filled(self, values: Mapping[str, bytes]) -> bytes:
        filled: bytes = self._form % self._pick(values)
        return filled


class PageForm:
    """Of an answer with a page, and with one cookie, whose value is `data_blank("ticket")`.

    blanks: the names of the page's, as `values` has them: `data.NAME`, `word.NAME`.
    """

    def __init__(self, page: web.Response, splicer: Splicer | None) -> None:
        """page: uncompressed, with text before its first blank. splicer: compresses it; None: it stays as it is."""
        body = page.body
        assert isinstance(body, bytes)  # noqa: S101 - as `answers.page` makes it
        if splicer is not None:
            page.headers["Content-Encoding"] = "gzip"
        head = answers.head_of(page).replace("%", "%%").replace(data_blank("ticket"), "%s")
        self._head = head + "Content-Length: %d\r\nDate: %s\r\n\r\n"
        between, self.blanks = parted(body)
        self._gzip = splicer is not None
        self._first, self._more = between[0], _pieces(between[1:], self.blanks, splicer)
        self._first_block = b"" if splicer is None else splicer.deflated(self._first)
        self._first_crc = zlib.crc32(self._first)

    def filled(self, values: Mapping[str, bytes], ticket: str) -> bytes:
        """The whole answer. values: by name, as they are to stand in the page. ticket: the cookie's."""
        texts = [piece.text if isinstance(piece, _Fixed) else piece.filled(values) for piece in self._more]
        if self._gzip:
            crc, size = self._first_crc, len(self._first)
            blocks = [self._first_block]
            for piece, text in zip(self._more, texts, strict=True):
                crc = zlib.crc32(text, crc)
                size += len(text)
                blocks.append(piece.block if isinstance(piece, _Fixed) else stored(text))
            body = gzip_member(blocks, crc, size)
        else:
            body = b"".join((self._first, *texts))
        return (self._head % (ticket, len(body), rfc822_formatted_time())).encode() + body


def _pieces(between: list[bytes], names: list[str], splicer: Splicer | None) -> list[_Fixed | _Open]:
    """between: from behind the first blank on."""
    pieces: list[_Fixed | _Open] = []
    form, held = b"", []
    for name, text in zip(names, between, strict=True):
        form += b"%b"
        held.append(name)
        if splicer is None or len(text) <= _SHORT:
            form += text.replace(b"%", b"%%")
        else:
            pieces += _Open(form, held), _Fixed(text, splicer.deflated(text))
            form, held = b"", []
    return [*pieces, _Open(form, held)] if held else pieces
