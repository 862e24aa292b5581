"""A day in an address: written as we write it ourselves, and near enough to have a name in Korea's calendar."""

import re
from datetime import date
from typing import Final

from booking.errors import InvalidFields

_FORM: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
FIRST: Final = date(1900, 1, 1)
LAST: Final = date(2200, 12, 31)


def read_day(text: str) -> date:
    """`2021-07-20`, from `FIRST` to `LAST`. Raises `InvalidFields`."""
    try:
        day = date.fromisoformat(text) if _FORM.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None or not FIRST <= day <= LAST:
        raise InvalidFields({"day": "day_bad"})
    return day
