"""Every sentence a visitor may read (they are in `booking.words`), and how dates and times are written."""

from collections.abc import Mapping
from datetime import date
from typing import Final

from booking import schedule
from booking.settings import Language
from booking.words import booked, eligibility, frame, identify, places, problems

LANGUAGES: Final[tuple[Language, ...]] = ("ko", "en")

_WEEKDAYS_KO: Final = "월화수목금토일"
_WEEKDAYS_EN: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOON: Final = 12

PARTS: Final = (frame, eligibility, identify, places, booked, problems)
TEXTS: Final[Mapping[str, tuple[str, str]]] = {key: pair for part in PARTS for key, pair in part.TEXTS.items()}


def say(key: str, language: Language, **values: object) -> str:
    """The text in this language. Raises `KeyError` for a key there is not."""
    text = TEXTS[key][LANGUAGES.index(language)]
    return text.format(**values) if values else text


def say_day(moment_ms: int, language: Language) -> str:
    """`7월 19일(월)`, `Mon 19 Jul`."""
    day = schedule.in_korea(moment_ms)
    if language == "ko":
        return f"{day.month}월 {day.day}일({_WEEKDAYS_KO[day.weekday()]})"
    return f"{_WEEKDAYS_EN[day.weekday()]} {day.day} {_MONTHS_EN[day.month - 1]}"


def say_moment(moment_ms: int, language: Language, *, now_ms: int) -> str:
    """An hour as announced: `7월 19일(월) 22시`, `Mon 19 Jul, 22:00`; with the year if it is not this one."""
    moment = schedule.in_korea(moment_ms)
    day = say_day(moment_ms, language)
    is_this_year = moment.year == schedule.in_korea(now_ms).year
    if language == "ko":
        minutes = f" {moment.minute}분" if moment.minute or moment.second else ""
        seconds = f" {moment.second}초" if moment.second else ""
        return f"{'' if is_this_year else f'{moment.year}년 '}{day} {moment.hour}시{minutes}{seconds}"
    seconds = f":{moment.second:02}" if moment.second else ""
    return f"{day}{'' if is_this_year else f' {moment.year}'}, {moment.hour:02}:{moment.minute:02}{seconds}"


def say_date(day: date, language: Language) -> str:
    """`1968년 3월 2일`, `2 Mar 1968`."""
    if language == "ko":
        return f"{day.year}년 {day.month}월 {day.day}일"
    return f"{day.day} {_MONTHS_EN[day.month - 1]} {day.year}"


def say_time(moment_ms: int, language: Language) -> str:
    """`오후 8:00`, `8:00 pm`."""
    moment = schedule.in_korea(moment_ms)
    clock = f"{(moment.hour - 1) % _NOON + 1}:{moment.minute:02}"
    if language == "ko":
        return f"{'오전' if moment.hour < _NOON else '오후'} {clock}"
    return f"{clock} {'am' if moment.hour < _NOON else 'pm'}"


def pick_language(wanted: str | None, accept: str, default: Language) -> Language:
    """The language asked for by the switch, else the browser's first choice of ours (RFC 9110, 12.5.4)."""
    for language in LANGUAGES:
        if wanted == language:
            return language
    best: tuple[float, Language] | None = None
    for part in accept.split(","):
        tag, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        for language in LANGUAGES:
            if tag.lower().split("-")[0] == language and quality > 0 and (best is None or quality > best[0]):
                best = (quality, language)
    return best[1] if best else default


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
