"""The audit log as operators see it: newest first, as written, bounded, with the head of its chain."""

import pytest

from gateway import audit_tail
from gateway.audit import Audit
from gateway.audit_tail import newest
from gateway.console.tests.test_api import ask, patch

AUDIT = "/api/rooms/north/audit"


@pytest.fixture
def log(tmp_path):
    """The log of rooms `north` and `south`: 1,000 admissions each, in turn, and a change among the first of them."""
    path = tmp_path / "log"
    audit = Audit(path)
    for number in range(1, 1_001):
        for room in ("north", "south"):
            audit.admitted(room, number, number=number, place=number)
        if number == 5:
            audit.operated("settings", "north", number, by=None, changed={})
    yield path
    audit.close()


def test_the_newest_lines_of_a_room_are_read_from_the_end(log):
    found = newest(log, "north", 3)
    assert [line["number"] for line in found.lines] == [1_000, 999, 998]
    assert all(line["room"] == "north" and len(line["hash"]) == 64 for line in found.lines)
    assert not found.whole


def test_all_of_a_log_can_be_read_and_every_line_of_it_once(log):
    found = newest(log, "south", 5_000)
    assert [line["number"] for line in found.lines] == list(range(1_000, 0, -1))
    assert found.whole


@pytest.mark.parametrize("chunk", [1, 17, 150, 151, 152, 4_000])
def test_what_operators_did_is_found_wherever_a_chunk_ends(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(audit_tail, "_CHUNK", chunk)
    audit = Audit(tmp_path / "log")
    for number in range(60):
        if number % 7 == 3:
            audit.operated("settings", "north", number, by="kim", changed={})
        audit.admitted("north", number, number=number, why="x" * number)
    found = audit.newest("north", 50, operators=True)
    audit.close()
    assert found is not None
    assert [line["time_ms"] for line in found.lines] == [59, 52, 45, 38, 31, 24, 17, 10, 3]
    assert found.whole


def test_no_more_than_a_bound_is_read(log, monkeypatch):
    monkeypatch.setattr(audit_tail, "MOST_BYTES", 10_000)
    monkeypatch.setattr(audit_tail, "_CHUNK", 999)
    found = newest(log, "north", 5_000)
    assert 10 < len(found.lines) < 100
    assert [line["number"] for line in found.lines] == list(range(1_000, 1_000 - len(found.lines), -1))
    assert not found.whole


def test_half_a_line_and_what_is_none_are_passed_over(log):
    with log.open("ab") as file:
        file.write(b'{"room":"north","event":"admit\nnothing\n{"room":"north","seq":1')
    assert [line["number"] for line in newest(log, "north", 2).lines] == [1_000, 999]


async def test_what_operators_did_is_found_among_admissions_with_the_head_of_the_chain(site):
    await patch(site, {"total_active_users": 7})
    visitor = site.visitor(room="north")
    await visitor.get("/n")
    every = (await ask(site, "GET", AUDIT)).json()
    assert [line["event"] for line in every["lines"]] == ["admitted", "settings"]
    assert every["head"]["hash"] == every["lines"][0]["hash"]
    done = (await ask(site, "GET", f"{AUDIT}?by=operators&limit=5")).json()
    assert [line["changed"] for line in done["lines"]] == [{"total_active_users": {"from": 1, "to": 7}}]
    assert (await ask(site, "GET", "/api/rooms/south/audit")).json()["lines"] == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "limit=-1", "by=kim", "limit=", "limit=9999999999"]
)
async def test_what_cannot_be_asked_is_refused(site, query):
    assert (await ask(site, "GET", f"{AUDIT}?{query}")).status == 422


def test_a_log_that_is_not_kept_is_none():
    assert Audit(None).newest("north", 1, operators=False) is None


async def test_a_line_that_no_gateway_wrote_and_a_log_that_was_moved_away_are_told_plainly(site):
    await patch(site, {"idle_limit_s": 77})
    log = site.settings.gateway.audit_log
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    log.write_bytes(log.read_bytes() + b'{"seq":9,"room":"north","x":' + deep + b',"hash":"' + b"0" * 64 + b'"}\n')
    got = await ask(site, "GET", AUDIT)
    assert (got.status, "no gateway wrote" in got.json()["title"]) == (503, True)
    log.rename(log.with_name("away"))
    got = await ask(site, "GET", AUDIT)
    assert (got.status, got.json()["lines"], got.json()["whole"]) == (200, [], False)
