"""More than a worker can answer: newcomers are told to come back, in a few words; all others are served."""

import asyncio
import re
import socket
from collections import deque
from collections.abc import Callable
from unittest.mock import MagicMock

import pytest
import uvloop
from aiohttp import web

from gateway.edge import overload
from gateway.edge.certificate import ACCEPTED_IN_A_TURN, Site
from gateway.edge.descriptors import RESERVED, most_connections
from gateway.edge.overload import (
    BACKLOG,
    BEHIND_S,
    IN_A_ROW,
    LATE_S,
    MORE,
    PER_TURN,
    RETRY_S,
    SHORT_BACKLOG,
    WAITING,
    Overload,
    waiting_at,
)
from gateway.edge.tests.backend import until
from gateway.edge.tests.front import BROWSER, Connection, Front, Visitor
from gateway.edge.tests.test_hot import asked

PAGE = b"GET / HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\n%b\r\n"


class Quiet:
    """A connection that only notes what it is told."""

    def __init__(self, told: list[str], name: str) -> None:
        self.told = told
        self.name = name

    def rest(self) -> None:
        self.told.append(f"{self.name} rests")

    def go_on(self) -> None:
        self.told.append(f"{self.name} goes on")


def begun() -> Overload:
    it = Overload()
    for _ in range(IN_A_ROW):
        it.look(LATE_S)
    assert it.on
    return it


@pytest.mark.parametrize(("late_s", "waiting"), [(LATE_S, 0), (0.0, WAITING + 1)])
def test_it_begins_with_a_loop_that_stays_late_or_connections_that_wait(late_s, waiting):
    it = Overload()
    for _ in range(IN_A_ROW):
        it.look(LATE_S * 0.9, WAITING)
    for _ in range(IN_A_ROW - 1):
        it.look(late_s, waiting)
    it.look(0.0)
    for _ in range(IN_A_ROW - 1):
        it.look(late_s, waiting)
    assert not it.on
    it.look(late_s, waiting)
    assert it.on
    assert it.share == 0


def test_it_ends_when_all_newcomers_are_served_again_and_fewer_are_as_soon_as_it_is_behind():
    it = begun()
    for _ in range(20):
        it.look(0.0)
    served = it.share
    assert served == pytest.approx(20 * MORE)
    it.look(LATE_S)
    assert it.share == served / 2
    looks = 0
    while it.on:
        it.look(LATE_S * 0.9, WAITING)
        looks += 1
    assert looks == pytest.approx((1 - served / 2) / MORE, abs=1)
    assert not it.sheds()


def test_it_begins_and_goes_on_while_those_in_line_wait_long_for_their_turn():
    now, turns = 100.0, deque[Callable[[], None]]()
    it = Overload(monotonic=lambda: now, soon=turns.append)
    for each in range(IN_A_ROW + 1):
        assert it.on is (each == IN_A_ROW)
        it.hold(Quiet([], "one"))
        now += BEHIND_S * 1.1
        turns.popleft()()
        it.look(0.0)
    assert it.on
    it.share = 0.5
    it.hold(Quiet([], "one"))
    now += BEHIND_S * 0.9
    turns.popleft()()
    it.look(0.0)
    assert it.share == pytest.approx(0.5 + MORE)


def test_nobody_rests_as_long_as_a_turn_has_no_more_answers_than_it_may():
    turns = deque[Callable[[], None]]()
    it = Overload(soon=turns.append)
    told: list[str] = []
    for _ in range(5):
        for _ in range(PER_TURN):
            it.answered(Quiet(told, "one"))
        turns.popleft()()
    assert not turns
    assert not told


def test_who_is_answered_beyond_that_rests_until_all_before_them_have_gone_on_so_many_in_a_turn():
    turns = deque[Callable[[], None]]()
    it = Overload(soon=turns.append)
    told: list[str] = []
    for _ in range(PER_TURN):
        it.answered(Quiet(told, "one of the first"))
    people = [Quiet(told, str(number)) for number in range(PER_TURN + 2)]
    for each in people:
        it.answered(each)
    assert told == [f"{each.name} rests" for each in people]
    told.clear()
    turns.popleft()()  # the end of the turn was to be noticed
    turns.popleft()()
    assert told == [f"{each.name} goes on" for each in people[:PER_TURN]]
    # While anybody waits for a turn, everybody takes turns.
    it.answered(people[0])
    assert len(turns) == 1
    told.clear()
    turns.popleft()()
    assert told == [f"{name} goes on" for name in (PER_TURN, PER_TURN + 1, 0)]
    assert not turns
    it.answered(people[0])
    assert not turns


def test_fewer_connections_may_wait_while_there_is_too_much_to_do():
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = door.getsockname()
        clients = [socket.create_connection(address) for _ in range(3)]
        assert waiting_at(door) == 3
        door.accept()[0].close()
        assert waiting_at(door) == 2
        for each in clients:
            each.close()
    listens = MagicMock()
    it = begun()
    it.door = listens
    it.on = False
    it.look(LATE_S)
    listens.listen.assert_called_once_with(SHORT_BACKLOG)
    while it.on:
        it.look(0.0)
    listens.listen.assert_called_with(BACKLOG)


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

    it = Overload(monotonic=lambda: now)
    monkeypatch.setattr(it, "look", lambda late_s, _: seen.append(late_s))
    with pytest.raises(KeyboardInterrupt):
        await it.watch(sleep, lambda: used)
    assert seen == pytest.approx([0.0, 0.4, 0.02, 0.01])


def busy(site: Front) -> deque[Callable[[], None]]:
    """There is too much to do from now on, and nobody's turn comes but by calling what is in here."""
    turns = deque[Callable[[], None]]()
    site.overload.on, site.overload.share, site.overload._soon = True, 0.0, turns.append
    site.overload.answered = site.overload.hold  # type: ignore[method-assign]
    site.overload.look = lambda *_: None  # type: ignore[method-assign]  # for as long as the test takes
    return turns


def written(visitor: Visitor, target: str) -> bytes:
    sent = {**BROWSER, "Host": "site.test", "Cookie": "; ".join(f"{n}={v}" for n, v in visitor.cookies.items())}
    return (f"GET {target} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in sent.items()) + "\r\n").encode()


async def test_who_is_in_line_is_answered_in_full_in_their_turn_and_who_is_inside_does_not_wait_for_it(site):
    inside, waiting = site.visitor(), site.visitor()
    assert (await inside.get()).gate is None
    await site.line.tick_now()
    assert await waiting.queue() == 2
    turns = busy(site)
    by_line, by_pass = await Connection.open(site.port), await Connection.open(site.port)
    poll, page = written(waiting, "/_sunbeon/vaccine/status"), written(inside, "/")
    await by_line.send(poll)
    assert (await by_line.answer()).json()["number"] == 2
    # The next question stays where it is.
    await by_line.send(poll)
    for _ in range(3):
        await by_pass.send(page)
        assert (await by_pass.answer()).gate is None
    assert len(turns) == 1
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(by_line.reader.read(1), 0.05)
    turns.popleft()()
    assert (await by_line.answer()).json()["number"] == 2
    # A page of the waiting room's, which the ordinary path makes, is no other thing.
    turns.popleft()()
    await by_line.send(written(waiting, "/"))
    assert (await by_line.answer()).gate == "waiting"
    assert len(turns) == 1
    turns.popleft()()
    await by_line.send(poll)
    assert (await by_line.answer()).json()["number"] == 2
    await by_line.close()
    await by_pass.close()


async def test_who_rests_is_not_taken_for_idle(start):
    site = await start(edge={"keepalive_timeout_s": 0.05})
    assert (await site.visitor().get()).gate is None
    waiting = site.visitor()
    await waiting.queue()
    turns = busy(site)
    connection = await Connection.open(site.port)
    for _ in range(2):
        await connection.send(written(waiting, "/_sunbeon/vaccine/status"))
        if turns:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(connection.reader.read(1), 0.2)
            turns.popleft()()
        assert (await connection.answer()).json()["number"] == 2
    turns.popleft()()
    assert await connection.rest() == b""
    await connection.close()
    await until(lambda: site.server.open_connections == 0, "and ends as an idle one when it does not")


async def test_a_front_servers_connection_never_rests_as_it_brings_everybody(start):
    site = await start(edge={"trusted_proxies": ["127.0.0.0/8"]})
    assert (await site.visitor().get()).gate is None
    waiting = site.visitor()
    await waiting.queue()
    busy(site)
    connection = await Connection.open(site.port)
    for _ in range(3):
        await connection.send(written(waiting, "/_sunbeon/vaccine/status"))
        assert (await connection.answer()).json()["number"] == 2
    await connection.close()


async def test_a_newcomers_connection_ends_with_the_answer_and_everybody_elses_goes_on(site):
    inside, waiting = site.visitor(), site.visitor()
    assert (await inside.get()).gate is None
    await waiting.queue()
    busy(site)
    newcomer = await Connection.open(site.port)
    await newcomer.send(PAGE % b"")
    answer = await newcomer.answer()
    assert (answer.status, answer.gate, answer.one("Connection")) == (503, "busy", "close")
    assert await newcomer.rest() == b""
    await newcomer.close()
    cases = [
        (written(inside, "/"), None),
        (written(waiting, "/"), "waiting"),
        (PAGE % b"Sec-Fetch-Mode: cors\r\n", "waiting"),
        (b"GET /_sunbeon/vaccine/board HTTP/1.1\r\nHost: site.test\r\n\r\n", "board"),
        (b"HEAD / HTTP/1.1\r\nHost: site.test\r\n\r\n", "waiting"),
    ]
    for request, gate in cases:
        connection = await Connection.open(site.port)
        method = request.split()[0].decode()
        # In two pieces as well: nothing is decided by half a request.
        for pieces in ([request], [request[:20], request[20:]]):
            for piece in pieces:
                await connection.send(piece)
                await asyncio.sleep(0)
            assert (await connection.answer(method)).gate == gate, request
            site.overload._turn() if site.overload._held else None
        await connection.close()
    await until(lambda: site.server.open_connections == 0, "none is left")


async def test_some_newcomers_are_served_when_there_is_less_to_do_and_their_connection_goes_on(site):
    assert (await site.visitor().get()).gate is None
    await site.pass_time(200)
    assert await site.visitor().queue() == 2
    await site.pass_time(200)
    turns = busy(site)
    site.overload.share = 1.0
    newcomer = await Connection.open(site.port)
    await newcomer.send(PAGE % b"")
    assert (await newcomer.answer()).gate == "waiting"
    await newcomer.send(PAGE % b"")
    assert (await newcomer.answer()).gate == "waiting"
    await newcomer.send(PAGE % b"")
    turns.popleft()()
    assert (await newcomer.answer()).gate == "waiting"
    await newcomer.close()


async def test_a_new_connection_that_says_nothing_counts_and_is_not_waited_for(start):
    site = await start(edge={"header_timeout_s": 0.1, "max_connections": 2})
    busy(site)
    silent = [await Connection.open(site.port) for _ in range(2)]
    await until(lambda: site.server.open_connections == 2, "they count")
    assert b"Sunbeon-Gate: crowded" in await asked(site.port, PAGE % b"")
    for each in silent:
        assert await each.rest() == b""
        await each.close()
    await until(lambda: site.server.open_connections == 0, "they are gone")


async def test_the_first_request_of_a_connection_is_answered_at_once_though_it_comes_with_it(site):
    """As it does to a worker that is behind: a slower way for those would be one for when there is most to do."""
    assert (await site.visitor().get()).gate is None
    await site.pass_time(200)
    assert await site.visitor().queue() == 2
    await site.pass_time(200)
    wire = MagicMock(spec=asyncio.Transport)
    wire.is_closing.return_value = False
    wire.get_extra_info.return_value = None
    connection = site.server()
    connection.connection_made(wire)
    for number in (1, 2):
        connection.data_received(PAGE % b"")
        site.server.outbox.send()
        assert wire.write.call_count == number
        assert b"\r\nSunbeon-Gate: waiting\r\n" in wire.write.call_args[0][0]
    await asyncio.sleep(0)
    connection.data_received(PAGE % b"")
    site.server.outbox.send()
    assert wire.write.call_count == 3
    connection.connection_lost(None)


def test_several_connections_are_taken_in_a_turn_of_the_event_loop():
    count = 4 * ACCEPTED_IN_A_TURN

    async def turns() -> int:
        listener = socket.create_server(("127.0.0.1", 0), backlog=count)
        listener.setblocking(False)
        server = web.Server(lambda _: None)  # type: ignore[arg-type, return-value]  # nothing is asked
        runner = web.ServerRunner(server)
        await runner.setup()
        site = Site(runner, listener, backlog=count)
        await site.start()
        address = listener.getsockname()
        clients = [socket.create_connection(address) for _ in range(count)]
        taken = 0
        while len(server.connections) < count:
            await asyncio.sleep(0)
            taken += 1
        await runner.cleanup()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        for each in clients:
            each.close()
        return taken

    assert uvloop.run(turns()) < count / 2


async def test_newcomers_are_told_to_come_back_and_all_others_are_served(site, backend):
    inside, waiting = site.visitor(headers=BROWSER), site.visitor(headers=BROWSER)
    assert (await inside.get()).gate is None
    await site.line.tick_now()
    assert await waiting.queue() == 2
    await site.pass_time(200)
    busy(site)
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
    busy(site)
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
