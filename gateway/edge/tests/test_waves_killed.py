"""Gateways are killed (SIGKILL) while people line up in a wave; no number that was told is lost or doubled."""

import subprocess
import sys

from gateway.edge.line import Line
from gateway.edge.tests.front import ROOM
from gateway.edge.tests.wave_joiner import WAVE
from gateway.room.decide import place_of_ticket
from gateway.room.ticket import Ticket
from gateway.settings import Room
from gateway.store.batching import BatchingStore
from gateway.store.open import open_store
from gateway.store.tests.conftest import redis_cluster, redis_server, shared_url, valkey_server

__all__ = ["redis_cluster", "redis_server", "shared_url", "valkey_server"]

TOLD = 200


def line_up_and_kill(url: str) -> list[int]:
    """The numbers told by two gateways at once, each killed amid its work."""
    command = [sys.executable, "-m", "gateway.edge.tests.wave_joiner", url]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    told: list[int] = []
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        told += [int(process.stdout.readline()) for _ in range(TOLD)]
    for process in started:
        process.kill()
    for process in started:
        # The last line may be cut short: it was never told.
        rest = process.communicate()[0]
        told += [int(number) for number in rest[: rest.rfind(b"\n") + 1].split()]
    return told


async def test_no_number_of_a_wave_is_lost_or_doubled_when_every_gateway_is_killed_before_its_window_opens(shared_url):
    told = line_up_and_kill(shared_url)
    assert len(told) >= 2 * TOLD
    store = BatchingStore(open_store(shared_url, timeout_s=10))
    try:
        # By now it has opened; that there was such a wave, the calendar says.
        line = Line(
            Room.model_validate(ROOM), store, secure=False, pending=lambda at_ms: {WAVE: 1} if at_ms < 1 else {}
        )
        await line.start()
        # Long ago, so that a ticket has to tell.
        await line.catch_up(Ticket(line.snapshot.epoch, told[0], 0, wave=WAVE))
        later = await line.join(line.new_knock())
        tickets = [Ticket(line.snapshot.epoch, number, 0, wave=WAVE) for number in told]
        places = [place_of_ticket(ticket, line.snapshot) for ticket in tickets]
        assert len(set(places)) == len(told)
        assert None not in places
        assert later.number == line.snapshot.blocks[WAVE].size + 1
        assert line.snapshot.blocks[WAVE].size >= max(told)
    finally:
        await store.close()
