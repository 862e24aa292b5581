"""A room whose operator chose that everyone goes in while its store is away: loudly, and only if it was open."""

import pytest

from gateway.edge.tests.backend import answer
from gateway.edge.tests.front import Front, find, lose
from gateway.store.base import StoreUnavailable
from shared.wire import COMMAND_HEADER, How


@pytest.fixture
def opened(start):
    """Start a gateway whose operator chose to let everyone in while the store is away."""

    async def start_one(**room) -> Front:
        made: Front = await start(faulty=True, rooms=[{"on_store_error": "admit", **room}])
        return made

    return start_one


async def test_a_room_that_fails_open_lets_everyone_in_and_says_so_loudly(opened, backend, caplog):
    site = await opened()
    holder, waiting, newcomer = (site.visitor() for _ in range(3))
    await holder.get()
    await site.line.tick_now()
    await waiting.queue()
    assert (await newcomer.get()).gate == "waiting"
    await lose(site)
    for each in (waiting, newcomer):
        # Of the first moments the line may still say "wait": it does not ask the store for that.
        await lose(site, for_ms=3_000)
        assert (await each.get("/book")).gate is None
        claims = site.proof(backend.last)
        assert (claims.how, claims.number, claims.rule) == (How.FAIL_OPEN, None, None)
    assert (await holder.get()).gate is None
    assert site.proof(backend.last).how is How.DIRECT
    assert [line["epoch"] for line in site.audit() if line["event"] == "failed_open"] == [1, 1]
    facts = site.line.store_facts
    assert (facts.let_in, facts.fails_open) == (2, True)
    assert "let in without the line" in caplog.text
    await find(site)
    assert (await site.counters())["fail_open"] == 2
    site.clock.now_ms += 20_000
    await site.line.tick_now()
    assert not site.line.store_facts.fails_open
    assert (await site.visitor().get()).gate == "waiting"


async def test_a_newcomer_is_let_in_as_soon_as_the_store_fails(opened, backend):
    site = await opened()
    await lose(site)
    assert (await site.visitor().get()).gate is None
    assert site.proof(backend.last).how is How.FAIL_OPEN


@pytest.mark.parametrize(
    "room",
    [
        {"state": "closed"},
        {"state": "sold_out"},
        {"state": "paused"},
        {"opens_at": "2021-07-19T20:00:05+09:00"},
        {"total_active_users": 0},
        {"new_users_per_minute": 0},
    ],
)
async def test_a_room_in_which_nobody_was_let_in_does_not_fail_open(opened, backend, room):
    site = await opened(**room)
    visitors = [site.visitor() for _ in range(2)]
    await visitors[0].get()
    await visitors[0].status()
    await lose(site, for_ms=10_000)
    for each in visitors:
        assert (await each.get()).gate in {"waiting", "closed", "sold_out"}
    assert backend.requests == []


async def test_a_forged_or_outdated_ticket_lets_nobody_in(opened, backend):
    site = await opened(total_active_users=1)
    holder, waiting = site.visitor(), site.visitor()
    await holder.get()
    await site.line.tick_now()
    await waiting.queue()
    await site.line.reset(expected_version=None)
    await lose(site, for_ms=3_000)
    assert (await waiting.get()).gate == "old_epoch"
    assert (await site.visitor(cookies={"sunbeon_pass_vaccine": "x"}).get()).gate == "forged"
    assert len(backend.requests) == 1


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_a_pass_that_was_revoked_lets_nobody_in(opened, backend, when):
    # With a seat to spare: the line is asked about everyone who comes, whenever it was last looked at.
    site = await opened(total_active_users=2)
    visitor = site.visitor()
    await visitor.get()
    kept = dict(visitor.cookies)
    if when == "meanwhile":
        await lose(site)
    backend.reply = answer(b"out", f"{COMMAND_HEADER}: revoke")
    await visitor.get()
    backend.reply = answer()
    await lose(site)
    visitor.cookies = {name: value for name, value in kept.items() if "pass" in name}
    assert (await visitor.get()).gate == "turn_kept"
    assert len(backend.requests) == 2


async def test_a_full_room_without_a_line_fails_open_too(opened, backend):
    site = await opened(queueing_method="reject")
    await site.visitor().get()
    await site.line.tick_now()
    assert (await site.visitor().get()).gate == "full"
    await lose(site, for_ms=3_000)
    assert (await site.visitor().get()).gate is None


async def test_while_a_wave_cannot_be_let_in_newcomers_wait_behind_it_and_are_not_let_past(
    opened, backend, monkeypatch
):
    site = await opened(calendar="july-2021-announced", total_active_users=3)
    wave, newcomer = site.visitor(), site.visitor()
    await _say(wave, "1970-05-04")
    assert (await wave.get()).gate == "waiting"
    load = site.store.load

    async def load_room_only(room):
        if "~" in room:
            raise StoreUnavailable("away")
        return await load(room)

    monkeypatch.setattr(site.store, "load", load_room_only, raising=False)
    site.clock.now_ms += 86_400_000
    await site.line.tick_now()
    await _say(newcomer, "1963-05-04")
    assert (await newcomer.get()).gate == "waiting"
    assert backend.requests == []
    assert (await newcomer.status())["catching_up"]
    monkeypatch.undo()
    assert (await newcomer.get()).gate is None
    assert site.proof(backend.last).number == 2, "the wave came first"
    assert "fail_open" not in await site.counters()


async def _say(visitor, birth):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await visitor.ask("POST", "/_sunbeon/vaccine/eligibility", f"birth_date={birth}".encode(), headers)).status
