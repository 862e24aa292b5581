"""A worker notes how its rooms stand, by the store's clock; operators read it."""

import csv
import io
from itertools import pairwise

import pytest

from gateway.console.tests.test_api import ask
from gateway.edge.latency import Latency
from gateway.edge.recorder import Recorder
from gateway.history import History
from gateway.points import SLOT_MS
from gateway.report.files import gather
from gateway.store.base import StoreUnavailable


@pytest.fixture
async def kept(site):
    """A history of our own of the site's rooms, and what notes it."""
    history = History(site.folder / "another.db", days=7)
    yield Recorder([*site.lines.values()], history), history
    await history.close()


async def read(site, history):
    await history.settle()
    return await history.read(site.line.name, 0, site.clock.now_ms * 2, SLOT_MS, lambda span: span.points)


async def test_a_point_is_made_once_in_a_slot_of_the_stores_clock(site, kept):
    recorder, history = kept
    for _ in range(25):
        recorder.look()
        await site.pass_time(1_000)
    points = await read(site, history)
    assert len(points) in {3, 4}
    assert {later.at_ms - point.at_ms for point, later in pairwise(points)} == {SLOT_MS}


async def test_it_says_who_came_in_who_waits_and_what_the_last_one_is_told(site, kept):
    recorder, history = kept
    inside = site.visitor()
    assert (await inside.get()).gate is None
    for _ in range(3):
        await site.visitor().queue()
    await site.line.flush()
    await site.pass_time(SLOT_MS)
    recorder.look()
    (point,) = await read(site, history)
    assert (point.live, point.ceiling, point.tail, point.waiting, point.outflow) == (1, 1, 4, 3, 6_000)
    assert point.counters["admitted"] == 1
    assert point.latency_p50_ms is not None
    assert point.latency_p95_ms >= point.latency_p50_ms
    status = await inside.status()
    assert status["state"] == "inside"
    assert 0 < point.wait_low_ms <= point.wait_high_ms


async def test_while_the_store_is_away_there_is_a_gap(start):
    site = await start(faulty=True)
    history = History(site.folder / "another.db", days=7)
    recorder = Recorder([*site.lines.values()], history)
    recorder.look()
    site.store.failure = StoreUnavailable("away")
    site.clock.now_ms += 60_000
    recorder.look()
    assert len(await read(site, history)) == 1
    site.store.failure = None
    await site.line.tick_now()
    recorder.look()
    assert len(await read(site, history)) == 2
    await history.close()


async def test_how_long_somebody_waited_is_in_the_audit_log(site):
    first, second = site.visitor(), site.visitor()
    await first.get()
    await second.queue()
    await site.pass_time(30_000)
    await first.leave()
    await site.pass_time(1_000)
    assert (await second.status())["state"] == "inside"
    waited = [line["waited_ms"] for line in site.audit() if line["event"] == "admitted"]
    assert waited[0] == 0
    assert 31_000 <= waited[1] <= 33_000


def test_percentiles_of_latency_are_of_what_came_since_they_were_asked_for():
    latency = Latency()
    assert latency.take() is None
    for ms in range(1, 101):
        latency.add(ms / 1000)
    measured = latency.take()
    assert measured is not None
    median, high = measured
    assert 50 <= median <= 55
    assert 95 <= high <= 104
    assert latency.take() is None
    latency.add(60)
    assert latency.take() in {(each, each) for each in range(60_000, 66_000)}


async def test_operators_read_columns_with_rates_and_csv(site):
    recorded = f"/api/rooms/{site.line.name}/history"
    recorder = Recorder([*site.lines.values()], history := History(site.folder / "history.db", days=7))
    for _ in range(3):
        for _ in range(2):
            visitor = site.visitor()
            await visitor.get()
            await visitor.leave()
        await site.line.flush()
        await site.pass_time(SLOT_MS)
        recorder.look()
        await history.settle()
    await history.close()
    told = (await ask(site, "GET", recorded)).json()
    assert told["step_s"] == 10
    lengths = {len(values) for values in told.values() if isinstance(values, list)}
    assert lengths == {len(told["time_ms"])}
    assert told["counters"]["admitted"][-1] == 6
    assert told["per_minute"]["admitted"][-1] == 12
    assert told["per_minute"]["arrivals"][-1] == 12
    got = await ask(site, "GET", recorded + ".csv")
    assert got.one("Content-Type") == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(got.body.decode())))
    assert len(rows) == len(told["time_ms"])
    assert (rows[-1]["admitted"], rows[-1]["admitted_per_minute"], rows[-1]["state"]) == ("6", "12.0", "open")
    later = (await ask(site, "GET", f"{recorded}?from={site.clock.now_ms + SLOT_MS}&before=9999999999999")).json()
    assert later["time_ms"] == []
    one = (await ask(site, "GET", f"{recorded}?from=2021-07-19T00:00:00+09:00&step_s=600")).json()
    assert one["step_s"] == 600


@pytest.mark.parametrize(
    "query",
    [
        "from=yesterday",
        "from=2021-07-19T20:00:00",
        "from=5&before=5",
        "step_s=0",
        "step_s=x",
        "step_s=1000000",
        "before=-1",
        "from=99999999999999999999999",
        "step_s=%D9%A3",
    ],
)
async def test_what_is_no_time_is_said(site, query):
    for path in ("history", "history.csv"):
        got = await ask(site, "GET", f"/api/rooms/{site.line.name}/{path}?{query}")
        assert (got.status, got.one("Content-Type")) == (422, "application/problem+json")


async def test_where_none_is_kept_and_where_there_is_no_room_is_said(start):
    site = await start(edge={"history_file": None})
    assert (await ask(site, "GET", f"/api/rooms/{site.line.name}/history")).status == 404
    assert (await ask(site, "GET", "/api/rooms/nowhere/history")).status == 404


async def test_a_report_is_made_of_what_a_gateway_wrote(site, kept):
    recorder, history = kept
    recorder.look()
    await history.settle()
    began_ms = site.clock.now_ms
    first, second = site.visitor(), site.visitor()
    await first.get()
    await second.queue()
    await site.pass_time(30_000)
    await first.leave()
    await site.pass_time(1_000)
    assert (await second.status())["state"] == "inside"
    await site.line.flush()
    await site.pass_time(SLOT_MS)
    recorder.look()
    await history.settle()
    report = gather(
        site.settings.room[0],
        from_ms=began_ms,
        before_ms=site.clock.now_ms + 1,
        logs=[site.folder / "audit.log"],
        history=site.folder / "another.db",
        made_ms=site.clock.now_ms,
    )
    assert report.holds
    assert report.admitted == report.gained("admitted") == 2
    assert report.tally.waits.percentiles((100,))[0] in {31, 32, 33}
    assert report.tally.order.overtaken == 0
