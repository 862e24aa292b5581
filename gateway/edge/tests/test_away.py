"""While the store is away: places and turns are kept, passes go on for a while, nobody is admitted."""

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gateway.edge.facts import AWAY_POLL_MS
from gateway.edge.line import KNOCK_LIFETIME_MS
from gateway.edge.strings import EN, KO
from gateway.edge.tests.backend import answer, until
from gateway.edge.tests.front import BROWSER, Answer, Connection, Front, Visitor, faulty_store, find, front, lose
from gateway.room.model import Snapshot
from shared.wire import COMMAND_HEADER, STATUS_FIELDS, How

ENGLISH = {**BROWSER, "Accept-Language": "en"}
PROGRAM = {"Accept": "application/json"}


def told_above(got: Answer) -> str | None:
    """The line above the waiting page, if it is shown."""
    found = re.search('<p class="notice" id="n-away">([^<]+)</p>', got.body.decode())
    return found and found[1]


@pytest.fixture
async def site(start):
    return await start(faulty=True)


@pytest.fixture
async def holder(site) -> Visitor:
    """Who has the only seat."""
    visitor: Visitor = site.visitor()
    assert (await visitor.get()).gate is None
    await site.line.tick_now()
    return visitor


async def called(site: Front, holder: Visitor) -> Visitor:
    """Whose turn it is, and who has not asked since."""
    visitor = site.visitor(headers=ENGLISH)
    await visitor.queue()
    await holder.leave()
    await site.pass_time(200)
    return visitor


async def until_room(site: Front, look: Callable[[Snapshot], bool]) -> None:
    """Look until the room is so."""
    for _ in range(1000):
        if look(await site.room()):
            return
        await asyncio.sleep(0.005)
    raise AssertionError("did not happen")


# Who waits


@pytest.mark.parametrize(("language", "words"), [("ko", KO), ("en", EN)])
@pytest.mark.parametrize("for_ms", [0, 3_000, 90_000])
async def test_who_waits_keeps_the_waiting_page_with_number_and_place(site, holder, for_ms, language, words):
    first, waiting = site.visitor(), site.visitor(headers={**BROWSER, "Accept-Language": language})
    assert [await each.queue() for each in (first, waiting)] == [2, 3]
    await site.line.tick_now()
    await lose(site, for_ms=for_ms)
    got = await waiting.get()
    assert (got.status, got.gate) == (200, "waiting")
    page = got.body.decode()
    assert ">3</dd>" in page
    assert told_above(got) == (words["away_place"] if for_ms else None), "not before the numbers may have changed"
    assert b"s3cret" not in got.body
    if for_ms:
        seconds = int(page.partition('http-equiv="refresh" content="')[2].partition('"')[0])
        assert AWAY_POLL_MS[0] <= seconds * 1000 <= AWAY_POLL_MS[1]
    await find(site)
    assert told_above(await waiting.get()) is None


async def test_a_status_answer_says_that_it_is_old_and_since_when(site, holder):
    waiting = site.visitor()
    await waiting.queue()
    await site.line.tick_now()
    seen_ms = site.clock.now_ms
    await lose(site, for_ms=20_000)
    told = await waiting.status()
    assert list(told) == list(STATUS_FIELDS)
    assert (told["state"], told["number"], told["ahead"], told["eta_ms"]) == ("waiting", 2, 0, None)
    assert (told["catching_up"], told["as_of_ms"], told["server_time_ms"]) == (True, seen_ms, site.clock.now_ms)
    assert told["ticket"] == waiting.ticket
    await find(site)
    told = await waiting.status()
    assert (told["catching_up"], told["as_of_ms"]) == (False, site.clock.now_ms)


async def test_pages_are_told_to_come_back_at_different_moments(site, holder):
    waiting = site.visitor()
    await waiting.queue()
    await lose(site, for_ms=3_000)
    waits = [(await waiting.status())["poll_after_ms"] for _ in range(30)]
    assert AWAY_POLL_MS[0] <= min(waits) < max(waits) <= AWAY_POLL_MS[1]
    assert len(set(waits)) > 10


async def test_a_program_is_told_to_wait_and_when_to_come_back(site, holder):
    program = site.visitor(headers=PROGRAM)
    await program.get()
    await program.get()
    await lose(site, for_ms=3_000)
    got = await program.get()
    assert (got.status, got.gate, got.json()["number"], got.json()["catching_up"]) == (429, "waiting", 2, True)
    assert 5 <= int(got.one("Retry-After")) <= 15


async def test_a_form_sent_meanwhile_is_not_taken_for_done(site, holder, backend):
    waiting = site.visitor()
    await waiting.queue()
    await lose(site, for_ms=3_000)
    assert (await waiting.ask("POST", "/confirm", b"name=x")).status == 429
    assert len(backend.requests) == 1


async def test_the_board_goes_on_and_says_that_it_is_old(site, holder):
    seen_ms = (await site.visitor().get("/_sunbeon/vaccine/board")).json()["as_of_ms"]
    await lose(site, for_ms=10_000)
    got = await site.visitor().get("/_sunbeon/vaccine/board")
    told = got.json()
    assert (got.status, told["tail"], told["catching_up"], told["as_of_ms"]) == (200, 1, True, seen_ms)


async def test_who_is_called_but_cannot_be_let_in_is_told_that_the_turn_is_kept(site, holder, backend):
    visitor = await called(site, holder)
    await lose(site)
    got = await visitor.get()
    assert (got.status, got.gate) == (200, "waiting")
    assert told_above(got) == EN["away_turn"]
    told = await visitor.status()
    assert (told["state"], told["number"], told["catching_up"]) == ("called", 2, True)
    assert len(backend.requests) == 1
    await find(site)
    assert (await visitor.get()).gate is None
    assert (site.proof(backend.last).how, site.proof(backend.last).place) == (How.LINE, 2)


# Who comes


async def test_a_newcomer_gets_a_knock_and_later_a_number(site, holder, backend):
    await lose(site, for_ms=3_000)
    newcomer = site.visitor(headers=ENGLISH)
    got = await newcomer.get()
    assert (got.status, got.gate) == (200, "waiting")
    assert told_above(got) == EN["away_number"]
    knock = newcomer.ticket
    assert knock.startswith("knock.")
    told = await newcomer.status()
    assert (told["state"], told["number"], told["ticket"], newcomer.ticket) == ("waiting", None, knock, knock)
    await find(site)
    told = await newcomer.status()
    assert (told["state"], told["number"], told["catching_up"]) == ("waiting", 2, False)
    assert len(backend.requests) == 1


async def test_a_knock_about_to_lapse_is_replaced_so_that_nobody_waits_for_nothing(site, holder):
    newcomer = site.visitor()
    await newcomer.get()
    first = newcomer.ticket
    await lose(site, for_ms=KNOCK_LIFETIME_MS - 10_000)
    await newcomer.status()
    assert newcomer.ticket.startswith("knock.")
    assert newcomer.ticket != first
    site.clock.now_ms += 60_000
    kept = newcomer.ticket
    await newcomer.get()
    assert newcomer.ticket == kept
    await find(site)
    assert (await newcomer.status())["number"] == 2


async def test_a_ticket_that_is_none_is_refused_as_ever(site, holder):
    await lose(site, for_ms=3_000)
    assert (await site.visitor(cookies={"sunbeon_ticket_vaccine": "ticket.k.x.y"}).get()).gate == "forged"


async def test_a_ticket_of_a_line_that_is_over_is_refused_as_ever(site, holder):
    waiting = site.visitor()
    await waiting.queue()
    await site.line.reset(expected_version=None)
    await lose(site, for_ms=3_000)
    assert (await waiting.get()).gate == "old_epoch"


async def test_a_line_started_anew_that_was_not_heard_of_yet_is_no_reason_to_refuse(site, holder, backend):
    async with front(site.folder, [backend]) as other:
        await lose(site)
        await other.line.reset(expected_version=None)
        first, waiting = other.visitor(), other.visitor()
        await first.get()
        await other.line.tick_now()
        await waiting.queue()
    waiting.port = site.port
    got = await waiting.get()
    assert (got.status, got.gate) == (503, "unavailable")
    assert waiting.ticket is not None


async def test_what_needs_no_turn_goes_through(start, backend):
    rule = {"name": "health", "reason": "x", "paths": ["/healthz"]}
    site = await start(faulty=True, rooms=[{"bypass": [rule]}])
    await lose(site, for_ms=3_000)
    assert (await site.visitor().get("/healthz")).gate is None
    assert (await site.visitor().get("/")).gate == "waiting"
    assert site.proof(backend.last).how is How.EXEMPT


async def test_a_closed_room_stays_closed(site, holder):
    await site.change(mode="closed")
    await lose(site, for_ms=3_000)
    assert (await site.visitor().get()).gate == "closed"


async def test_nobody_can_leave_a_line_that_cannot_be_told(site, holder):
    waiting = site.visitor()
    await waiting.queue()
    await lose(site, for_ms=3_000)
    got = await waiting.leave()
    assert (got.status, got.gate) == (503, "unavailable")
    assert waiting.ticket is not None


# Who is inside


@pytest.mark.parametrize("for_ms", [1_000, 3_000, 59_000])
async def test_a_pass_goes_on_for_the_grace_and_is_counted(site, holder, backend, for_ms):
    await lose(site, for_ms=for_ms)
    got = await holder.get("/book")
    assert (got.status, got.gate, backend.last.target) == (200, None, "/book")
    claims = site.proof(backend.last)
    assert (claims.how, claims.number, claims.place) == (How.DIRECT, 1, 1)
    assert site.line.store_facts.grace == 1
    assert (await holder.status())["state"] == "inside"
    await find(site)
    assert (await site.counters())["grace"] == 2


@pytest.mark.parametrize(("grace_s", "for_ms"), [(60, 60_000), (5, 5_000), (0, 1_000)])
async def test_past_the_grace_no_pass_is_forwarded_and_the_turn_is_kept(start, backend, grace_s, for_ms):
    site = await start(faulty=True, edge={"pass_grace_s": grace_s})
    holder = site.visitor(headers=ENGLISH)
    await holder.get()
    await lose(site, for_ms=for_ms)
    kept = dict(holder.cookies)
    got = await holder.get()
    assert (got.status, got.gate, got.one("Retry-After")) == (503, "turn_kept", "5")
    assert EN["turn_kept_do"] in got.body.decode()
    assert (holder.cookies, len(backend.requests)) == (kept, 1)
    await find(site)
    assert (await holder.get()).gate is None


async def test_a_pass_that_this_gateway_never_met_is_not_taken_at_its_word(site, backend):
    async with front(site.folder, [backend]) as other:
        holder = other.visitor()
        assert (await holder.get()).gate is None
    await lose(site)
    holder.port = site.port
    assert (await holder.get()).gate == "turn_kept"
    assert len(backend.requests) == 1


@pytest.mark.parametrize("word", ["complete", "revoke"])
async def test_a_pass_that_ends_meanwhile_has_ended_and_the_store_is_told_when_it_is_back(site, holder, backend, word):
    kept = dict(holder.cookies)
    await lose(site)
    backend.reply = answer(b"done", f"{COMMAND_HEADER}: {word}")
    await holder.get()
    assert holder.cookies == {}
    backend.reply = answer()
    holder.cookies = dict(kept)
    for for_ms in (0, 3_000):
        await lose(site, for_ms=for_ms)
        got = await holder.get()
        assert (got.gate, EN["notice_ended"] in got.body.decode()) == ("waiting", True)
        assert holder.ticket.startswith("knock.")
        holder.cookies = dict(kept)
    await find(site)
    await until(lambda: len(site.line._untold) == 0, "the store is told")
    room = await site.room()
    assert (room.live, room.counters[{"complete": "completed", "revoke": "revoked"}[word]]) == (0, 1)
    assert len(backend.requests) == 2


# A store that does not answer


@contextmanager
def silence(site: Front) -> Iterator[None]:
    """The store takes every question and answers none until the context ends; visitors wait for a tenth of a second."""
    answers = faulty_store(site).stall = asyncio.Event()
    patience_s, site.line.patience_s = site.line.patience_s, 0.1
    try:
        yield
    finally:
        answers.set()
        faulty_store(site).stall = None
        site.line.patience_s = patience_s


async def test_a_store_that_keeps_silent_is_answered_for(site, holder):
    waiting, newcomer = site.visitor(), site.visitor()
    await waiting.queue()
    site.clock.now_ms += 1_000
    with silence(site):
        assert [(await each.get()).gate for each in (holder, waiting, newcomer)] == [None, "waiting", "waiting"]
        assert site.line.store_facts.errors["slow"] >= 1
        assert site.line.store_facts.grace == 1
    assert (await newcomer.status())["number"] == 3


async def test_a_number_given_too_late_is_told_to_whoever_brings_the_knock_back(site, holder):
    newcomer = site.visitor()
    assert (await newcomer.get()).gate == "waiting"
    knock = newcomer.ticket
    with silence(site):
        told = await newcomer.status()
        assert (told["number"], told["catching_up"], newcomer.ticket) == (None, True, knock)
    await until_room(site, lambda room: room.tail == 2)
    assert (await newcomer.status())["number"] == 2
    assert (await site.room()).tail == 2


async def test_a_number_given_too_late_comes_with_the_knock_that_replaced_the_one_about_to_lapse(site, holder):
    newcomer, tab = site.visitor(), site.visitor()
    await newcomer.get()
    first = newcomer.ticket
    await site.pass_time(KNOCK_LIFETIME_MS - 20_000)
    tab.cookies = dict(newcomer.cookies)
    with silence(site):
        assert (await newcomer.status())["catching_up"]
    assert newcomer.ticket != first
    await until_room(site, lambda room: room.tail == 2)
    assert (await tab.status())["number"] == 2
    await site.pass_time(60_000)
    assert (await newcomer.status())["number"] == 2
    assert (await site.room()).tail == 2


async def test_a_seat_granted_too_late_is_that_of_the_knock_that_replaced_the_one_about_to_lapse(site, holder):
    newcomer = site.visitor()
    await newcomer.get()
    await site.pass_time(KNOCK_LIFETIME_MS - 20_000)
    await holder.leave()
    await site.line.tick_now()
    with silence(site):
        assert (await newcomer.get()).gate == "waiting"
    await until_room(site, lambda room: room.live == 1)
    assert (await newcomer.get()).gate is None
    room = await site.room()
    assert (room.tail, room.live, room.counters["admitted"]) == (2, 1, 2)


async def test_a_seat_granted_to_a_newcomer_who_hung_up_before_it_came_is_given_back(site):
    async def ask() -> None:
        connection = await Connection.open(site.port)
        await connection.send(b"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n\r\n")
        await until(lambda: site.line._asked, "the store is asked")
        await connection.close()

    answers = faulty_store(site).stall = asyncio.Event()
    await ask()
    await asyncio.sleep(0.1)  # for the gateway to notice
    answers.set()
    await until_room(site, lambda room: room.counters.get("left") == 1)
    assert (await site.room()).live == 0


@pytest.mark.parametrize("knock", ["none", "lapsed"])
async def test_a_seat_granted_too_late_to_somebody_who_could_not_be_told_is_given_back(site, backend, knock):
    newcomer = site.visitor()
    if knock == "lapsed":
        holder = site.visitor()
        await holder.get()
        await site.line.tick_now()
        await newcomer.get()
        assert newcomer.ticket.startswith("knock.")
        await holder.leave()
        await site.pass_time(KNOCK_LIFETIME_MS)
    before = await site.room()
    with silence(site):
        assert (await newcomer.get()).gate == "waiting"
    left = before.counters.get("left", 0)
    await until_room(site, lambda room: room.counters.get("left", 0) > left)
    room = await site.room()
    assert (room.live, room.tail, room.counters["left"]) == (0, before.tail + 1, left + 1)
    assert room.counters["admitted"] == before.counters.get("admitted", 0) + 1
    await site.line.tick_now()
    assert (await newcomer.get()).gate is None
