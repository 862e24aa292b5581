"""A birth date as people type it."""

import re
import unicodedata
from datetime import date
from typing import Final, Literal

OLDEST_YEARS: Final = 150

_AS_TYPED: Final = re.compile(
    r"([0-9]{4})(?:(?=[0-9]{4}$)|[^0-9]{1,2})([0-9]{1,2})(?:(?=[0-9]{2}$)|[^0-9]{1,2})([0-9]{1,2})[^0-9]?"
)
_ISO: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class BadBirthDate(ValueError):
    """kind: nothing was typed, it is no date, or one on which nobody who books can have been born."""

    def __init__(self, kind: Literal["missing", "bad", "range"]) -> None:
        self.kind = kind
        # Not what was typed: that must not get into a log by way of an error.
        super().__init__(kind)


def iso_date(typed: str) -> str:
    """`19680302`, `1968.3.2`, `1968. 03. 02.`, `1968년 3월 2일` as `1968-03-02`; anything else as it is."""
    match = _AS_TYPED.fullmatch(unicodedata.normalize("NFKC", typed).strip())
    return "-".join(part.zfill(2) for part in match.groups()) if match else typed


def read_birth_date(typed: str, *, today: date) -> date:
    """The date that was typed: a day there is, not in the future nor over 150 years ago. Raises `BadBirthDate`."""
    text = iso_date(typed.strip())
    if not text:
        raise BadBirthDate("missing")
    if not _ISO.fullmatch(text):
        raise BadBirthDate("bad")
    try:
        birth = date.fromisoformat(text)
    except ValueError:
        raise BadBirthDate("bad") from None
    if birth > today or birth.year < today.year - OLDEST_YEARS:
        raise BadBirthDate("range")
    return birth
