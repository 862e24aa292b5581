"""What is published of a draw: the commitment from the beginning, the secret only once lots are drawn."""

from hashlib import sha256

import pytest

from gateway.edge.tests.front import START_MS, find, lose
from gateway.room.draw import Draw

OPENING = {"queueing_method": "draw", "opens_at": "2021-07-19T20:05:00+09:00", "total_active_users": 2}
# From the clock's start, just past the opening.
TO_OPENING_MS = 301_000


@pytest.fixture
async def site(start):
    """A room that opens in five minutes and draws lots then."""
    return await start(rooms=[OPENING], faulty=True)


async def published(site):
    got = await site.visitor().get("/_sunbeon/vaccine/draw")
    assert (got.status, got.gate) == (200, "draw")
    return got.json()


async def secret_in_store(site):
    return (await site.room()).draw_secret


async def test_before_the_opening_only_the_commitment_is_published(site):
    secret = await secret_in_store(site)
    await site.visitor().queue()
    for answer in ("draw", "board", "status"):
        assert secret.encode() not in (await site.visitor().get(f"/_sunbeon/vaccine/{answer}")).body
    told = await published(site)
    assert (told["room"], told["epoch"], told["method"], told["recipe"]) == ("vaccine", 1, "draw", "sunbeon-draw-1")
    assert told["commitment"] == sha256(bytes.fromhex(secret)).hexdigest()
    assert (told["size"], told["secret"]) == (None, None)
    assert told["opens_at_ms"] == START_MS + 300_000


async def test_at_the_opening_size_and_secret_follow_and_fit(site):
    crowd = [site.visitor() for _ in range(5)]
    numbers = [await each.queue() for each in crowd]
    before = await published(site)
    await site.pass_time(TO_OPENING_MS)
    late = site.visitor()
    assert await late.queue() == 6
    told = await published(site)
    assert {key: told[key] for key in ("room", "epoch", "method", "commitment")} == {
        key: before[key] for key in ("room", "epoch", "method", "commitment")
    }
    assert told["size"] == 5
    draw = Draw(bytes.fromhex(told["secret"]), told["size"], told["room"], told["epoch"])
    stand = [await each.status() for each in crowd]
    assert [each["place"] for each in stand] == [draw.place(number) for number in numbers]
    assert {(each["draw"], each["draw_size"]) for each in stand} == {("drawn", 5)}
    assert (await late.status())["place"] == 6


async def test_nobody_has_a_place_before_lots_are_drawn(site):
    waiting = site.visitor()
    await waiting.queue()
    told = await waiting.status()
    assert (told["number"], told["place"], told["ahead"], told["eta_ms"]) == (1, None, None, None)
    assert (told["draw"], told["draw_size"]) == ("pending", None)


async def test_with_the_store_away_at_the_opening_the_secret_stays_secret_until_lots_are_drawn(site):
    secret = await secret_in_store(site)
    waiting = site.visitor()
    await waiting.queue()
    await lose(site, for_ms=TO_OPENING_MS + 10_000)
    told = await published(site)
    assert (told["catching_up"], told["size"], told["secret"]) == (True, None, None)
    assert told["as_of_ms"] < told["opens_at_ms"] < told["server_time_ms"]
    assert (await waiting.status())["draw"] == "pending"
    await find(site)
    await site.pass_time(1_000)
    told = await published(site)
    assert (told["catching_up"], told["size"], told["secret"]) == (False, 1, secret)


async def test_while_a_drawn_room_cannot_be_asked_its_draw_stays_published(site):
    await site.visitor().queue()
    await site.pass_time(TO_OPENING_MS)
    before = await published(site)
    await lose(site, for_ms=10_000)
    told = await published(site)
    assert told["catching_up"]
    assert (told["size"], told["secret"]) == (before["size"], before["secret"])
    assert told["secret"] is not None


async def test_after_a_reset_a_new_secret_is_committed_to_and_neither_is_told(site):
    await site.visitor().queue()
    await site.pass_time(TO_OPENING_MS)
    drawn = await published(site)
    # So that the new epoch is not drawn at once.
    await site.change(opens_at_ms=site.clock.now_ms + 60_000)
    await site.line.reset(expected_version=None)
    told = await published(site)
    assert (told["epoch"], told["size"], told["secret"]) == (2, None, None)
    assert told["commitment"] == sha256(bytes.fromhex(await secret_in_store(site))).hexdigest()
    assert told["commitment"] != drawn["commitment"]


async def test_an_opening_that_is_moved_keeps_what_was_committed_to_and_what_was_drawn(site):
    await site.visitor().queue()
    before = await published(site)
    await site.line.postpone(before["opens_at_ms"] + 60_000, reason="x", expected_version=None)
    moved = await published(site)
    assert (moved["commitment"], moved["secret"]) == (before["commitment"], None)
    assert moved["opens_at_ms"] == before["opens_at_ms"] + 60_000
    await site.pass_time(TO_OPENING_MS + 60_000)
    drawn = await published(site)
    await site.line.postpone(site.clock.now_ms + 60_000, reason="x", expected_version=None)
    again = await published(site)
    assert drawn["secret"] is not None
    assert (again["size"], again["secret"]) == (drawn["size"], drawn["secret"])


@pytest.mark.parametrize("method", ["fifo", "reject"])
async def test_a_room_that_draws_no_lots_says_so(start, method):
    site = await start(rooms=[{"queueing_method": method}])
    told = await published(site)
    assert told["method"] == "fifo"
    assert {told[key] for key in ("recipe", "commitment", "size", "secret")} == {None}
    status = await site.visitor().status()
    assert (status["draw"], status["draw_size"]) == (None, None)


async def test_where_people_were_called_already_there_are_no_lots_to_draw(start):
    site = await start()
    await site.visitor().get()
    await site.line.tick_now()
    await site.change(queueing_method="draw")
    told = await published(site)
    assert (told["method"], told["commitment"], told["secret"]) == ("fifo", None, None)


async def test_the_draw_is_the_same_for_everyone_and_may_be_cached_a_second(site):
    got = await site.visitor().get("/_sunbeon/vaccine/draw")
    assert got.one("Cache-Control") == "public, max-age=1"
    assert got.all("Set-Cookie") == []
    assert got.one("Vary") is None


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE"])
async def test_the_draw_can_only_be_read(site, method):
    got = await site.visitor().ask(method, "/_sunbeon/vaccine/draw")
    assert (got.status, got.one("Allow")) == (405, "GET")
