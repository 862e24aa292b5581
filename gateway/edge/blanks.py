"""Blanks in a page, for what is told to its reader alone. Pure, but for a secret: nobody else can write one.

A word's stands in text or in an attribute. That of a value in a page's data stands where JSON has a string, and takes
the quotes with it.
"""

import re
import secrets
from typing import Final

_SECRET: Final = secrets.token_hex(8)
_BLANK: Final = re.compile(rf'"(data\.[a-z_]+)\.{_SECRET}"|(word\.[a-z_]+)\.{_SECRET}'.encode())


def word_blank(name: str) -> str:
    return f"word.{name}.{_SECRET}"


def data_blank(name: str) -> str:
    return f"data.{name}.{_SECRET}"


def parted(page: bytes) -> tuple[list[bytes], list[str]]:
    """What lies before, between and behind the blanks, and what they are for: `word.NAME`, `data.NAME`."""
    between, names, done = [], [], 0
    for blank in _BLANK.finditer(page):
        between.append(page[done : blank.start()])
        names.append((blank[1] or blank[2]).decode())
        done = blank.end()
    return [*between, page[done:]], names
