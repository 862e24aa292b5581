import asyncio
from typing import Any

import pytest

from gateway.room.model import Limits
from gateway.store.base import Admitted, Claim, NotCalled, PassRef, StoreUnavailable
from gateway.store.batching import BatchingStore
from gateway.store.tests.plans import opening_plan


class Recorder:
    """Stands before a real store, notes its batches, holds them back or fails them on demand."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.batches: list[tuple[str, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.failure: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        async def call(room: str, items: Any, **rest: Any) -> Any:
            self.batches.append((name, len(items)))
            await self.gate.wait()
            if self.failure is not None:
                raise self.failure
            return await getattr(self._store, name)(room, items, **rest)

        return call if name in {"join", "claim", "renew", "complete", "leave"} else getattr(self._store, name)


@pytest.fixture
async def recorder(store):
    await store.open_room("hall", Limits())
    await store.open_room("annex", Limits())
    return Recorder(store)


@pytest.fixture
def batching(recorder):
    return BatchingStore(recorder, max_batch=4)


async def test_what_is_asked_in_one_turn_is_one_call_answered_in_order(recorder, batching):
    assert await asyncio.gather(*(batching.join_one("hall", None, 10**15) for _ in range(3))) == [1, 2, 3]
    assert recorder.batches == [("join", 3)]


async def test_what_is_asked_meanwhile_makes_the_next_call(recorder, batching):
    recorder.gate.clear()
    first = batching.join_one("hall", None, 10**15)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    later = [batching.join_one("hall", None, 10**15) for _ in range(3)]
    recorder.gate.set()
    assert await asyncio.gather(first, *later) == [1, 2, 3, 4]
    assert recorder.batches == [("join", 1), ("join", 3)]


async def test_no_batch_is_larger_than_the_limit(recorder, batching):
    assert await asyncio.gather(*(batching.join_one("hall", None, 10**15) for _ in range(9))) == list(range(1, 10))
    assert [size for _, size in recorder.batches] == [4, 4, 1]


async def test_kinds_and_rooms_do_not_mix(recorder, batching):
    await asyncio.gather(
        batching.join_one("hall", None, 10**15),
        batching.join_one("annex", None, 10**15),
        batching.claim_one("hall", Claim(1, 9, "x")),
        batching.complete_one("hall", PassRef(1, 9, "x"), reason="completed"),
        batching.complete_one("hall", PassRef(1, 9, "x"), reason="revoked"),
    )
    assert sorted(recorder.batches) == [("claim", 1), ("complete", 1), ("complete", 1), ("join", 1), ("join", 1)]


async def test_every_kind_of_question_gets_its_own_answer(batching):
    assert await asyncio.gather(*(batching.join_one("hall", n % 2, 10**15) for n in range(3))) == [1, 2, 1]
    snapshot = await batching.store.load("hall")
    await batching.store.commit("hall", opening_plan(snapshot), snapshot.tick)
    admitted, other = await asyncio.gather(*(batching.claim_one("hall", Claim(1, place, "x")) for place in (1, 3)))
    assert isinstance(admitted, Admitted)
    assert other == NotCalled()
    assert await batching.renew_one("hall", PassRef(1, 1, "x")) == admitted.grant
    assert await batching.complete_one("hall", PassRef(1, 1, "x"), reason="completed")
    assert await batching.leave_one("hall", 1, 2)


async def test_a_failure_goes_to_everyone_who_asked_and_to_nobody_after(recorder, batching):
    recorder.failure = StoreUnavailable("down")
    asked = [batching.join_one("hall", None, 10**15) for _ in range(3)]
    assert [type(answer) for answer in await asyncio.gather(*asked, return_exceptions=True)] == [StoreUnavailable] * 3
    recorder.failure = None
    assert await batching.join_one("hall", None, 10**15) == 1


async def test_who_is_cancelled_before_the_call_has_not_asked(recorder, batching):
    first, second = (batching.join_one("hall", None, 10**15) for _ in range(2))
    first.cancel()
    assert await second == 1
    assert recorder.batches == [("join", 1)]


async def test_who_is_cancelled_during_the_call_takes_nobody_along(recorder, batching):
    recorder.gate.clear()
    first, second = (batching.join_one("hall", None, 10**15) for _ in range(2))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    recorder.gate.set()
    assert await second == 2


async def test_closing_answers_what_is_under_way_and_takes_no_more(batching):
    asked = [batching.join_one("hall", None, 10**15) for _ in range(9)]
    await batching.close()
    assert [answer.result() for answer in asked] == list(range(1, 10))
    with pytest.raises(StoreUnavailable):
        batching.join_one("hall", None, 10**15)


class Asker:
    """One who is told the answer without a future."""

    def __init__(self, *, gone: bool = False) -> None:
        self.told: list[object] = []
        self.gone = gone

    def done(self) -> bool:
        return self.gone or bool(self.told)

    def set_result(self, answer: object, /) -> None:
        self.told.append(answer)

    set_exception = set_result

    def cancel(self) -> None:
        self.told.append(None)


async def test_an_asker_is_told_as_a_future_is_in_the_same_call(recorder, batching):
    askers = [Asker(), Asker(gone=True), Asker()]
    for knock, asker in enumerate(askers):
        batching.join_for("hall", knock, 10**15, 1, asker)
    assert await batching.join_one("hall", 9, 10**15, 1) == 3
    assert [asker.told for asker in askers] == [[1], [], [2]]
    assert recorder.batches == [("join", 3)]


async def test_an_asker_is_told_that_it_failed(recorder, batching):
    recorder.failure = StoreUnavailable("down")
    asker = Asker()
    batching.join_for("hall", 5, 10**15, 1, asker)
    with pytest.raises(StoreUnavailable):
        await batching.join_one("hall", 6, 10**15, 1)
    assert asker.told == [recorder.failure]


async def test_an_asker_who_left_during_the_call_takes_nobody_along(recorder, batching):
    recorder.gate.clear()
    gone, stays = Asker(), Asker()
    batching.join_for("hall", 1, 10**15, 1, gone)
    batching.join_for("hall", 2, 10**15, 1, stays)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    gone.gone = True
    recorder.gate.set()
    assert await batching.join_one("hall", 2, 10**15, 1) == 2
    assert (gone.told, stays.told) == ([], [2])


async def test_closing_leaves_no_asker_without_an_answer(batching):
    askers = [Asker() for _ in range(9)]
    for knock, asker in enumerate(askers):
        batching.join_for("hall", knock, 10**15, 1, asker)
    await batching.close()
    assert [asker.told for asker in askers] == [[number] for number in range(1, 10)]
