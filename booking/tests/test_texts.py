"""Every text exists in both languages, and every one is used."""

import re
from pathlib import Path

import pytest

import booking
from booking import codes, errors, texts
from booking.routes.problems import STATUS
from booking.tests.conftest import START_MS

PACKAGE = Path(booking.__file__).parent


@pytest.mark.parametrize(("key", "pair"), texts.TEXTS.items())
def test_both_languages_say_it_with_the_same_parts(key, pair):
    korean, english = pair
    assert re.findall(r"\{\w+\}", korean) == re.findall(r"\{\w+\}", english), key
    assert key == "switch_language" or re.search("[가-힣]", korean)
    assert key == "switch_language" or not re.search("[가-힣]", english)


def test_every_text_is_used():
    sources = [*PACKAGE.glob("templates/*.html"), *PACKAGE.glob("*.py"), *PACKAGE.glob("routes/*.py")]
    used = "\n".join(path.read_text() for path in sources if path.name != "texts.py")
    unused = {key for key in texts.TEXTS if f'"{key.removesuffix("_do")}"' not in used}
    assert unused == set()


def test_every_error_has_a_status_and_says_what_to_do():
    for error in errors.BookingError.__subclasses__():
        assert error in STATUS
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


def test_a_code_is_read_back_however_it_is_typed():
    code = codes.code_from(bytes(range(20, 30)))
    assert len(code) == codes.LENGTH
    assert codes.normalise(f" {codes.grouped(code).lower()} ") == code
    assert codes.normalise("oil00-00000") == "0110000000"
    assert len(codes.normalise("A" * 10_000)) == codes.LENGTH + 1
