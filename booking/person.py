"""A person as typed into the form: checked, and then reduced to what may be kept. Pure.

Name, birth date and phone number live for one request. They are never stored, logged or put into a URL.
"""

import hashlib
import hmac
import re
import string
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from booking.errors import InvalidFields
from booking.model import PersonKeys

NAME_MAX: Final = 60
OLDEST_BIRTH: Final = date(1900, 1, 1)

_ISO_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Mobile numbers of Korea: to others no message would get through.
_PHONE: Final = re.compile(r"01[016789][0-9]{7,8}")
_PHONE_PUNCTUATION: Final = re.compile(r"[\s().\-]")
_SIGN_OF_KOREA: Final = re.compile(r"^(\+|00)820?")
_HANGUL_NAME: Final = re.compile(r"[가-힣]{3,}")
# Characters nobody sees (Unicode's default ignorables): with them one name would be two.
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# What names have beside letters; and digits: some are numbered, and so are the invented ones of a load test.
_BETWEEN: Final = frozenset(" .,'\u2019\u00b7-")
# Scripts whose letters come composed: a mark that is left over is no part of any name in them.
_COMPOSED: Final = ("LATIN", "HANGUL", "CJK", "GREEK", "CYRILLIC", "HIRAGANA", "KATAKANA")


@dataclass(frozen=True, slots=True)
class Person:
    """Valid and normalised: two spellings of one person are equal."""

    name: str = field(repr=False)
    birth_date: date = field(repr=False)
    phone: str = field(repr=False)


def read_person(fields: Mapping[str, str], *, today: date) -> Person:
    """Check `name`, `birth_date` (YYYY-MM-DD) and `phone`. Raises `InvalidFields` with all that is wrong."""
    problems: dict[str, str] = {}
    name = _tidy_name(fields.get("name", ""))
    if not name:
        problems["name"] = "name_missing"
    elif len(name) > NAME_MAX or not _is_name(name):
        problems["name"] = "name_bad"
    birth_date = OLDEST_BIRTH
    try:
        birth_date = read_birth_date(fields.get("birth_date", ""), today=today)
    except InvalidFields as error:
        problems.update(error.problems)
    typed_phone = fields.get("phone", "").strip()
    phone = normalise_phone(typed_phone)
    if not typed_phone:
        problems["phone"] = "phone_missing"
    elif not _PHONE.fullmatch(phone):
        problems["phone"] = "phone_bad"
    if problems:
        raise InvalidFields(problems)
    return Person(name, birth_date, phone)


def read_birth_date(text: str, *, today: date) -> date:
    """A date of birth in the form YYYY-MM-DD, not in the future. Raises `InvalidFields`."""
    text = text.strip()
    if not text:
        raise InvalidFields({"birth_date": "birth_missing"})
    if not _ISO_DATE.fullmatch(text):
        raise InvalidFields({"birth_date": "birth_bad"})
    try:
        birth_date = date.fromisoformat(text)
    except ValueError:
        raise InvalidFields({"birth_date": "birth_bad"}) from None
    if not OLDEST_BIRTH <= birth_date <= today:
        raise InvalidFields({"birth_date": "birth_range"})
    return birth_date


def normalise_phone(text: str) -> str:
    """`+82 10-1234-5678` and `010.1234.5678` as `01012345678`."""
    return _SIGN_OF_KOREA.sub("0", _PHONE_PUNCTUATION.sub("", unicodedata.normalize("NFKC", text)), count=1)


def mask_name(name: str) -> str:
    """홍길동 -> 홍*동, Kim Minji -> K** M****. Enough to tell a family's cards apart, too little to name anyone."""
    return " ".join(_mask_word(word) for word in name.split())


def same_person(person: Person) -> str:
    """Equal for two spellings of one person: letters of the name without case, birth date, phone number."""
    name = "".join(each for each in person.name.casefold() if each not in _BETWEEN)
    return f"{name}\0{person.birth_date.isoformat()}\0{person.phone}"


def person_keys(person: Person, secret: bytes, *, subject: str | None = None) -> PersonKeys:
    """What may be kept of this person.

    subject: the identity provider's name for them; None goes by name, birth date and phone number.
    """
    key = _keyed(secret, "person", same_person(person) if subject is None else subject)
    return PersonKeys(key, birth_check(person.birth_date, key, secret), mask_name(person.name))


def birth_check(birth_date: date, person_key: bytes, secret: bytes) -> bytes:
    """The value that proves this birth date for the person of this key."""
    return _keyed(secret, "birth", person_key.hex(), birth_date.isoformat())


def fingerprint(secret: bytes) -> bytes:
    """Tells two secrets apart without giving either away."""
    return _keyed(secret, "fingerprint")


def _keyed(secret: bytes, *parts: str) -> bytes:
    # A separator no part can contain, so that shifting a character from one part to the next changes the hash.
    return hmac.new(secret, "\0".join(parts).encode(), hashlib.sha256).digest()


def _tidy_name(text: str) -> str:
    return " ".join(_INVISIBLE.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text))).split())


def _is_name(name: str) -> bool:
    before = ""
    for each in name:
        kind = unicodedata.category(each)
        if kind in {"Mn", "Mc"}:
            if not before or unicodedata.name(before, "").startswith(_COMPOSED):
                return False
        elif kind[0] != "L" and each not in _BETWEEN and each not in string.digits:
            return False
        else:
            before = each
    return any(each.isalpha() for each in name)


def _mask_word(word: str) -> str:
    if _HANGUL_NAME.fullmatch(word):
        return word[0] + "*" * (len(word) - 2) + word[-1]
    return word[0] + "*" * (len(word) - 1) if len(word) > 1 else "*"
