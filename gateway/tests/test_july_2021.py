"""12 to 24 July 2021 once more, in virtual time: every birth year at every window edge, and nobody told wrongly.

The real line, store and calendars; people arrive through `settle`. The calendar's file is `july-2021-announced` until
19 July, 20:48, when it is replaced by `july-2021` while the room is at work, and an operator postpones the room.

What is to come out is written down here by hand. Each line holds from its moment until the next line's:

    n  told when: too soon to line up        q  lines up for an opening still to come
    E  goes in                               w  may book, and lines up with everyone for the opening that was moved
    P  told until when there is a pause      p  lines up for the end of the pause
    O  told that it is over                  -  told that this is not their group
"""

import os
from collections.abc import Container, Iterator
from datetime import date, datetime
from pathlib import Path

import pytest

from gateway.edge.line import Line
from gateway.edge.settle import Credentials, InLine, Inside, Standing, Told, settle
from gateway.edge.tests.front import ROOM, Hands
from gateway.room.entitle import Way
from gateway.room.ticket import Ticket
from gateway.settings import Room
from gateway.store.batching import BatchingStore
from gateway.store.sqlite import SqliteStore
from shared.calendar_file import BUILT_IN
from shared.rules.model import Kind

SECOND, MINUTE = 1_000, 60_000

YEARS = """          61  62 63 64 65 66  67 68  69 70 71  72 """
EXPECTED = """
    07-11 12:00   -   n  n  n  n  n   n  n   n  n  n   -
    07-11 22:00   -   q  q  q  q  q   n  n   n  n  n   -
    07-12 00:00   -   E  E  E  E  E   n  n   n  n  n   -
    07-12 15:30   -   P  P  P  P  P   n  n   n  n  n   -
    07-14 18:00   -   p  p  p  p  p   n  n   n  n  n   -
    07-14 20:00   -   E  E  E  E  E   n  n   n  n  n   -
    07-19 18:00   -   E  E  E  E  E   q  q   n  n  n   -
    07-19 20:00   -   E  E  E  E  E   E  E   n  n  n   -
    07-19 20:48   -   w  w  w  w  w   q  q   n  n  n   -
    07-19 22:00   -   E  E  E  E  E   E  E   n  n  n   -
    07-20 18:00   -   E  E  E  E  E   P  P   q  q  q   -
    07-20 20:00   -   E  E  E  E  E   P  P   E  E  E   -
    07-21 18:00   -   E  E  E  E  E   p  p   p  p  p   -
    07-21 20:00   -   E  E  E  E  E   E  E   E  E  E   -
    07-24 18:00   -   O  O  O  O  O   O  O   O  O  O   -
    07-25 00:00   -   O  O  O  O  O   O  O   O  O  O   -
"""
FAILED = "07-19 20:48"

# What each is told besides: the rule by its version, and the opening that is waited for.
TOLD = """
    07-12 14:00  1967  53-54/1         07-19 20:00
    07-12 15:31  1962  55-59-second/1  07-14 20:00
    07-19 19:59  1968  53-54/1         07-19 20:00
    07-19 20:47  1968  53-54/1         -
    07-19 20:49  1968  53-54/2         07-19 22:00
    07-19 20:49  1966  55-59-second/1  -
    07-19 22:01  1967  53-54/2         -
    07-20 18:01  1967  50-54/1         07-21 20:00
    07-20 19:59  1971  50-52/1         07-20 20:00
    07-21 18:01  1971  50-54/1         07-21 20:00
    07-24 18:01  1962  55-59-second/1  -
"""


def moment(text: str) -> int:
    return int(datetime.fromisoformat(f"2021-{text.replace(' ', 'T')}:00+09:00").timestamp()) * SECOND


def rows() -> Iterator[tuple[str, list[str]]]:
    for line in EXPECTED.strip().splitlines():
        day, hour, *letters = line.split()
        yield f"{day} {hour}", letters


class July:
    """The room, the file of its calendar, and the clock. waiting: who lined up, by birth year and where it was."""

    def __init__(self, folder: Path) -> None:
        self.clock = Hands()
        self.clock.now_ms = moment("07-11 11:00")
        self.file = folder / "calendar.toml"
        self._put("july-2021-announced")
        self.store = SqliteStore(
            folder / "queue.db", first_epoch=1, wall_ms=self.clock, mono_ms=self.clock, boot_id="july"
        )
        room = {
            **ROOM,
            "calendar": str(self.file),
            "opens_at": "2021-07-12T00:00:00+09:00",
            "prequeue_s": 7_200,
            "total_active_users": 100_000,
            "new_users_per_minute": 100_000,
        }
        store = BatchingStore(self.store)
        self.line = Line(Room.model_validate(room), store, secure=False, monotonic=self.clock.seconds)
        self.waiting: list[tuple[int, Ticket]] = []
        self._has_failed = False

    async def be(self, now_ms: int) -> None:
        """Let the time come. What the operators did at 20:48, they do when it is reached."""
        if now_ms >= moment(FAILED) and not self._has_failed:
            self._has_failed = True
            await self._pass(moment(FAILED))
            self._put("july-2021")
            await self.line.tick_now()
            await self.line.postpone(moment("07-19 22:00"), reason="접속 지연", expected_version=None)
        await self._pass(now_ms)

    async def _pass(self, now_ms: int) -> None:
        self.clock.now_ms = now_ms
        for _ in range(3):
            await self.line.tick_now()

    def _put(self, name: str) -> None:
        self.file.write_bytes((BUILT_IN / f"{name}.toml").read_bytes())
        os.utime(self.file, (self.clock.seconds(), self.clock.seconds()))

    async def arrives(self, birth: date) -> Standing:
        """Somebody says this birth date and goes on to where that leads."""
        assert self.line.eligibility is not None
        answer = self.line.eligibility.judge(birth, self.line.snapshot)
        standing = await settle(self.line, Credentials(None, (), self.line.new_knock(answer.cohorts), damaged=False))
        if isinstance(standing, InLine):
            self.waiting.append((birth.year, standing.ticket))
        return standing

    async def let_in(self, years: Container[int]) -> list[tuple[int, Ticket]]:
        """Whoever of these birth years lined up asks again; those who are not in now."""
        for _ in range(3):
            await self.line.tick_now()
        mine = [each for each in self.waiting if each[0] in years]
        self.waiting = [each for each in self.waiting if each[0] not in years]
        return [
            (year, ticket)
            for year, ticket in mine
            if not isinstance(await settle(self.line, Credentials(None, (ticket,), None, damaged=False)), Inside)
        ]


@pytest.fixture
async def july(tmp_path):
    made = July(tmp_path)
    await made.line.start()
    yield made
    await made.store.close()


def letter(standing: Standing) -> str:
    match standing:
        case Inside():
            return "E"
        case Told(entitled):
            assert entitled.way in {Way.LATER, Way.NEVER}
            kind = entitled.reason
            return {Kind.NOT_YET: "n", Kind.PAUSED: "P", Kind.OVER: "O", Kind.NOT_ELIGIBLE: "-"}[Kind(kind)]
        case InLine(entitled=entitled) if entitled is not None:
            return {Kind.NOT_YET: "q", Kind.PAUSED: "p", Kind.ELIGIBLE: "w"}[Kind(entitled.reason)]
    raise AssertionError(standing)


def births(year: int) -> list[date]:
    """The first day of the year, the last one, and the one that not every year has."""
    return [date(year, 1, 1), date(year, 12, 31), *([date(year, 2, 29)] if year % 4 == 0 else [])]


async def test_every_birth_year_gets_the_right_answer_a_second_before_and_after_every_edge(july):
    years = [1900 + int(word) for word in YEARS.split()]
    before: list[str] = []
    for text, letters in rows():
        for at_ms, expected in ((moment(text) - SECOND, before), (moment(text) + SECOND, letters)):
            if not expected:
                continue
            await july.be(at_ms)
            for year, wanted in zip(years, expected, strict=True):
                found = {letter(await july.arrives(birth)) for birth in births(year)}
                assert found == {wanted}, (text, at_ms - moment(text), year)
            if expected is letters:
                told = dict(zip(years, letters, strict=True))
                assert not await july.let_in({year for year in years if told[year] == "E"}), text
        before = letters
    assert july.waiting == []


async def test_each_is_told_by_which_rule_and_when(july):
    for line in TOLD.strip().splitlines():
        day, hour, year, rule, opens_day, *opens_hour = line.split()
        await july.be(moment(f"{day} {hour}"))
        for birth in births(int(year)):
            standing = await july.arrives(birth)
            entitled = standing.entitled if isinstance(standing, InLine | Told) else None
            if entitled is None:
                entitled = july.line.eligibility.judge(birth, july.line.snapshot).entitled
            verdict = entitled.verdict
            assert verdict is not None
            assert verdict.rule_name == rule, line
            assert verdict.opens_ms == (moment(f"{opens_day} {opens_hour[0]}") if opens_hour else None), line


async def test_nobody_of_53_or_54_is_told_on_19_july_that_it_is_not_for_them(july):
    for minute in range(17 * 60, 24 * 60):
        await july.be(moment("07-19 00:00") + minute * MINUTE)
        for year in (1967, 1968):
            standing = await july.arrives(date(year, 5, 4))
            assert letter(standing) in "nqEw", (year, minute)
