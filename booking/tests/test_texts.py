"""Every text exists in both languages, and every one is used."""

import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path

import pytest

import booking
from booking import codes, errors, texts
from booking.identity.base import Light
from booking.routes.problems import STATUS
from booking.schedule import to_ms
from booking.settings import Identity
from booking.tests.conftest import START_MS
from shared.rules.model import Kind
from shared.wire import How

PACKAGE = Path(booking.__file__).parent
MADE: dict[str, Iterable[str]] = {
    "verdict_": list(Kind),
    "light_": list(Light),
    "how_": list(How),
    "method_": list(Identity.model_fields.keys() & {"carrier", "certificate"}),
    "": ["ended_note", "left_wait_note"],
}


@pytest.mark.parametrize(("key", "pair"), texts.TEXTS.items())
def test_both_languages_say_it_with_the_same_parts(key, pair):
    korean, english = pair
    assert sorted(re.findall(r"\{\w+\}", korean)) == sorted(re.findall(r"\{\w+\}", english)), key
    assert key == "switch_language" or re.search("[가-힣]", korean)
    assert key == "switch_language" or not re.search("[가-힣]", english)


def test_no_key_is_in_two_parts():
    keys = [key for part in texts.PARTS for key in part.TEXTS]
    assert len(keys) == len(set(keys))


def test_every_text_is_used():
    folders = ("templates/*", "*.py", "routes/**/*.py", "identity/*.py", "store/**/*.py")
    sources = [path for folder in folders for path in PACKAGE.glob(folder) if path.is_file()]
    used = "\n".join(path.read_text() for path in sources)
    # Put together from a word and what it is about: `"how_" ~ card.how.value`.
    made = {f"{start}{end}" for start, ends in MADE.items() for end in ends}
    unused = {key for key in texts.TEXTS if key not in made and f'"{key.removesuffix("_do")}"' not in used}
    assert unused == set()
    assert made <= texts.TEXTS.keys()


def all_errors(kind=errors.BookingError):
    return [kind, *(found for each in kind.__subclasses__() for found in all_errors(each))]


@pytest.mark.parametrize("error", all_errors(), ids=lambda error: error.__name__)
def test_every_error_has_a_status_and_says_what_to_do(error):
    assert error in STATUS or error is errors.BookingError
    for language in texts.LANGUAGES:
        assert texts.say(error.code, language)
        assert texts.say(f"{error.code}_do", language)


@pytest.mark.parametrize(
    ("wanted", "accept", "language"),
    [
        (None, "ko-KR,ko;q=0.9,en-US;q=0.8", "ko"),
        (None, "en-GB, ko;q=0.3", "en"),
        (None, "fr, en;q=0.2, ko;q=0.9", "ko"),
        (None, "ko;q=0, en;q=0.1", "en"),
        (None, "fr", "ko"),
        (None, "", "ko"),
        (None, ";q=x,,en;q=oops", "ko"),
        ("en", "ko", "en"),
        ("fr", "en", "en"),
    ],
)
def test_the_language_is_the_switchs_else_the_browsers_else_the_sites(wanted, accept, language):
    assert texts.pick_language(wanted, accept, "ko") == language


def test_days_and_times_are_koreas():
    assert (texts.say_day(START_MS, "ko"), texts.say_time(START_MS, "ko")) == ("7월 19일(월)", "오후 8:00")
    assert (texts.say_day(START_MS, "en"), texts.say_time(START_MS, "en")) == ("Mon 19 Jul", "8:00 pm")
    assert texts.say_time(START_MS + 4 * 3_600_000, "en") == "12:00 am"


@pytest.mark.parametrize(
    ("moment", "korean", "english"),
    [
        ("2021-07-19T22:00:00", "7월 19일(월) 22시", "Mon 19 Jul, 22:00"),
        ("2021-07-24T00:00:00", "7월 24일(토) 0시", "Sat 24 Jul, 00:00"),
        ("2021-07-12T15:30:00", "7월 12일(월) 15시 30분", "Mon 12 Jul, 15:30"),
        ("2021-07-19T21:00:07", "7월 19일(월) 21시 0분 7초", "Mon 19 Jul, 21:00:07"),
        ("2026-01-01T00:00:00", "2026년 1월 1일(목) 0시", "Thu 1 Jan 2026, 00:00"),
    ],
)
def test_an_hour_is_said_as_it_was_announced_with_the_year_if_it_is_another(moment, korean, english):
    moment_ms = to_ms(datetime.fromisoformat(f"{moment}+09:00"))
    assert texts.say_moment(moment_ms, "ko", now_ms=START_MS) == korean
    assert texts.say_moment(moment_ms, "en", now_ms=START_MS) == english


def test_a_birth_date_is_said_in_words():
    assert texts.say_date(date(1968, 3, 2), "ko") == "1968년 3월 2일"
    assert texts.say_date(date(1968, 3, 2), "en") == "2 Mar 1968"


def test_a_code_is_read_back_however_it_is_typed():
    code = codes.code_from(bytes(range(20, 30)))
    assert len(code) == codes.LENGTH
    assert codes.normalise(f" {codes.grouped(code).lower()} ") == code
    assert codes.normalise("oil00-00000") == "0110000000"
    assert len(codes.normalise("A" * 10_000)) == codes.LENGTH + 1
