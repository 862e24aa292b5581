"""The composition of a worker: what it opens, it gives back; what it cannot open, it says; keys are followed."""

import asyncio
import gc
import sqlite3

import pytest
from aiohttp import web

from gateway import app, keys
from gateway.app import gateway
from gateway.edge.tests.backend import Backend, running
from gateway.edge.tests.front import TOKEN, Faulty, front
from gateway.keys import KeyFileProblem
from gateway.settings import Settings
from gateway.store.base import StoreError, StoreMisconfigured, StoreUnavailable
from gateway.store.sqlite import SqliteStore
from shared.errors import SettingsError


def settings(folder, **edge) -> Settings:
    return Settings.model_validate(
        {
            "gateway": {
                "keys_file": str(folder / "keys.json"),
                "audit_log": str(folder / "audit.log"),
                "history_file": str(folder / "history.db"),
                "store": f"sqlite:///{folder}/queue.db",
                **edge,
            },
            "upstream": {"servers": ["http://127.0.0.1:9"]},
            "room": [{"name": "vaccine"}],
        }
    )


@pytest.fixture
async def backend():
    async with running(Backend()) as made:
        yield made


async def test_a_worker_gives_back_everything_it_opened(tmp_path):
    keys.create(tmp_path / "keys.json")
    before = len(asyncio.all_tasks())
    async with gateway(settings(tmp_path), operator_token=TOKEN) as (server, console, *_):
        assert isinstance(server, web.Server)
        assert isinstance(console, web.Application)
        assert len(asyncio.all_tasks()) > before
    assert len(asyncio.all_tasks()) == before
    gc.collect()  # what was not closed would warn, and warnings are errors here
    assert sqlite3.connect(tmp_path / "queue.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_without_an_operator_token_no_worker_starts(tmp_path):
    keys.create(tmp_path / "keys.json")
    with pytest.raises(ValueError, match="token"):
        async with gateway(settings(tmp_path), operator_token=""):
            pass


async def test_without_keys_no_worker_starts(tmp_path):
    with pytest.raises(KeyFileProblem, match="sunbeon keys create"):
        async with gateway(settings(tmp_path), operator_token=TOKEN):
            pass


async def test_with_a_damaged_database_no_worker_starts_and_the_file_is_left_alone(tmp_path):
    keys.create(tmp_path / "keys.json")
    (tmp_path / "queue.db").write_bytes(b"this is no database" * 400)
    with pytest.raises(StoreError, match=r"queue\.db"):
        async with gateway(settings(tmp_path), operator_token=TOKEN):
            pass
    assert (tmp_path / "queue.db").read_bytes() == b"this is no database" * 400


async def test_a_store_that_no_waiting_mends_is_a_wrong_setting(tmp_path):
    keys.create(tmp_path / "keys.json")
    store = Faulty(SqliteStore(tmp_path / "queue.db"))
    store.failure = StoreMisconfigured("the server is too old")
    with pytest.raises(SettingsError) as caught:
        async with gateway(settings(tmp_path), operator_token=TOKEN, store=store):
            pass
    assert caught.value.problems == ("gateway.store: the server is too old",)


async def test_a_store_that_is_away_is_named_and_no_wrong_setting(tmp_path):
    keys.create(tmp_path / "keys.json")
    store = Faulty(SqliteStore(tmp_path / "queue.db"))
    store.failure = StoreUnavailable("no answer")
    with pytest.raises(StoreUnavailable, match=r"gateway\.store: no answer"):
        async with gateway(settings(tmp_path), operator_token=TOKEN, store=store):
            pass


async def test_without_an_audit_log_that_was_asked_for_no_worker_starts(tmp_path):
    keys.create(tmp_path / "keys.json")
    with pytest.raises(OSError, match="directory"):
        async with gateway(settings(tmp_path, audit_log=str(tmp_path)), operator_token=TOKEN):
            pass


async def test_a_running_worker_follows_a_rotation_and_honours_earlier_tickets(tmp_path, backend, monkeypatch):
    monkeypatch.setattr(app, "KEYS_LOOK_S", 0.02)
    async with front(tmp_path, [backend]) as site:
        holder, waiting = site.visitor(), site.visitor()
        await holder.get()
        await site.line.tick_now()
        number = await waiting.queue()
        keys.rotate(tmp_path / "keys.json")
        kids = {info.use: info.kid for info in keys.describe(tmp_path / "keys.json") if info.signs}

        for _ in range(500):
            newcomer = site.visitor()
            await newcomer.get()
            if str(newcomer.ticket).split(".")[1] == kids["cookies"]:
                break
            await asyncio.sleep(0.01)
        assert (await waiting.status())["number"] == number
        assert str(waiting.ticket).split(".")[1] == kids["cookies"]
        assert (await holder.get()).gate is None
        assert site.proof(backend.last).number == 1


async def test_a_restart_keeps_every_place_and_every_pass(tmp_path, backend):
    async with front(tmp_path, [backend]) as site:
        holder, waiting = site.visitor(), site.visitor()
        await holder.get()
        await site.line.tick_now()
        assert await waiting.queue() == 2
    async with front(tmp_path, [backend]) as site:
        holder.port = waiting.port = site.port
        assert (await holder.get()).gate is None
        assert (await waiting.status())["number"] == 2
        assert (await site.room()).tail == 2


async def test_two_workers_keep_one_line(tmp_path, backend):
    async with front(tmp_path, [backend]) as one, front(tmp_path, [backend]) as two:
        holder = one.visitor()
        await holder.get()
        for site in (one, two):
            await site.line.tick_now()
        crowd = [site.visitor() for site in (one, two) for _ in range(10)]
        numbers = await asyncio.gather(*(each.queue() for each in crowd))
        assert sorted(numbers) == list(range(2, 22))
        holder.port = two.port
        assert (await holder.get()).gate is None
        assert (await two.room()).live == 1


async def test_counts_of_the_last_moment_are_written_on_the_way_out(tmp_path, backend):
    async with front(tmp_path, [backend]) as site:
        await site.visitor(cookies={"sunbeon_ticket_vaccine": "x"}).get()
    async with front(tmp_path, [backend]) as site:
        assert (await site.room()).counters["refused.forged"] == 1
