"""More than a worker can answer: newcomers are told to come back, in a few words; all others are served."""

import re

import pytest

from gateway.edge import overload
from gateway.edge.descriptors import RESERVED, most_connections
from gateway.edge.overload import CALM_S, HIGH_S, IN_A_ROW, RETRY_S, Overload
from gateway.edge.tests.backend import until
from gateway.edge.tests.front import BROWSER, Connection
from gateway.edge.tests.test_hot import asked

PAGE = b"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n%b\r\n"


def late(it: Overload, lag_s: float, now_s: float, times: int = IN_A_ROW) -> None:
    for _ in range(times):
        it.late(lag_s, now_s)


def test_it_begins_with_a_loop_that_stays_late_and_ends_when_it_was_in_time_for_a_while():
    it = Overload()
    late(it, HIGH_S / 2, 0.0)
    late(it, HIGH_S, 0.0, IN_A_ROW - 1)
    it.late(0.0, 0.5)
    late(it, HIGH_S, 0.6, IN_A_ROW - 1)
    assert not it.on
    it.late(HIGH_S, 1.0)
    assert it.on
    # Neither late nor in time: as it was.
    it.late(HIGH_S / 2, 2.0)
    it.late(0.0, 3.0)
    it.late(0.0, 3.0 + CALM_S / 2)
    assert it.on
    it.late(HIGH_S / 2, 3.1 + CALM_S / 2)
    it.late(0.0, 4.0 + CALM_S)
    assert it.on
    it.late(0.0, 4.0 + 2 * CALM_S)
    assert not it.on


async def test_the_loop_is_late_by_as_much_as_is_our_own_work(monkeypatch):
    seen: list[float] = []
    now = used = 100.0
    # How much later it comes round, and how much of that time this thread was at work.
    rounds = iter([(0.0, 0.01), (0.4, 0.4), (0.4, 0.02), (0.01, 0.05)])

    async def sleep(seconds):
        nonlocal now, used
        more_s, worked_s = next(rounds, (-1.0, 0.0))
        if more_s < 0:
            raise KeyboardInterrupt
        now += seconds + more_s
        used += worked_s

    it = Overload()
    monkeypatch.setattr(it, "late", lambda lag_s, _: seen.append(lag_s))
    with pytest.raises(KeyboardInterrupt):
        await it.watch(lambda: now, sleep, lambda: used)
    assert seen == pytest.approx([0.0, 0.4, 0.02, 0.01])


async def test_newcomers_are_told_to_come_back_and_all_others_are_served(site, backend):
    inside, waiting = site.visitor(headers=BROWSER), site.visitor(headers=BROWSER)
    assert (await inside.get()).gate is None
    await site.line.tick_now()
    assert await waiting.queue() == 2
    await site.pass_time(200)
    site.overload.on = True
    tail = (await site.room()).tail
    answers = [await asked(site.port, PAGE % b"") for _ in range(60)]
    told = set()
    for answer in answers:
        head, _, body = answer.partition(b"\r\n\r\n")
        retry = re.search(rb"\r\nRetry-After: (\d+)\r\n", head)
        assert answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\nSunbeon-Gate: busy\r\n")
        assert retry is not None
        assert f'content="{int(retry[1])}"' in body.decode()
        assert len(answer) < 1_200
        told.add(int(retry[1]))
    assert min(told) >= RETRY_S[0]
    assert max(told) <= RETRY_S[1]
    assert len(told) > 3
    assert (await site.room()).tail == tail
    assert (await waiting.status())["number"] == 2
    assert (await waiting.get()).gate == "waiting"
    assert (await inside.get()).gate is None
    assert site.overload.shed == 60
    site.overload.on = False
    assert b"\r\nSunbeon-Gate: waiting\r\n" in await asked(site.port, PAGE % b"")


async def test_where_there_is_room_newcomers_are_let_in_even_then(site):
    site.overload.on = True
    assert (await site.visitor(headers=BROWSER).get()).gate is None


async def test_beyond_the_most_connections_whoever_comes_is_turned_away_until_one_ends(start):
    site = await start(edge={"max_connections": 2})
    held = [await Connection.open(site.port) for _ in range(2)]
    turned_away = await asked(site.port, PAGE % b"")
    assert turned_away.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 10\r\n" in turned_away
    await held.pop().close()
    await until(lambda: site.server.open_connections == 1, "the connection has ended")
    assert (await site.visitor(headers=BROWSER).get()).gate is None
    assert site.server.refused["full"] == 1
    await held.pop().close()


def test_connections_leave_files_for_everything_else():
    assert most_connections(50_000, upstream=1_000, files=20_000) == 20_000 - 1_000 - RESERVED
    assert most_connections(5_000, upstream=1_000, files=20_000) == 5_000
    assert most_connections(5_000, upstream=1_000, files=1_024) == 512


def test_the_page_says_so_in_both_languages():
    _, body = overload._ANSWERS[0]
    assert "자동으로 다시 연결" in body.decode()
    assert "tries again by itself" in body.decode()
