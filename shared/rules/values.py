"""Single values of a calendar file. Each reader returns the value or raises `Wrong`."""

import re
from datetime import date, datetime
from typing import Any, Final

from shared.rules.births import aged, intersect, union
from shared.rules.model import AttributeValue, Text
from shared.rules.table import Wrong

Span = tuple[date, date]

OLDEST: Final = 150
_YEARS: Final = range(1800, 2201)
# Ids are kept with bookings as `id/version` and typed by operators.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,59}")


def text(value: Any) -> Text:
    table = _table(value, "ko", "en", form='{ ko = "...", en = "..." }')
    for language in ("ko", "en"):
        if language not in table:
            raise Wrong("missing", f"{language} is missing: everything is said in Korean and in English")
        if not isinstance(table[language], str) or not table[language].strip():
            raise Wrong("type", f"{language} must be a text", (language,))
    return Text(table["ko"].strip(), table["en"].strip())


def identifier(value: Any) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Wrong("type", "must be a short text of letters, digits, and - . _")
    return value


def zone_name(value: Any) -> str:
    if not isinstance(value, str):
        raise Wrong("type", 'must be the name of a time zone, like "Asia/Seoul"')
    return value


def version(value: Any) -> int:
    if not _is_int(value) or value < 1:
        raise Wrong("type", "must be a whole number from 1")
    return int(value)


def ids(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise Wrong("type", 'must be a list of ids, like ["53-54"]')
    for position, item in enumerate(value):
        if not isinstance(item, str):
            raise Wrong("type", f"{item!r} is not an id", (position,))
        if item in value[:position]:
            raise Wrong("duplicate", f'"{item}" is named twice', (position,))
    return tuple(value)


def moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise Wrong("type", "must be a date with a time, like 2021-07-19T22:00:00")
    return value


def birth_years(value: Any) -> tuple[Span, ...]:
    """`[1967, 1968]` or `{ from = 1967, to = 1968 }`, both ends included, either may be left out."""
    if isinstance(value, dict):
        table = _table(value, "from", "to", form="{ from = 1967, to = 1968 }")
        for key in table:
            _year(table[key], (key,))
        if not table:
            raise Wrong("missing", "from or to is missing")
        if table.get("from", _YEARS.start) > table.get("to", _YEARS.stop):
            raise Wrong("reversed", f"from {table['from']} is after to {table['to']}")
        first = date(table["from"], 1, 1) if "from" in table else date.min
        return ((first, date(table["to"] + 1, 1, 1) if "to" in table else date.max),)
    if not isinstance(value, list) or not value:
        raise Wrong("type", "must be a list of years, or { from = 1967, to = 1968 }")
    for position, item in enumerate(value):
        _year(item, (position,))
        if item in value[:position]:
            raise Wrong("duplicate", f"{item} is named twice", (position,))
    return union((date(year, 1, 1), date(year + 1, 1, 1)) for year in value)


def born(value: Any) -> tuple[Span, ...]:
    """`{ from = 1967-03-01, before = 1968-03-01 }` or a list of such; `before` is not included."""
    items = value if isinstance(value, list) else [value]
    if not items:
        raise Wrong("type", "must be { from = 1967-03-01, before = 1968-03-01 }, or a list of such")
    spans: list[Span] = []
    for position, item in enumerate(items):
        try:
            span = _dates(item)
        except Wrong as wrong:
            raise wrong.under(position) if isinstance(value, list) else wrong from None
        if intersect([span], spans):
            raise Wrong("duplicate", "has dates that are in an earlier range too", (position,))
        spans.append(span)
    return union(spans)


def age(value: Any) -> tuple[Span, ...]:
    """`{ on = 2021-12-31, from = 50, to = 54 }`: in whole years, both ends included, either may be left out."""
    table = _table(value, "on", "from", "to", form="{ on = 2021-12-31, from = 50, to = 54 }")
    if "on" not in table or not {"from", "to"} & set(table):
        raise Wrong("missing", "on is missing" if "on" not in table else "from or to is missing")
    _day(table["on"], ("on",))
    for key in ("from", "to"):
        years = table.get(key, 0)
        if not _is_int(years) or not 0 <= years <= OLDEST:
            raise Wrong("type", f"{key} must be a number of years from 0 to {OLDEST}", (key,))
    if table.get("from", 0) > table.get("to", OLDEST):
        raise Wrong("reversed", f"from {table['from']} is after to {table['to']}")
    return (aged(table["on"], table.get("from", 0), table.get("to")),)


def digits(value: Any) -> frozenset[int]:
    if not isinstance(value, list) or not value:
        raise Wrong("type", "must be a list of digits, like [1, 6]")
    for position, item in enumerate(value):
        if not _is_int(item) or item not in range(10):
            raise Wrong("type", f"{item!r} is not a digit", (position,))
        if item in value[:position]:
            raise Wrong("duplicate", f"{item} is named twice", (position,))
    return frozenset(value)


def attributes(value: Any) -> tuple[tuple[str, tuple[AttributeValue, ...]], ...]:
    """`{ health_worker = true, region = ["seoul", "busan"] }`: of each, one of the values."""
    if not isinstance(value, dict) or not value:
        raise Wrong("type", "must be a table, like { health_worker = true }")
    found = []
    for name, wanted in value.items():
        values = wanted if isinstance(wanted, list) else [wanted]
        if not values or not all(isinstance(item, str | bool | int) for item in values):
            raise Wrong("type", "must be a text, a whole number, true or false, or a list of such", (name,))
        found.append((name, tuple(values)))
    return tuple(found)


def _table(value: Any, *keys: str, form: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Wrong("type", f"must be {form}")
    for key in value:
        if key not in keys:
            raise Wrong("unknown", f"{key} is not known here; known: {', '.join(keys)}", (key,))
    return value


def _dates(value: Any) -> Span:
    table = _table(value, "from", "before", form="{ from = 1967-03-01, before = 1968-03-01 }")
    if not table:
        raise Wrong("missing", "from or before is missing")
    for key in table:
        _day(table[key], (key,))
    first, before = table.get("from", date.min), table.get("before", date.max)
    if first >= before:
        raise Wrong("reversed" if first > before else "empty", f"no date is from {first} and before {before}")
    return first, before


def _day(value: Any, within: tuple[str, ...]) -> None:
    if not isinstance(value, date) or isinstance(value, datetime):
        raise Wrong("type", f"{within[0]} must be a date, like 1967-03-01", within)
    _year(value.year, within)


def _year(value: Any, within: tuple[str | int, ...]) -> None:
    if not _is_int(value) or value not in _YEARS:
        raise Wrong("type", f"{value!r} is not a year from {_YEARS.start} to {_YEARS.stop - 1}", within)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
