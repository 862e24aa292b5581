"""Who is still there and what is left, as visitors and operators are told: through the gateway, time moved by hand."""

import asyncio
from dataclasses import replace

import pytest

from gateway.edge.strings import EN, KO
from gateway.edge.tests.backend import answer, until
from gateway.edge.tests.front import BROWSER, TOKEN, Answer, Connection, Front, Visitor, faulty_store, find, front, lose
from gateway.edge.watch import Watch
from gateway.room.model import Block, Mode, Snapshot
from gateway.room.policy import chances
from gateway.room.presence import INTERVAL_MS
from gateway.room.stock import LEAST_VISITS
from gateway.room.tests.test_policy import room
from gateway.room.ticket import Ticket

STEP_MS = 20_000
ROOM = {"session_length_s": 40_000, "idle_limit_s": 40_000}


async def enter(site: Front) -> Visitor:
    visitor: Visitor = site.visitor()
    assert (await visitor.get()).gate is None
    await site.line.tick_now()
    return visitor


async def ask_for(site: Front, ms: int, *there: Visitor) -> None:
    """Let time go by in which these ask now and then."""
    for _ in range(0, ms, STEP_MS):
        await site.pass_time(STEP_MS)
        for each in there:
            await each.status()
        await site.line.exchange()


async def queue(site: Front, people: int) -> list[Visitor]:
    waiting = [site.visitor() for _ in range(people)]
    for each in waiting:
        await each.queue()
    await site.line.tick_now()
    return waiting


async def report(site: Front, backend, holder: Visitor, *headers: str) -> None:
    """Have the backend say so, in an answer to whoever is inside."""
    backend.reply = answer(b"hello", *headers)
    assert (await holder.get()).gate is None


@pytest.fixture
async def site(start):
    return await start(rooms=[ROOM], faulty=True)


async def test_ahead_are_those_still_there_and_the_place_stays_what_it_was(site):
    await enter(site)
    waiting = await queue(site, 6)
    assert (await waiting[5].status())["ahead"] == 5
    await ask_for(site, 2 * INTERVAL_MS, waiting[1], waiting[3], waiting[5])
    told = await waiting[5].status()
    assert (told["number"], told["place"], told["ahead"]) == (7, 7, 2)
    # Somebody comes back: there again, with the place they had.
    assert (await waiting[0].status())["place"] == 2
    await site.line.exchange()
    assert (await waiting[5].status())["ahead"] == 3


async def test_until_it_is_known_who_is_there_all_who_have_not_left_are_ahead(site):
    await enter(site)
    waiting = await queue(site, 3)
    await ask_for(site, INTERVAL_MS // 2, waiting[2])
    assert (await waiting[2].status())["ahead"] == 2
    assert (await site.visitor().ask("GET", "/_sunbeon/vaccine/board")).json()["people_waiting"] is None


def test_who_waits_for_a_later_window_is_not_of_the_line_until_it_opens():
    seen = Watch()
    before = room(tail=10)
    ticket = Ticket(1, 3, 0, wave="born-1964")
    at = before

    def settle(at: Snapshot) -> Snapshot:
        for _ in range(0, 2 * INTERVAL_MS, STEP_MS):
            at = replace(at, now_ms=at.now_ms + STEP_MS)
            seen.mark(at, ticket)
            presence = seen._of(at)
            presence.hear(at, presence.tell(at))
        return at

    at = settle(before)
    assert seen.people_there(at) == 0
    at = settle(replace(at, tail=15, blocks={"born-1964": Block(10, 5, "")}))
    assert seen.people_there(at) == 1
    assert seen.there_ahead(at, 14) == 1
    assert seen.there_ahead(at, 13) == 0


async def test_the_board_and_the_operators_are_told_numbers_and_people(site):
    await enter(site)
    waiting = await queue(site, 6)
    await ask_for(site, 2 * INTERVAL_MS, *waiting[:2])
    board = (await site.visitor().ask("GET", "/_sunbeon/vaccine/board")).json()
    assert (board["waiting"], board["people_waiting"]) == (6, 2)
    told = (await asked(site, "/api/rooms/vaccine")).json()
    assert (told["waiting"], told["people_waiting"], told["stock"]) == (6, 2, None)
    metrics = (await asked(site, "/metrics")).body.decode()
    assert 'sunbeon_waiting_users{room="vaccine"} 6.0' in metrics
    assert 'sunbeon_people_waiting{room="vaccine"} 2.0' in metrics


async def asked(site: Front, path: str) -> Answer:
    connection = await Connection.open(site.operator_port)
    try:
        await connection.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
        return await connection.answer()
    finally:
        await connection.close()


async def visits(site: Front, backend, left: int, *, people: int) -> int:
    """So many people come, one after another, and each takes one. What is left then."""
    for _ in range(people):
        holder = await enter(site)
        await report(site, backend, holder, f"Sunbeon-Stock: {left}")
        await holder.leave()
        await site.pass_time(1_000)
        left -= 1
    return left


async def test_a_stock_is_told_with_the_chance_that_it_is_gone_first(site, backend):
    nobody = site.visitor()
    assert (await nobody.status())["stock"] is None
    left = await visits(site, backend, 40, people=LEAST_VISITS + 10)
    holder = await enter(site)
    await report(site, backend, holder, f"Sunbeon-Stock: {left}")
    assert (await nobody.status())["stock"] == {"left": left, "chance_gone_percent": None}
    waiting = await queue(site, 20)
    assert (await waiting[19].status())["stock"]["chance_gone_percent"] is None
    await ask_for(site, 2 * INTERVAL_MS, *waiting)
    first, last = [(await each.status())["stock"] for each in (waiting[0], waiting[19])]
    assert (first["left"], last["left"]) == (left, left)
    assert first["chance_gone_percent"] <= 5
    assert last["chance_gone_percent"] >= 90
    for language, words in (("ko", KO), ("en", EN)):
        headers = {**BROWSER, "Accept-Language": language}
        for each, chance in ((waiting[0], None), (waiting[19], last["chance_gone_percent"])):
            each.headers = headers
            page = (await each.get()).body.decode()
            shown = words["stock_likely"].format(n=left, p=chance) in page.split("<script")[0]
            assert shown is (chance is not None)


async def test_a_stock_of_none_is_said_as_it_is(site, backend):
    holder = await enter(site)
    waiting = (await queue(site, 1))[0]
    await report(site, backend, holder, "Sunbeon-Stock: 0")
    await ask_for(site, 2 * INTERVAL_MS, waiting)
    assert (await waiting.status())["stock"] == {"left": 0, "chance_gone_percent": 100}
    assert EN["stock_none"] in (await waiting.get()).body.decode()


@pytest.mark.parametrize("meanwhile", [{}, {"message": {"en": "Soon"}}, {"total_active_users": 9, "mode": "open"}])
async def test_sold_out_said_while_the_store_is_away_is_carried_out_when_it_is_back(site, backend, meanwhile):
    holder = await enter(site)
    waiting = (await queue(site, 1))[0]
    await lose(site, for_ms=4_000)
    await report(site, backend, holder, "Sunbeon-Command: sold-out")
    assert site.line.will_sell_out
    if meanwhile:
        # Through another gateway; one that reopens nothing.
        await faulty_store(site)._store.update_settings("vaccine", meanwhile, expected_version=None)
    faulty_store(site).failure = None
    await find(site)
    await until(lambda: not site.line.will_sell_out, "the store is told")
    assert (await site.room()).limits.mode is Mode.SOLD_OUT
    told = await waiting.status()
    assert (told["room_state"], told["number"], told["place"]) == ("sold_out", 2, 2)
    assert [line["by"] for line in site.audit() if line["event"] == "sold_out"] == ["backend"]


async def test_sold_out_that_the_store_takes_too_long_to_hear_is_on_record_when_it_has(start, backend):
    site = await start(rooms=[ROOM], faulty=True)
    holder = await enter(site)
    site.line._patience_s = 0.05
    answers = faulty_store(site).stall = asyncio.Event()
    try:
        await report(site, backend, holder, "Sunbeon-Command: sold-out")
        assert not any(line["event"] == "sold_out" for line in site.audit())
    finally:
        faulty_store(site).stall = None
        answers.set()
    await until(lambda: any(line["event"] == "sold_out" for line in site.audit()), "it is on record")


async def test_sold_out_said_before_a_reopening_does_not_stop_what_was_reopened(site, backend):
    """This gateway was cut off; through another the room was stopped, and opened again with new stock."""
    holder = await enter(site)
    await lose(site, for_ms=4_000)
    await report(site, backend, holder, "Sunbeon-Command: sold-out")
    other = faulty_store(site)._store
    for mode in (Mode.SOLD_OUT, Mode.OPEN):
        await other.update_settings("vaccine", {"mode": mode}, expected_version=None)
    await find(site)
    await until(lambda: not site.line.will_sell_out, "the store is told")
    assert (await site.room()).limits.mode is Mode.OPEN


async def test_a_room_that_fails_open_lets_nobody_in_once_it_is_sold_out(start, backend):
    site = await start(rooms=[{**ROOM, "on_store_error": "admit"}], faulty=True)
    holder = await enter(site)
    waiting = (await queue(site, 1))[0]
    await lose(site, for_ms=4_000)
    await report(site, backend, holder, "Sunbeon-Command: sold-out")
    assert (await waiting.get()).gate == "waiting"
    assert (await site.visitor().get()).gate == "waiting"


async def test_a_second_worker_tells_the_same_stock_and_the_same_people(site, backend, tmp_path):
    holder = await enter(site)
    waiting = await queue(site, 4)
    await report(site, backend, holder, "Sunbeon-Stock: 1200")
    await ask_for(site, 2 * INTERVAL_MS, *waiting[:3])
    async with front(tmp_path, [backend], rooms=[ROOM]) as second:
        second.clock.now_ms = site.clock.now_ms
        await second.line.tick_now()
        await second.line.exchange()
        assert second.line.stock_left == 1200
        assert second.line.people_waiting == site.line.people_waiting == 3


async def test_of_one_snapshot_all_who_wait_are_told_from_one_forecast(site, monkeypatch):
    await enter(site)
    waiting = await queue(site, 6)
    made = []

    def counted(*asked):
        made.append(asked)
        return chances(*asked)

    await site.line.change({"new_users_per_minute": 30}, expected_version=None)
    monkeypatch.setattr("gateway.room.forecast.chances", counted)
    for each in waiting:
        assert (await each.status())["eta_ms"] is not None
    assert len(made) == 1
