"""What is measured as a worker goes, and by which words it is told."""

import asyncio

import pytest

from gateway.edge.answers import STATUS
from gateway.metrics import Meters, Pool, kind_of
from gateway.store.base import StoreUnavailable
from gateway.store.timed import OPERATIONS, timed


def told(meters: Meters) -> list[str]:
    return Pool(meters.collect).scrape().decode().splitlines()


def test_durations_are_told_by_kind_of_answer():
    meters = Meters()
    meters.answered(kind_of("waiting"), 0.002)
    meters.answered(kind_of("forged"), 0.2)
    lines = told(meters)
    assert 'sunbeon_request_duration_seconds_bucket{kind="waiting",le="0.0025"} 1.0' in lines
    assert 'sunbeon_request_duration_seconds_bucket{kind="refused",le="0.1"} 0.0' in lines
    assert 'sunbeon_request_duration_seconds_bucket{kind="refused",le="0.25"} 1.0' in lines
    assert 'sunbeon_request_duration_seconds_sum{kind="refused"} 0.2' in lines


def test_kinds_stay_few_whatever_the_gate_answers():
    kinds = {
        kind_of(word) for word in (*STATUS, "waiting", "status", "board", "draw", "jwks", "eligibility", "new", "")
    }
    assert kinds == {"waiting", "status", "board", "eligibility", "refused", "failed", "other"}


def test_the_backend_is_counted_by_class_or_by_why_it_failed():
    meters = Meters()
    meters.backend_answered(204, 0.02)
    meters.backend_answered(503, 0.02)
    meters.backend_failed("timeout")
    lines = told(meters)
    for result in ("2xx", "5xx", "timeout"):
        assert f'sunbeon_backend_answers_total{{result="{result}"}} 1.0' in lines
    assert "sunbeon_backend_response_seconds_count 2.0" in lines


def test_no_moment_of_creation_is_told_as_it_would_be_of_one_worker():
    meters = Meters()
    meters.answered("status", 0.1)
    assert not [line for line in told(meters) if "_created" in line]


async def test_a_loop_that_stands_still_is_seen():
    moments = iter((10.0, 11.002, 20.0, 21.4, 30.0))
    naps = iter(range(2))

    async def sleep(_seconds: float) -> None:
        if next(naps, None) is None:
            raise asyncio.CancelledError

    meters = Meters()
    with pytest.raises(asyncio.CancelledError):
        await meters.watch_loop(lambda: next(moments), sleep)
    lines = told(meters)
    assert 'sunbeon_event_loop_lag_seconds_bucket{le="0.005"} 1.0' in lines
    assert 'sunbeon_event_loop_lag_seconds_bucket{le="0.25"} 1.0' in lines
    assert 'sunbeon_event_loop_lag_seconds_bucket{le="0.5"} 2.0' in lines


class Store:
    name = "a store"

    async def join(self, room, knocks, *, expires_ms):
        if expires_ms < 0:
            raise StoreUnavailable("away")
        return [len(room), *knocks]

    def recall(self, _room, ref):
        return ref


async def test_calls_to_the_store_are_timed_and_otherwise_as_they_were():
    heard: list[tuple[str, float]] = []
    store = timed(Store(), lambda *call: heard.append(call))  # type: ignore[arg-type]
    assert await store.join("hall", [1, 2], expires_ms=5) == [4, 1, 2]
    with pytest.raises(StoreUnavailable):
        await store.join("hall", [], expires_ms=-1)
    assert store.recall("hall", 7) == 7  # type: ignore[arg-type, comparison-overlap]
    assert store.name == "a store"  # type: ignore[attr-defined]
    assert [name for name, took_s in heard if took_s >= 0] == ["join", "join"]


def test_every_call_that_asks_the_store_is_timed():
    assert {"join", "claim", "renew", "look", "load", "commit", "complete", "leave", "count", "observe"} <= OPERATIONS
    assert not OPERATIONS & {"recall", "close"}
