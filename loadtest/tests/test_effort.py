"""What a run says of the generator itself."""

import asyncio
import resource
import time

import pytest

from loadtest import effort as efforts
from loadtest.effort import Effort, Meter, sockets_allowed
from loadtest.tally import Tally


def test_the_ceiling_is_what_one_processor_can_send_at_the_price_of_this_run() -> None:
    effort = Effort(requests=20_000, cpu_s=2.0, fullest_per_s=4_000, fullest_cpu=0.25)
    assert (effort.us_per_request, effort.ceiling_per_s) == (100, 16_000)
    assert effort.told()["ceiling_per_s"] == 16_000
    assert Effort().told()["ceiling_per_s"] is Effort().told()["us_per_request"] is None


async def test_the_fullest_second_and_the_busiest_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(efforts, "LOOK_EVERY_S", 0.02)
    tally = Tally()
    meter = Meter(tally)
    watching = asyncio.create_task(meter.watch())
    await asyncio.sleep(0)
    until_s = time.process_time() + 0.03
    while time.process_time() < until_s:
        tally.requests += 1
    await asyncio.sleep(0.06)
    watching.cancel()
    effort = meter.read()
    assert effort.requests == tally.requests
    assert effort.fullest_per_s > 0
    assert 0 < effort.fullest_cpu <= effort.busiest_cpu
    assert effort.cpu_s >= 0.03
    assert effort.most_mib > 1


def test_no_more_connections_than_files_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    limits, raised = (1_024, 4_096), []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: raised.append(pair))
    assert (sockets_allowed(256), raised) == (256, [])
    assert (sockets_allowed(2_000), raised) == (2_000, [(2_128, 4_096)])
    assert (sockets_allowed(20_000), raised[1:]) == (4_096 - 128, [(4_096, 4_096)])
