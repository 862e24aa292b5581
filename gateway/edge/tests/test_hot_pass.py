"""A pass that was not used for a second: the store is asked, and the request goes on, or the ordinary way, and once."""

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any, Self

import pytest

from gateway.edge import facts, hot_pass
from gateway.edge.hot_forward import HotForward
from gateway.edge.hot_pass import Confirming
from gateway.edge.later import LATER
from gateway.edge.living import HOLDS_S, NEAR_END_MS
from gateway.edge.patience import Patience
from gateway.edge.tests.backend import answer, until
from gateway.edge.tests.forwarded import SMALL, Watch, inside, the_same
from gateway.edge.tests.front import Connection, Front, Visitor, faulty_store, lose
from gateway.edge.untold import ref_of
from gateway.keys import KeyStore
from gateway.room.match import BypassRule
from gateway.room.model import Mode
from gateway.room.ticket import Knock, Pass, verify
from gateway.store.base import PassRef, StoreUnavailable

HOLDS_MS = int(HOLDS_S * 1000)


class Same(random.Random):
    """Every poll is spread alike."""

    def getrandbits(self, k):
        return 12_345 % (1 << k)


@pytest.fixture
async def site(start):
    made = await start(rooms=[{"paths": ["/book"], "session_length_s": 60, "idle_limit_s": 60}], faulty=True)
    # A connection to the backend that is kept: without one, nothing is sent at once.
    await made.visitor().get("/style.css")
    return made


@pytest.fixture
def watch(site, monkeypatch):
    return Watch(site, monkeypatch)


@pytest.fixture
def patient(monkeypatch):
    """On a machine under load the store may take its time."""
    monkeypatch.setattr(hot_pass, "PATIENCE_S", 30.0)


@pytest.fixture
def renewed(site, monkeypatch):
    """What the store is asked to renew, a list for each call."""
    calls: list[list[PassRef]] = []
    renew = site.store._store.renew

    async def noting(room, refs):
        calls.append(list(refs))
        return await renew(room, refs)

    monkeypatch.setattr(site.store._store, "renew", noting)
    return calls


async def seldom(site: Front, **more) -> Visitor:
    """Somebody inside who has not asked for anything within the last second."""
    visitor = await inside(site, **more)
    site.clock.now_ms += HOLDS_MS
    return visitor


def request_of(visitor: Visitor, target: str = "/book") -> bytes:
    cookie = "; ".join(f"{name}={value}" for name, value in visitor.cookies.items())
    return f"GET {target} HTTP/1.1\r\nHost: site.test\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n".encode()


class Asking:
    """A request under way while the store keeps its answer to itself."""

    def __init__(self, site: Front, visitor: Visitor) -> None:
        self.site = site
        self._sent = request_of(visitor)

    async def __aenter__(self) -> Self:
        self._stall = faulty_store(self.site).stall = asyncio.Event()
        self.connection = await Connection.open(self.site.port)
        await self.connection.send(self._sent)
        await until(lambda: self.site.line._asking, "the store is asked")
        return self

    async def __aexit__(self, *_) -> None:
        self.told()
        await self.connection.close()

    def told(self) -> None:
        faulty_store(self.site).stall = None
        self._stall.set()


# As the ordinary path has it


@pytest.mark.usefixtures("patient")
async def test_who_comes_seldom_is_forwarded_on_the_hot_path_and_the_store_asked_once(site, watch, renewed):
    visitor = await seldom(site)
    for _ in range(3):
        taken = watch.taken
        renewed.clear()
        assert [(await visitor.get("/book")).status for _ in range(3)] == [200] * 3
        assert (watch.taken, [len(call) for call in renewed]) == (taken + 3, [1])
        await site.line.tick_now()
        site.clock.now_ms += HOLDS_MS
    assert watch.left == 0


STATES: dict[str, dict[str, Any]] = {
    "open": {},
    "paused": {"mode": "paused"},
    "closed": {"mode": "closed"},
    "sold out": {"mode": "sold_out"},
    "passthrough": {"mode": "passthrough"},
    "until it closes": {"closes_at_ms": 600_000},
    "before it opens": {"opens_at_ms": 600_000},
}


async def ended(site, visitor):
    held = verify(visitor.visitor_pass, site.line.name, KeyStore(site.folder / "keys.json").current.cookies)
    assert isinstance(held, Pass)
    assert await site.store.complete(site.line.name, [ref_of(held)], reason="completed") == [True]
    await take_the_seat(site)


async def take_the_seat(site):
    await site.line.tick_now()
    assert (await site.visitor().get("/book")).gate is None
    await site.line.tick_now()


async def near_its_end(site, _visitor):
    await site.pass_time(60_000 - NEAR_END_MS)


async def over(site, _visitor):
    await site.pass_time(60_000)
    await take_the_seat(site)


async def of_another_epoch(site, _visitor):
    await site.change(mode="closed")
    await site.line.reset(expected_version=None)


async def altered(_site, visitor):
    name = f"sunbeon_pass_{visitor.room}"
    visitor.cookies[name] = visitor.cookies[name][:-3] + "AAA"


async def alone(_site, visitor):
    del visitor.cookies[f"sunbeon_ticket_{visitor.room}"]


async def as_it_was(_site, _visitor): ...


BECAME = {
    "as it was": (as_it_was, True),
    "alone": (alone, True),
    "ended through another gateway": (ended, False),
    "near its end": (near_its_end, False),
    "over": (over, False),
    "of another epoch": (of_another_epoch, False),
    "altered": (altered, False),
}


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(("state", "became"), [*product(STATES, BECAME)])
async def test_both_paths_do_the_same_whatever_became_of_room_and_pass(
    site, backend, watch, monkeypatch, state, became
):
    backend.reply = SMALL
    visitor = await seldom(site)
    befall, lives = BECAME[became]
    await befall(site, visitor)
    patch = {name: site.clock.now_ms + at if name.endswith("_ms") else at for name, at in STATES[state].items()}
    if patch:
        await site.change(**patch)
        await site.pass_time(200)
    knock = Knock(4_711, site.line.snapshot.now_ms)
    monkeypatch.setattr(site.line, "new_knock", lambda *_: knock)
    monkeypatch.setattr(facts, "_jitter", Same())
    monkeypatch.setattr(watch.forward._proofs, "_fresh_id", lambda: "of a proof by no pass")
    cookies, told, seen, taken = dict(visitor.cookies), [], [], watch.taken
    for path in (watch.on, watch.off):
        path()
        site.line._living.forget_all()
        visitor.cookies = dict(cookies)
        asked = len(backend.requests)
        got = await visitor.get("/book")
        told.append((got.status, got.reason, [pair for pair in got.headers if pair[0] != "Date"], got.body))
        seen.append([the_same(request.head) for request in backend.requests[asked:]])
    assert told[0] == told[1]
    assert seen[0] == seen[1]
    assert len(seen[0]) <= 1
    assert watch.taken - taken == (lives and state != "passthrough")


async def test_on_trial_a_pass_is_the_ordinary_paths(site, backend, watch):
    backend.reply = answer(b"", status="500 Internal Server Error")
    visitor = site.visitor()
    await visitor.get("/book")
    await until(lambda: not site.line._trials._asked, "the store knows")
    site.clock.now_ms += HOLDS_MS
    taken, later = watch.taken, watch.later
    assert (await visitor.get("/book")).gate == "unserved"
    assert (watch.taken, watch.later) == (taken, later + 1)


@pytest.mark.parametrize("for_ms", [1_000, 4_000])
async def test_while_the_store_fails_it_is_the_ordinary_path_that_says_what_becomes_of_a_pass(
    site, backend, watch, for_ms
):
    visitor = await seldom(site)
    await lose(site)
    site.clock.now_ms += for_ms - HOLDS_MS
    if for_ms > 3_000:
        await until(lambda: site.line.out_of_reach, "the ticks fail")
    taken, later, asked = watch.taken, watch.later, len(backend.requests)
    told = [await visitor.get("/book")]
    # Once it is out of reach, it is not even asked.
    assert (watch.taken, watch.later) == (taken, later + (for_ms < 3_000))
    watch.off()
    told.append(await visitor.get("/book"))
    assert [(each.status, each.gate) for each in told] == [(200, None)] * 2, "within the grace"
    assert len(backend.requests) == asked + 2
    watch.on()
    site.clock.now_ms += 60_000
    told = [await visitor.get("/book")]
    watch.off()
    told.append(await visitor.get("/book"))
    assert [each.gate for each in told] == ["turn_kept"] * 2
    assert len(backend.requests) == asked + 2


async def test_what_was_revoked_through_another_gateway_is_forwarded_for_no_longer_than_a_second(site, backend, watch):
    visitor = await seldom(site)
    await visitor.get("/book")
    await ended(site, visitor)
    site.clock.now_ms += HOLDS_MS - 1
    assert (await visitor.get("/book")).gate is None
    taken, asked = watch.taken, len(backend.requests)
    site.clock.now_ms += 1
    assert (await visitor.get("/book")).gate is not None
    assert (watch.taken, len(backend.requests)) == (taken, asked)


# What may happen while the store is asked


@pytest.mark.usefixtures("patient")
async def test_a_request_goes_on_when_the_store_has_answered_and_no_sooner(site, backend, watch):
    visitor = await seldom(site)
    taken, asked = watch.taken, len(backend.requests)
    async with Asking(site, visitor) as asking:
        assert (watch.taken, len(backend.requests)) == (taken, asked)
        asking.told()
        assert (await asking.connection.answer()).gate is None
    assert (watch.taken, len(backend.requests)) == (taken + 1, asked + 1)


@pytest.mark.usefixtures("patient")
async def test_all_who_come_in_one_turn_are_one_call_to_the_store_and_one_pass_one_question(site, watch, renewed):
    await site.change(total_active_users=2)
    one, other = await inside(site), await inside(site)
    await asyncio.gather(*(site.visitor().get("/style.css") for _ in range(8)))  # connections to the backend
    site.clock.now_ms += HOLDS_MS
    renewed.clear()
    taken = watch.taken
    async with Asking(site, one) as asking:
        more = [await Connection.open(site.port) for _ in range(5)]
        for connection, visitor in zip(more, [one, one, other, other, other], strict=True):
            await connection.send(request_of(visitor))
        await until(lambda: len(watch.waiting) == 6, "all wait")
        assert len(site.line._asking) == 2
        asking.told()
        for connection in (asking.connection, *more):
            assert (await connection.answer()).gate is None
            if connection is not asking.connection:
                await connection.close()
    assert watch.taken == taken + 6
    assert [len(call) for call in renewed] == [1, 1]


@pytest.mark.usefixtures("patient")
async def test_who_hangs_up_is_forwarded_for_no_more_and_takes_nobody_along(site, backend, watch):
    visitor = await seldom(site)
    asked, taken = len(backend.requests), watch.taken
    async with Asking(site, visitor) as asking:
        stays = await Connection.open(site.port)
        await stays.send(request_of(visitor, "/book/stays"))
        await until(lambda: len(watch.waiting) == 2, "both wait")
        await asking.connection.close()
        await until(lambda: len(watch.waiting) == 1, "one has gone")
        asking.told()
        assert (await stays.answer()).gate is None
        await stays.close()
    assert backend.targets[asked:] == ["/book/stays"]
    assert watch.taken == taken + 1
    assert site.upstreams.state()[0].in_flight == 0


@pytest.mark.usefixtures("patient")
async def test_what_comes_behind_it_waits_for_its_turn(site, backend, watch):
    visitor = await seldom(site)

    async def act(seen, writer):
        writer.write(answer(seen.target.encode()))

    backend.act = act
    asked = len(backend.requests)
    async with Asking(site, visitor) as asking:
        behind = [request_of(visitor, "/book/2"), b"GET /style.css HTTP/1.1\r\nHost: site.test\r\n\r\n"]
        behind.append(request_of(visitor, "/book/4"))
        await asking.connection.send(behind[0] + behind[1][:20])
        await asyncio.sleep(0.01)
        await asking.connection.send(behind[1][20:] + behind[2])
        await asyncio.sleep(0.01)
        assert len(backend.requests) == asked
        asking.told()
        bodies = [(await asking.connection.answer()).body for _ in range(4)]
    assert bodies == [b"/book", b"/book/2", b"/style.css", b"/book/4"]
    assert backend.targets[asked:] == ["/book", "/book/2", "/style.css", "/book/4"]


@pytest.mark.parametrize("what", ["ended here", "reset", "passthrough", "a rule", "trial"])
@pytest.mark.usefixtures("patient")
async def test_what_has_changed_meanwhile_is_the_ordinary_paths(site, watch, monkeypatch, what):
    visitor = await seldom(site)
    taken = watch.taken
    async with Asking(site, visitor) as asking:
        line, room = site.line, site.line.known
        match what:
            case "ended here":
                line._living.forget(1, 1)
                line._untold.ended(Pass(1, 1, 1, "whose end the store has yet to hear of", "line", 0), "revoked")
            case "reset":
                line._see(replace(room, epoch=2))
            case "passthrough":
                line._see(replace(room, limits=replace(room.limits, mode=Mode.PASSTHROUGH)))
            case "a rule":
                monkeypatch.setattr(type(line), "rules", property(lambda _: [BypassRule("all")]))
            case "trial":
                monkeypatch.setattr(line, "is_on_trial", lambda *_: True)
        asking.told()
        await asking.connection.answer()
    assert watch.taken == taken


async def test_a_store_that_is_silent_is_waited_for_on_the_ordinary_path_and_asked_once(site, backend, watch, renewed):
    visitor = await seldom(site)
    asked, taken, later = len(backend.requests), watch.taken, watch.later
    renewed.clear()
    async with Asking(site, visitor) as asking:
        await until(lambda: not len(watch.waiting), "the hot path gives up")
        await until(lambda: site.line._asked, "the ordinary one waits")
        assert len(backend.requests) == asked
        asking.told()
        assert (await asking.connection.answer()).gate is None
    assert (watch.taken, watch.later, len(backend.requests)) == (taken, later + 1, asked + 1)
    assert [len(call) for call in renewed] == [1]


@pytest.mark.parametrize("lives", [True, False])
@pytest.mark.usefixtures("patient")
async def test_a_worker_that_stops_lets_it_come_to_its_end(site, backend, watch, lives):
    visitor = await seldom(site)
    asked, taken = len(backend.requests), watch.taken
    async with Asking(site, visitor) as asking:
        stopping = [asyncio.create_task(each.shutdown(10)) for each in site.server.connections]
        await asyncio.sleep(0.05)
        if not lives:
            faulty_store(site).failure = StoreUnavailable("closed")
            site.clock.now_ms += 60_000
        asking.told()
        got = await asking.connection.answer()
        assert got.gate == (None if lives else "turn_kept")
        assert await asking.connection.rest() == b""
        await asyncio.gather(*stopping)
    assert (watch.taken - taken, len(backend.requests) - asked) == (lives, lives)


@pytest.mark.usefixtures("patient")
async def test_a_fault_in_going_on_is_logged_and_answered_for_on_the_ordinary_path(
    site, backend, watch, monkeypatch, caplog
):
    visitor = await seldom(site)
    asked, taken = len(backend.requests), watch.taken

    def failing(*_):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(HotForward, "_send_on", failing)
    got = await visitor.get("/book")
    assert (got.gate, watch.taken, len(backend.requests)) == (None, taken, asked + 1)
    assert [record.message for record in caplog.records if record.levelno >= logging.ERROR] == [
        "a request could not go on through a fault of the gateway's"
    ]


# By itself


class Someone:
    peer: str | None = None
    gone: Callable[[], None] | None = None


async def test_nothing_is_said_before_it_was_promised_even_if_the_store_has_answered_already():
    told: list[bytes | None] = []
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    confirming, caller = Confirming(), Someone()
    assert confirming.wait(done, lambda: False, told.append, caller) is LATER
    assert told == []
    await asyncio.sleep(0)
    assert (told, caller.gone, len(confirming.under_way)) == ([None], None, 0)


@pytest.mark.parametrize("how", ["failed", "cancelled", "given up", "gone", "taken"])
async def test_one_word_is_said_whatever_comes_first_and_whatever_after(how):
    told: list[bytes | None] = []
    going: list[bool] = []

    def go_on() -> bool:
        going.append(True)
        return True

    asked = asyncio.get_running_loop().create_future()
    confirming, caller = Confirming(), Someone()
    confirming.wait(asked, go_on, told.append, caller)
    waiting: Any
    (waiting,) = confirming.under_way._waiting
    match how:
        case "failed":
            asked.set_exception(StoreUnavailable("away"))
        case "cancelled":
            asked.cancel()
        case "given up":
            waiting.give_up()
        case "gone":
            waiting.gone()
    await asyncio.sleep(0)
    if not asked.done():
        asked.set_result(None)
    await asyncio.sleep(0)
    waiting.give_up()
    waiting.gone()
    assert told == {"gone": [], "taken": []}.get(how, [None])
    assert len(going) == (how == "taken")
    assert (caller.gone, len(confirming.under_way)) == (None, 0)


class Waiter:
    def __init__(self, began_s: float, *, fails: bool = False) -> None:
        self.began_s = began_s
        self.given_up = asyncio.Event()
        self._fails = fails

    def give_up(self) -> None:
        self.given_up.set()
        if self._fails:
            raise ZeroDivisionError


async def test_who_has_waited_too_long_is_given_up_and_nobody_else(monkeypatch):
    loop, faults = asyncio.get_running_loop(), []
    loop.set_exception_handler(lambda _, context: faults.append(context["exception"]))
    patience = Patience(lambda: 0.0)
    heard, failing, last = Waiter(0.0), Waiter(0.0, fails=True), Waiter(0.0)
    for each in (heard, failing, last):
        patience.begin(each)
    patience.end(heard)
    await last.given_up.wait()
    assert (failing.given_up.is_set(), heard.given_up.is_set(), len(patience)) == (True, False, 0)
    assert [type(each) for each in faults] == [ZeroDivisionError]
