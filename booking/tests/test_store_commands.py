"""`migrate`, `check`, `purge` and `person`: on both databases, with every way they can go wrong."""

import asyncio
import csv
import io
import json
import sqlite3
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from booking import schedule
from booking.cli import main
from booking.errors import IdentityUnavailable
from booking.identity.base import Subject
from booking.model import Party
from booking.person import Person, person_keys, read_person, same_person
from booking.sealed import Sealer, open_contact, seal_contact
from booking.store import BookingStore, database_at
from booking.tests.conftest import CHILD, MOTHER, PERSON, SECRET, START_MS
from booking.tests.postgresql import Server
from shared.passes import PassClaims
from shared.tests.personal import traces
from shared.wire import How

MINJI = {"name": "Kim Minji", "birth_date": "1970-02-28", "phone": "010-1357-2468"}
CROWD = [
    {"name": f"시험{n:04d}", "birth_date": f"1968-01-{n % 28 + 1:02}", "phone": f"0109000{n:04d}"} for n in range(60)
]
TOMORROW = date(2021, 7, 20)
NINE_MS = schedule.day_bounds(TOMORROW)[0] + 9 * 3_600_000
HOUR_MS = 3_600_000
SEALER = Sealer(SECRET.encode())
NOTHING = {"cancelled": 0, "bookings": 0, "waiting": 0, "holds": 0, "booked_for_others": 0}

pytestmark = pytest.mark.xdist_group("store_commands")


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/booking.db"
    new: str = request.getfixturevalue("server").database()
    return new


@pytest.fixture
def sqlite_url(tmp_path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/booking.db"


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    """Runs a command at 20:00 of `START_MS`. Returns exit code, output and error lines."""
    for module in ("store", "person"):
        monkeypatch.setattr(f"booking.commands.{module}.now_ms", lambda: START_MS)

    def run(url, *words, typed=b"", **environ):
        config = tmp_path / "sunbeon.toml"
        config.write_text(f'[booking]\ndatabase = "{url}"\nsecret_file = "{tmp_path}/secret"\n')
        data = typed if isinstance(typed, bytes) else json.dumps(typed).encode()
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        try:
            code = main([*words, "--config", str(config)], environ={"SUNBEON_BOOKING_SECRET": SECRET, **environ})
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        assert traces(captured.err) == []
        return code, captured.out, captured.err.splitlines()

    return run


def keys_of(person):
    found = read_person(person, today=TOMORROW)
    return person_keys(found, SECRET.encode(), subject=same_person(found))


def party(person, booker=None):
    phones = [read_person(each, today=TOMORROW).phone for each in (person, booker) if each]
    contact = seal_contact(SEALER, phones[0], phones[1] if booker else None, now_ms=START_MS)
    return Party(keys_of(person), contact, keys_of(booker) if booker else None, "2026-1" if booker else None, "all/1")


def claims(number: int) -> PassClaims:
    return PassClaims(
        room="vaccine", pass_id=f"pass-{number}", how=How.LINE, epoch=1, number=number, place=number, rule=None,
        settings_version=7, issued_s=START_MS // 1000, expires_s=START_MS // 1000 + 60,
    )  # fmt: skip


class Stock:
    """A database with a few bookings, put into it as the site does."""

    def __init__(self, url: str, *, crowd: int = 5) -> None:
        self.url = url
        self._crowd = CROWD[1 : crowd + 1]
        self.codes: dict[str, str] = {}
        asyncio.run(self._with_store(self._fill))

    async def _with_store(self, work: Any) -> Any:
        database = database_at(self.url)
        await database.open()
        try:
            return await work(BookingStore(database, secret=SECRET.encode(), hold_ms=300_000, proxy_limit=4))
        finally:
            await database.close()

    async def _fill(self, store: BookingStore) -> None:
        """Slot 1 is tomorrow's; 2 is of a centre that is full; 3 was 10 days ago."""
        was_ms = NINE_MS - 11 * schedule.DAY_MS
        await store.prepare(
            schedule.DEMO_CENTRES,
            schedule.DEMO_VACCINES,
            [("seoul", "gaon", NINE_MS, 100), ("busan", "gaon", NINE_MS, 1), ("seoul", "gaon", was_ms, 100)],
        )
        for number, person in enumerate(self._crowd, 100):
            await self._book(store, 1, party(person), number)
        self.codes["mother"] = await self._book(store, 1, party(MOTHER, CHILD), 1)
        await self._book(store, 2, party(CROWD[0]), 2)
        self.codes["hong"] = await self._book(store, 3, party(PERSON), 3, was_ms - 2 * HOUR_MS)
        waiting = await store.join_waitlist("busan", TOMORROW, party(CHILD), claims(4), now_ms=START_MS)
        held = await store.hold(1, party(MINJI), claims(5), now_ms=START_MS)
        self.codes |= {"child": waiting.code, "minji": held.code}

    async def _book(self, store: BookingStore, slot_id: int, who: Party, number: int, at_ms: int = START_MS) -> str:
        by = claims(number)
        hold = await store.hold(slot_id, who, by, now_ms=at_ms)
        return (await store.confirm(hold.id, by, now_ms=at_ms)).code

    def hold_for_another(self) -> None:
        who = party(CROWD[50], MINJI)
        asyncio.run(
            self._with_store(lambda store: store.hold(3, who, claims(9), now_ms=NINE_MS - 12 * schedule.DAY_MS))
        )

    def sql(self, statement: str) -> list[Any]:
        return asyncio.run(run_sql(self.url, statement))


async def run_sql(url: str, statement: str) -> list[Any]:
    engine = create_async_engine(url)
    try:
        async with engine.begin() as connection:
            result = await connection.execute(text(statement))
            return [tuple(row) for row in result] if result.returns_rows else []
    finally:
        await engine.dispose()


@pytest.fixture
def stock(url) -> Stock:
    return Stock(url)


def test_migrate_makes_the_tables_and_before_that_nothing_else_does(ask, url, tmp_path):
    for words in (["check"], ["purge", "--older-than-days", "1"], ["person", "export"]):
        code, out, (line,) = ask(url, *words, typed=PERSON)
        assert (code, out) == (1, "")
        assert "there is no such file" in line or "has no tables of this version yet; `sunbeon booking migrate`" in line
        assert list(tmp_path.glob("booking.db*")) == []

    for _ in range(2):
        code, out, errors = ask(url, "migrate")
        assert (code, errors) == (0, [])
        assert out.endswith(": up to date\n")
    assert ask(url, "check") == (0, "sound\n", [])


def test_check_tells_each_difference_and_exits_1(ask, stock):
    assert ask(stock.url, "check") == (0, "sound\n", [])

    stock.sql("UPDATE slots SET taken = taken - 2 WHERE id IN (1, 3) AND taken > 1")
    stock.sql("UPDATE slots SET taken = 0 WHERE id = 2")

    code, out, errors = ask(stock.url, "check")
    assert (code, errors) == (1, [])
    assert out.splitlines() == [
        "slot 1: 5 of 100 seats counted, but 1 held and 6 booked",
        "slot 2: 0 of 1 seats counted, but 0 held and 1 booked",
    ]


def test_purge_forgets_whom_it_says_and_keeps_how_they_got_in(ask, stock):
    kept = "SELECT pass_id, number, how, slot_id FROM bookings ORDER BY number"
    before = stock.sql(kept)
    gone = "SELECT number FROM bookings WHERE person_key IS NULL"

    # The appointment was on 9 July, ten days before this one.
    told = "the people of 1 booking(s) and 0 waitlist entry(s) from before 2021-07-10\n"
    assert ask(stock.url, "purge", "--older-than-days", "10")[1].split(" the people of ")[1].startswith("0 booking")
    assert ask(stock.url, "purge", "--older-than-days", "9", "--dry-run") == (0, f"would forget {told}", [])
    assert stock.sql(gone) == []
    assert ask(stock.url, "purge", "--older-than-days", "9") == (0, f"forgot {told}", [])

    assert stock.sql(gone) == [(3,)]
    assert stock.sql(kept) == before
    assert stock.sql("SELECT masked_name, birth_check, contact FROM bookings WHERE number = 3") == [(None, None, None)]
    assert ask(stock.url, "purge", "--older-than-days", "0")[1].startswith("forgot the people of 0 booking(s)")
    assert ask(stock.url, "check") == (0, "sound\n", [])
    assert ask(stock.url, "person", "export", typed=PERSON)[2] == ["booking: nothing is kept of this person"]


@pytest.mark.parametrize("days", ["-1", "36501", "9" * 5_000, "1.5", "٣", "", "ten"])
def test_a_number_of_days_that_is_none_is_refused(ask, sqlite_url, days):
    code, out, errors = ask(sqlite_url, "purge", f"--older-than-days={days}")

    assert (code, out) == (2, "")
    assert "is not a number of days from 0 to 36500" in errors[-1]


def test_a_person_is_given_all_that_is_kept_of_them_and_nothing_of_others(ask, stock):
    code, out, errors = ask(stock.url, "person", "export", typed=MOTHER)

    assert (code, errors) == (0, [])
    assert json.loads(out) == {
        "bookings": [
            {
                "code": stock.codes["mother"],
                "masked_name": "김*자",
                "booker_masked_name": "이*늘",
                "consent": "2026-1",
                "calendar_rule": "all/1",
                "pass_id": "pass-1",
                "number": 1,
                "how": "line",
                "place": 1,
                "created": "2021-07-19T20:00:00+09:00",
                "changed": None,
                "cancelled": None,
                "centre_id": "seoul",
                "vaccine_id": "gaon",
                "starts": "2021-07-20T09:00:00+09:00",
                "phone": "01087654321",
            }
        ],
        "waiting": [],
        "holds": [],
        "booked_for_others": [],
    }
    assert "김*자" in out, "letters are to be read"

    child = json.loads(ask(stock.url, "person", "export", typed=CHILD)[1])
    (waiting,) = child["waiting"]
    assert (waiting["code"], waiting["phone"], waiting["day"]) == (stock.codes["child"], "01024681357", "2021-07-20")
    assert child["booked_for_others"] == [stock.codes["mother"]]
    (held,) = json.loads(ask(stock.url, "person", "export", typed=MINJI)[1])["holds"]
    assert (held["code"], held["phone"], held["expires"]) == (
        stock.codes["minji"],
        "01013572468",
        "2021-07-19T20:05:00+09:00",
    )


def test_a_phone_number_that_cannot_be_opened_is_said_and_the_rest_is_given(ask, stock):
    stock.sql("UPDATE holds SET contact = birth_check")

    code, out, errors = ask(stock.url, "person", "export", typed=MINJI)

    assert code == 1
    assert json.loads(out)["holds"][0]["phone"] is None
    assert errors == ["booking: 1 phone number(s) cannot be opened: sealed with another secret, or damaged"]


@pytest.mark.parametrize(
    ("person", "done"),
    [
        (MOTHER, {"cancelled": 1, "bookings": 1}),
        (CHILD, {"waiting": 1, "booked_for_others": 1}),
        (MINJI, {"holds": 1}),
        (PERSON, {"bookings": 1}),
    ],
)
def test_a_person_is_forgotten_and_the_second_time_nothing_is_left(ask, stock, person, done):
    kept = "SELECT pass_id, number, how, slot_id FROM bookings ORDER BY number"
    before = stock.sql(kept)

    code, out, errors = ask(stock.url, "person", "erase", typed=person)

    assert (code, json.loads(out), errors) == (0, NOTHING | done, [])
    assert ask(stock.url, "check") == (0, "sound\n", [])
    assert stock.sql(kept) == before
    nobody = "booking: nothing is kept of this person"
    code, out, errors = ask(stock.url, "person", "erase", typed=person)
    assert (code, json.loads(out), errors) == (0, NOTHING, [nobody])
    assert ask(stock.url, "person", "export", typed=person)[2] == [nobody]


def test_of_a_forgotten_booker_the_one_booked_for_keeps_only_their_own_number(ask, stock):
    contact = f"SELECT contact FROM bookings WHERE code = '{stock.codes['mother']}'"
    ((before,),) = stock.sql(contact)
    assert open_contact(SEALER, before, now_ms=START_MS) == ("01087654321", "01024681357")

    ask(stock.url, "person", "erase", typed=CHILD)

    ((after,),) = stock.sql(contact)
    assert open_contact(SEALER, after, now_ms=START_MS) == ("01087654321", None)
    assert json.loads(ask(stock.url, "person", "export", typed=MOTHER)[1])["bookings"][0]["booker_masked_name"] is None


def test_of_a_forgotten_booker_a_number_nobody_can_read_is_not_kept(ask, stock):
    stock.sql("UPDATE bookings SET contact = birth_check")
    ask(stock.url, "person", "erase", typed=CHILD)

    assert stock.sql(f"SELECT contact FROM bookings WHERE code = '{stock.codes['mother']}'") == [(b"",)]
    code, out, errors = ask(stock.url, "person", "export", typed=MOTHER)
    assert (code, json.loads(out)["bookings"][0]["phone"], errors) == (0, None, [])


def test_of_a_forgotten_booker_nothing_is_left_in_what_they_hold_for_others(ask, stock):
    stock.hold_for_another()

    erased = json.loads(ask(stock.url, "person", "erase", typed=MINJI)[1])

    assert erased == NOTHING | {"holds": 1, "booked_for_others": 1}
    ((sealed, booker, name),) = stock.sql("SELECT contact, booker_key, booker_masked_name FROM holds")
    assert (open_contact(SEALER, sealed, now_ms=START_MS), booker, name) == (("01090000050", None), None, None)


@pytest.mark.parametrize("person", [MOTHER, CHILD, MINJI, PERSON, CROWD[30]])
def test_no_trace_of_a_forgotten_person_is_left_in_the_files_of_sqlite(ask, sqlite_url, tmp_path, person):
    # So many that pages are split and joined.
    stock = Stock(sqlite_url, crowd=len(CROWD) - 1)
    keys = keys_of(person)
    contacts = [
        sealed
        for table in ("bookings", "waitlist", "holds")
        for (sealed, own, booker) in stock.sql(f"SELECT contact, person_key, booker_key FROM {table}")
        if keys.key in (own, booker)
    ]
    traces_of = [keys.key, keys.birth_check, *contacts]
    if person not in CROWD:
        traces_of.append(keys.masked_name.encode())  # the crowd's are all alike
    assert contacts
    assert all(trace in _files(tmp_path) for trace in traces_of)

    assert ask(sqlite_url, "person", "erase", typed=person)[0] == 0

    assert [trace for trace in traces_of if trace in _files(tmp_path)] == []


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("booking.db*")))


HONG = json.dumps(PERSON)


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (b"", ["standard input"]),
        (b"\xff\xfe\xfa", ["standard input"]),
        (HONG[:-1].encode(), ["standard input"]),
        (f"[{HONG}]".encode(), ["standard input"]),
        (b"[" * 10_000, ["standard input"]),
        (HONG.encode() + b" " * 20_000, ["standard input"]),
        ({**PERSON, "note": "홍길동"}, ["standard input"]),
        ({}, ["name", "birth_date", "phone"]),
        ({**PERSON, "phone": 1012345678}, ["phone"]),
        ({**PERSON, "name": ["홍길동"], "phone": None}, ["name", "phone"]),
        ({**PERSON, "birth_date": "1968-3-2"}, ["birth_date"]),
        ({**PERSON, "birth_date": "2021-07-20"}, ["birth_date"]),
        ({**PERSON, "name": "홍\ud800"}, ["name"]),
        ({**PERSON, "name": "x" * 61, "birth_date": "", "phone": "112"}, ["name", "birth_date", "phone"]),
    ],
)
@pytest.mark.parametrize("action", ["export", "erase"])
def test_input_that_names_no_person_is_told_by_field_and_exits_2(ask, sqlite_url, action, typed, named, tmp_path):
    code, out, errors = ask(sqlite_url, "person", action, typed=typed)

    assert (code, out) == (2, "")
    assert "홍" not in "".join(errors)
    assert [line.split(":")[0] for line in errors] == named
    assert not list(tmp_path.glob("booking.db*"))


def test_another_secret_finds_nobody_and_so_is_refused(ask, stock):
    for action in ("export", "erase"):
        code, out, (line,) = ask(stock.url, "person", action, typed=MOTHER, SUNBEON_BOOKING_SECRET="o" * 32)
        assert (code, out) == (1, "")
        assert "the database was made with another secret" in line
        assert ask(stock.url, "person", action, typed=MOTHER, SUNBEON_BOOKING_SECRET="short")[0] == 1
    assert stock.sql("SELECT count(*) FROM bookings WHERE person_key IS NULL") == [(0,)]


def test_without_a_secret_none_is_made_since_a_new_one_knows_nobody(tmp_path, sqlite_url, capsys, monkeypatch):
    stock = Stock(sqlite_url)
    config = tmp_path / "sunbeon.toml"
    config.write_text(f'[booking]\ndatabase = "{stock.url}"\nsecret_file = "{tmp_path}/secret"\n')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(HONG.encode())))

    assert main(["person", "export", "--config", str(config)], environ={}) == 1

    assert capsys.readouterr().err == f"booking: {tmp_path}/secret: No such file or directory (booking.secret_file)\n"
    assert not (tmp_path / "secret").exists()
    assert main(["check", "--config", str(config)], environ={}) == 0


@pytest.mark.parametrize(("revision", "told"), [("0001", "`sunbeon booking migrate`"), ("9999", "a newer one")])
def test_tables_of_another_version_are_left_alone(ask, stock, revision, told):
    stock.sql(f"UPDATE alembic_version SET version_num = '{revision}'")

    for words in (["check"], ["purge", "--older-than-days", "0"], ["person", "erase"]):
        code, out, (line,) = ask(stock.url, *words, typed=MOTHER)
        assert (code, out) == (1, "")
        assert told in line
        assert revision in line
    assert stock.sql("SELECT version_num FROM alembic_version") == [(revision,)]
    assert stock.sql("SELECT count(*) FROM bookings WHERE person_key IS NULL") == [(0,)]


COMMANDS = (["migrate"], ["check"], ["purge", "--older-than-days", "1"], ["person", "export"], ["person", "erase"])


@pytest.mark.parametrize("words", COMMANDS)
def test_a_database_out_of_reach_is_told_in_one_line_without_its_password(ask, words, tmp_path):
    (tmp_path / "broken.db").write_bytes(b"this is not a database" * 100)
    for url in ("postgresql+asyncpg://sunbeon:hunter2@127.0.0.1:1/stock", f"sqlite+aiosqlite:///{tmp_path}/broken.db"):
        code, out, errors = ask(url, *words, typed=PERSON)
        assert (code, out, len(errors)) == (1, "", 1)
        assert errors[0].startswith(("booking: 127.0.0.1:1/stock: ", f"booking: {tmp_path}/broken.db: "))
        assert "hunter2" not in errors[0]


@pytest.mark.parametrize("words", COMMANDS)
def test_wrong_settings_are_told_and_exit_2(ask, sqlite_url, words):
    wrong = {"SUNBEON_BOOKING__HOLD_S": "1", "SUNBEON_BOOKING__DATABASE": "mysql://sunbeon:hunter2@x/y"}
    code, out, errors = ask(sqlite_url, *words, typed=PERSON, **wrong)

    assert (code, out) == (2, "")
    assert {line.split(":")[0] for line in errors} == {"booking.hold_s", "booking.database"}
    assert "hunter2" not in "".join(errors)


def test_the_lock_of_a_busy_database_is_waited_for_and_then_told(ask, sqlite_url, monkeypatch):
    stock = Stock(sqlite_url)
    monkeypatch.setattr("booking.store.sqlite._PRAGMAS", ("PRAGMA busy_timeout = 1",))
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    code, out, (line,) = ask(stock.url, "person", "erase", typed=MOTHER)
    assert (code, out) == (1, "")
    assert line.endswith("database is locked")
    assert ask(stock.url, "check") == (0, "sound\n", [])
    other.close()
    assert json.loads(ask(stock.url, "person", "erase", typed=MOTHER)[1])["bookings"] == 1


def test_who_reads_while_somebody_is_forgotten_is_told_of(ask, sqlite_url, monkeypatch):
    """Until they are done, the write-ahead log cannot be emptied."""
    stock = Stock(sqlite_url)
    monkeypatch.setattr("booking.store.sqlite._PRAGMAS", ("PRAGMA busy_timeout = 1", "PRAGMA secure_delete = ON"))
    reader = sqlite3.connect(sqlite_url.removeprefix("sqlite+aiosqlite:///"), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM bookings").fetchall()

    code, out, (line,) = ask(stock.url, "person", "erase", typed=MOTHER)
    assert (code, json.loads(out)["bookings"]) == (0, 1)
    assert "somebody reads the write-ahead log" in line
    reader.close()


class Register:
    """An identity provider that knows people by numbers of its own."""

    def __init__(self, subject: str | None) -> None:
        self._subject = subject

    async def find(self, _person: Person) -> Subject:
        if self._subject is None:
            raise IdentityUnavailable("the provider failed")
        return Subject(self._subject)


def test_people_are_found_as_the_identity_provider_knows_them(ask, sqlite_url, monkeypatch):
    stock = Stock(sqlite_url)
    mothers = same_person(read_person(MOTHER, today=TOMORROW))
    monkeypatch.setattr("booking.commands.person.chosen_provider", lambda _settings: Register(mothers))
    married = {**MOTHER, "name": "김철수", "phone": "010-1357-2468"}

    assert json.loads(ask(stock.url, "person", "export", typed=married)[1])["bookings"][0]["masked_name"] == "김*자"

    monkeypatch.setattr("booking.commands.person.chosen_provider", lambda _settings: Register(None))
    for action in ("export", "erase"):
        assert ask(stock.url, "person", action, typed=MOTHER) == (1, "", ["booking: the provider failed"])


def test_ctrl_c_ends_a_command_without_a_trace(ask, sqlite_url, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("booking.commands.start.read_settings", interrupted)
    assert ask(sqlite_url, "check") == (130, "", [])


def test_provenance_tells_how_each_booking_got_in_and_nothing_of_anybody(url, ask, monkeypatch):
    stock = Stock(url)
    monkeypatch.setattr("booking.store.audit._PROVENANCE_PAGE", 3)
    code, out, err = ask(url, "provenance")
    assert (code, err) == (0, [])
    rows = list(csv.DictReader(io.StringIO(out)))
    assert {row["pass_id"] for row in rows} == {f"pass-{number}" for number in (1, 2, 3, *range(100, 105))}
    assert {(row["room"], row["epoch"], row["how"], row["rule"]) for row in rows} == {("vaccine", "1", "line", "")}
    assert all(row["number"] == row["place"] == row["pass_id"].removeprefix("pass-") for row in rows)
    assert len({row["ref"] for row in rows}) == len(rows)
    assert traces(out) == []
    assert not any(known in out for known in stock.codes.values())
    assert min(row["created_at"] for row in rows) == "2021-07-08T22:00:00.000+00:00"
