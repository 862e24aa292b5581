"""The invented people of all tests, and a look for what must never be found of them in a log."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus

NAMES: Final = ("홍길동", "홍 길동", "김순자", "이하늘", "김철수", "Kim Minji")
BIRTH_DATES: Final = ("1968-03-02", "1967-05-14", "1995-11-30", "1970-02-28")
PHONES: Final = ("010-1234-5678", "010-8765-4321", "010-2468-1357", "010-1357-2468")

# Crowds: names with a number, and phone numbers of one block.
_CROWD: Final = (r"시험[0-9]{4}", r"0109000[0-9]{4}")


def _spellings(text: str) -> set[str]:
    escaped = text.encode("ascii", "backslashreplace").decode()
    return {text, quote(text), quote_plus(text), escaped, repr(text.encode())[2:-1], text.casefold()}


def _patterns() -> list[str]:
    texts = set[str]()
    for name in NAMES:
        texts |= _spellings(name)
    for birth_date in BIRTH_DATES:
        texts |= {birth_date.replace("-", between) for between in ("-", "", ".", "/", ". ", "%2F")}
    for phone in PHONES:
        texts |= {phone.replace("-", between) for between in ("-", "", ".", " ", "+", "%20")}
        texts.add(f"82{phone[1:].replace('-', '')}")
    return [*map(re.escape, sorted(texts)), *_CROWD]


_TRACE: Final = re.compile("|".join(_patterns()))


def traces(text: str) -> list[str]:
    """Every trace of a person in a log's text."""
    return _TRACE.findall(text)


def traces_in_files(folder: Path, *patterns: str) -> dict[str, list[str]]:
    """File -> traces, of the files below `folder` that match one of these globs and have any."""
    files = {path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()}
    found = {str(path): traces(path.read_text(encoding="utf-8", errors="backslashreplace")) for path in sorted(files)}
    return {path: seen for path, seen in found.items() if seen}
