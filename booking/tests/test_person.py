"""One person is one person however typed, and little of them is kept."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.errors import InvalidFields
from booking.person import fingerprint, mask_name, normalise_phone, person_keys, read_person
from shared.birth_date import iso_date

TODAY = date(2021, 7, 19)
SECRET = b"s" * 32


def key_of(name="홍길동", birth_date="1968-03-02", phone="010-1234-5678", secret=SECRET):
    return person_keys(read_person({"name": name, "birth_date": birth_date, "phone": phone}, today=TODAY), secret).key


@pytest.mark.parametrize(
    "other",
    [{"name": " 홍 길동"}, {"name": "홍길동"}, {"phone": "01012345678"}, {"phone": "+82 (0)10.1234.5678"}],
)
def test_spellings_of_one_person_are_one(other):
    assert key_of(**other) == key_of()


@pytest.mark.parametrize(
    "other",
    [{"name": "홍길순"}, {"birth_date": "1968-03-03"}, {"phone": "010-1234-5679"}, {"secret": b"o" * 32}],
)
def test_another_person_or_secret_gives_another_key(other):
    assert key_of(**other) != key_of()


def test_equal_birth_dates_do_not_look_equal():
    checks = {
        person_keys(read_person({"name": n, "birth_date": "1968-03-02", "phone": "0101234567"}, today=TODAY), SECRET)
        for n in ("Kim", "Lee")
    }
    assert len({keys.birth_check for keys in checks}) == 2
    assert fingerprint(SECRET) not in {keys.key for keys in checks}


@pytest.mark.parametrize(
    ("name", "masked"),
    [("홍길동", "홍*동"), ("남궁길동", "남**동"), ("홍길", "홍*"), ("김", "*"), ("Kim Minji", "K** M****")],
)
def test_a_masked_name_tells_a_family_apart_and_names_nobody(name, masked):
    assert mask_name(name) == masked


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(["name", "birth_date", "phone"], st.text())))
def test_whatever_is_typed_is_a_person_or_named_as_wrong(fields):
    person, problems = None, {}
    try:
        person = read_person(fields, today=TODAY)
    except InvalidFields as error:
        problems = error.problems
    assert (person is None) == bool(problems)
    assert problems.keys() <= {"name", "birth_date", "phone"}
    if person is not None:
        assert normalise_phone(person.phone) == person.phone


def test_a_person_does_not_show_in_what_is_printed():
    person = read_person({"name": "홍길동", "birth_date": "1968-03-02", "phone": "01012345678"}, today=TODAY)
    assert repr(person) == "Person()"
    assert repr(person_keys(person, SECRET)) == "PersonKeys()"


@pytest.mark.parametrize(("birth_date", "ok"), [("2020-02-29", True), ("2021-02-29", False), ("2021-07-19", True)])
def test_leap_days_and_today_are_dates_of_birth(birth_date, ok):
    fields = {"name": "홍길동", "birth_date": birth_date, "phone": "0101234567"}
    if ok:
        assert read_person(fields, today=TODAY).birth_date.isoformat() == birth_date
    else:
        with pytest.raises(InvalidFields):
            read_person(fields, today=TODAY)


@pytest.mark.parametrize(
    "name",
    [
        "김유니\ufe0f", "김유니\u3164", "김\u200b유니", "김\u034f유니", "\u115f김유니", "김 유니", "김·유니",
        "\u2066김유니\u2069",
    ],
)  # fmt: skip
def test_characters_nobody_sees_do_not_make_a_second_person(name):
    assert _key(name) == _key("김유니")


@pytest.mark.parametrize(
    "name",
    ["\u115f\u115f", "\u3164", "김유니\u0301", '"><img src=x>', "김_유니", "x\u0301\u0301y", "...", "🙂"],
)
def test_what_is_no_letter_is_no_name(name):
    with pytest.raises(InvalidFields) as raised:
        _key(name)
    assert raised.value.problems["name"] in {"name_bad", "name_missing"}


@pytest.mark.parametrize(
    "name", ["O'Brien", "Anne-Marie", "Nguyễn Văn An", "José", "สมชาย ใจดี", "ตั๊ก", "李小龍", "St. John"]
)
def test_names_of_the_world_are_names(name):
    assert _key(name)


@pytest.mark.parametrize("phone", ["0010-5555-6666", "010-9999-88", "02-999-8888", "010123456789", "+1 555 123 4567"])
def test_only_mobile_numbers_are_taken(phone):
    with pytest.raises(InvalidFields) as raised:
        read_person({"name": "김유니", "birth_date": "1968-03-02", "phone": phone}, today=TODAY)
    assert raised.value.problems == {"phone": "phone_bad"}


def _key(name):
    person = read_person({"name": name, "birth_date": "1968-03-02", "phone": "01012345678"}, today=TODAY)
    return person_keys(person, SECRET).key


@pytest.mark.parametrize(
    "typed",
    [
        "19680302", "1968-03-02", "1968.3.2", "1968. 3. 2.", "1968/3/2", "1968년 3월 2일",
        "\uff11\uff19\uff16\uff180302", "1968\uff0d03\uff0d02",
        "1968 03 02", " 1968-3-2 ",
    ],
)  # fmt: skip
def test_a_birth_date_is_read_however_it_is_written(typed):
    assert iso_date(typed) == "1968-03-02"


@pytest.mark.parametrize("typed", ["680302", "1968032", "196832", "1968", "02.03.1968", "1968-03-02-01", "x"])
def test_what_could_be_another_date_is_left_alone(typed):
    assert iso_date(typed) == typed
