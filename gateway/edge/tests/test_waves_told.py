"""What is told of waves: their draws to everybody, who waits in them to operators."""

import json
from hashlib import sha256

import pytest
from aiohttp import ClientSession

from gateway.cli import main as cli
from gateway.edge.tests.front import TOKEN, find, lose

HOUR_MS = 3_600_000
# Of the calendar: ages 50-52 (born 1969-1971) from the 20th at 20:00, a day after the clock's start.
BORN = "1970-05-04"


@pytest.fixture
async def site(start):
    room = {"calendar": "july-2021-announced", "queueing_method": "draw", "total_active_users": 1}
    return await start(faulty=True, rooms=[room])


async def line_up(site, people):
    crowd = [site.visitor() for _ in range(people)]
    for each in crowd:
        body = f"birth_date={BORN}&back=/".encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        await each.ask("POST", "/_sunbeon/vaccine/eligibility", body, headers)
        # The first brings the knock back, as the page does.
        await each.get()
    return crowd


@pytest.fixture
def wave(site):
    """The name of the evening's pre-queue."""
    pending = site.line.eligibility.pending(site.clock.now_ms)
    return min(pending, key=pending.__getitem__)


async def published(site, wave):
    got = await site.visitor().get(f"/_sunbeon/vaccine/draw?wave={wave}")
    assert (got.status, got.gate, got.one("Cache-Control")) == (200, "draw", "public, max-age=1")
    return got.json()


async def open_window(site, wave):
    site.clock.now_ms = site.line.eligibility.pending(site.clock.now_ms)[wave]
    await site.line.tick_now()


async def test_the_draw_of_a_wave_is_published_and_verified_offline_and_a_moved_place_is_caught(
    site, wave, tmp_path, capsys
):
    crowd = await line_up(site, 30)
    before = await published(site, wave)
    waiting = await crowd[0].status()
    assert (waiting["number"], waiting["place"], waiting["draw"], waiting["wave"]) == (1, None, "wave_pending", wave)
    assert (before["room"], before["method"]) == (f"vaccine~{wave}", "draw")
    assert {before[key] for key in ("base", "size", "secret")} == {None}
    await open_window(site, wave)
    after = await published(site, wave)
    assert (after["base"], after["size"], after["opens_at_ms"]) == (0, 30, before["opens_at_ms"])
    assert sha256(bytes.fromhex(after["secret"])).hexdigest() == before["commitment"]
    stand = [await each.status() for each in crowd]
    # Whoever is called by asking is inside, and of no place any more.
    told = [(each["number"], each["place"]) for each in stand if each["place"] is not None]
    assert len(told) >= 29
    assert {(each["draw"], each["wave"]) for each in stand if each["state"] == "waiting"} == {("wave_drawn", wave)}
    files = {name: tmp_path / name for name in ("before.json", "after.json", "told.csv", "moved.csv")}
    files["before.json"].write_text(json.dumps(before))
    files["after.json"].write_text(json.dumps(after))
    files["told.csv"].write_text("".join(f"{number},{place}\n" for number, place in told))
    files["moved.csv"].write_text("".join(f"{number},{place}\n" for number, place in [*told[1:], (told[0][0], 31)]))
    command = ["draw", "verify", str(files["after.json"]), "--before", str(files["before.json"]), "--places"]
    assert cli([*command, str(files["told.csv"])]) == 0
    assert cli([*command, str(files["moved.csv"])]) == 1
    assert f"number {told[0][0]} has place {told[0][1]}, not 31" in capsys.readouterr().out


async def test_while_the_store_is_away_the_secret_of_a_wave_stays_secret_beyond_its_opening(site, wave):
    await line_up(site, 2)
    await lose(site, for_ms=25 * HOUR_MS)
    told = await published(site, wave)
    assert (told["catching_up"], told["size"], told["secret"]) == (True, None, None)
    await find(site)
    await site.line.tick_now()
    assert (await published(site, wave))["size"] == 2


async def test_a_wave_of_a_room_that_draws_no_lots_says_so(start):
    site = await start(rooms=[{"calendar": "july-2021-announced"}])
    name = next(iter(site.line.eligibility.pending(site.clock.now_ms)))
    told = await published(site, name)
    assert (told["method"], told["commitment"], told["secret"]) == ("fifo", None, None)


@pytest.mark.parametrize("name", ["nobody", "", "~", "a" * 2_000, "%00", "%ED%A0%80"])
async def test_a_wave_there_is_not_is_not_found(site, name):
    got = await site.visitor().get(f"/_sunbeon/vaccine/draw?wave={name}")
    assert (got.status, got.gate) == (404, "not_found")


async def test_operators_see_who_waits_in_each_wave_and_when_it_opens(site, wave):
    await line_up(site, 3)
    await site.line.waves.look(site.line.snapshot)
    room = json.loads(await asked(site, "/api/rooms/vaccine"))
    assert room["waves"][wave] == {"waiting": 3, "opens_at": "2021-07-20T11:00:00+00:00"}
    metrics = await asked(site, "/metrics")
    assert f'sunbeon_prequeue_users{{room="vaccine",wave="{wave}"}} 3.0' in metrics
    await open_window(site, wave)
    (room,) = json.loads(await asked(site, "/api/rooms"))["rooms"]
    assert wave not in room["waves"]


async def asked(site, path):
    """By an operator."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"http://127.0.0.1:{site.operator_port}{path}"
    async with ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200
        return await answer.text()
