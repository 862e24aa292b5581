"""What `sunbeon draw verify` reads: a draw's page from a file or an address, places from a CSV file. All bounded."""

import csv
import time
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import HTTPDefaultErrorHandler, HTTPErrorProcessor, HTTPHandler, HTTPSHandler, OpenerDirector

from gateway.draw_check import Page, Unreadable, read_page

PAGE_BYTES: Final = 64 * 1024
TIMEOUT_S: Final = 15.0
# The digits of a number that eight bytes hold for sure.
DIGITS: Final = 18


def load(source: str) -> Page:
    """The page in a file, or at an http(s) address. Raises `Unreadable`, `OSError`."""
    if "://" in source:
        text = _fetch(source)
    else:
        with Path(source).open("rb") as file:
            text = file.read(PAGE_BYTES + 1)
    if len(text) > PAGE_BYTES:
        raise Unreadable(f"{source}: too long for the page of a draw")
    return read_page(text, source)


def read_places(path: Path) -> Iterator[tuple[int, int]]:
    """(number, place) from the first two columns; a first line without digits is a heading. Raises `Unreadable`."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows, empty = csv.reader(file), True
        try:
            for row in rows:
                cells = [cell.strip() for cell in row[:2]]
                if not row or (rows.line_num == 1 and not any(map(str.isdigit, "".join(cells)))):
                    continue
                if len(cells) < 2 or not all(map(_is_positive, cells)):  # noqa: PLR2004 - number, place
                    raise Unreadable(f"{path}: line {rows.line_num}: not a number and a place")
                empty = False
                yield int(cells[0]), int(cells[1])
        except (csv.Error, UnicodeDecodeError) as error:
            raise Unreadable(f"{path}: line {rows.line_num}: {error}") from None
    if empty:
        raise Unreadable(f"{path}: no places in it")


def _is_positive(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= DIGITS and int(text) > 0


def _fetch(url: str) -> bytes:
    opener = OpenerDirector()
    # No others: not files, not ftp, and no redirection to who knows where.
    for handler in (HTTPHandler(), HTTPSHandler(), HTTPErrorProcessor(), HTTPDefaultErrorHandler()):
        opener.add_handler(handler)
    ends = time.monotonic() + TIMEOUT_S
    text = b""
    try:
        answer = opener.open(url, timeout=TIMEOUT_S)
        if answer is None:
            raise Unreadable(f"{url}: only http and https are asked")
        with answer:
            while len(text) <= PAGE_BYTES and (chunk := answer.read1(PAGE_BYTES)):
                text += chunk
                if time.monotonic() > ends:
                    raise Unreadable(f"{url}: took longer than {TIMEOUT_S:.0f} s")
    except HTTPError as error:
        error.close()
        raise Unreadable(f"{url}: answered {error.code}") from None
    except (HTTPException, OSError, ValueError) as error:
        raise Unreadable(f"{url}: {error}") from None
    return text
