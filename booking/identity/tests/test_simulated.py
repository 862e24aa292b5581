"""The simulated provider is as slow, as busy and as unreliable as it is told to be, and says so beforehand."""

import asyncio
from datetime import date

import pytest

from booking.errors import IdentityRefused, IdentityUnavailable
from booking.identity.base import Light
from booking.identity.simulated import JUDGED_FROM, REMEMBERED, SimulatedIdentity
from booking.person import Person
from booking.settings import SimulatedMethod

CHILD = Person("이하늘", date(1995, 11, 30), "01024681357")
MOTHER = Person("김순자", date(1967, 5, 14), "01087654321")


class Slept:
    """Sleeps no longer than a turn of the loop, and notes how long it was asked to."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(0)


async def for_ever(_seconds: float) -> None:
    await asyncio.Event().wait()


def provider(*, timeout_s=5.0, sleep=None, chance=lambda: 0.5, **settings):
    return SimulatedIdentity(
        {"carrier": SimulatedMethod(**settings), "certificate": SimulatedMethod()},
        timeout_s=timeout_s,
        sleep=sleep or Slept(),
        chance=chance,
    )


async def test_a_person_is_the_same_subject_by_every_method_and_when_looked_up():
    it = provider()
    found = {
        (await it.verify("carrier", MOTHER)).id,
        (await it.verify("certificate", Person("김 순자", MOTHER.birth_date, MOTHER.phone))).id,
        (await it.find(MOTHER)).id,
    }
    assert len(found) == 1
    assert (await it.find(CHILD)).id not in found


@pytest.mark.parametrize(("chance", "seconds"), [(0.0, 0.2), (0.5, 0.4), (0.999, 0.5996)])
async def test_it_takes_about_as_long_as_it_is_told(chance, seconds):
    slept = Slept()
    await provider(latency_ms=400, sleep=slept, chance=lambda: chance).verify("carrier", CHILD)
    assert slept.asked == [pytest.approx(seconds)]


@pytest.mark.parametrize(("percent", "fails"), [(0, False), (50, False), (51, True), (100, True)])
async def test_it_fails_as_often_as_it_is_told(percent, fails):
    it = provider(failure_percent=percent)
    if fails:
        with pytest.raises(IdentityUnavailable):
            await it.verify("carrier", CHILD)
    else:
        await it.verify("carrier", CHILD)
    await it.verify("certificate", CHILD)


async def test_a_refusal_is_no_failure():
    it = provider(refusal_percent=100)
    for _ in range(REMEMBERED):
        with pytest.raises(IdentityRefused):
            await it.verify("carrier", CHILD)
    assert it.light("carrier") is Light.FREE


async def test_a_method_that_keeps_failing_is_down_and_recovers():
    lucky = [0.0]
    it = provider(failure_percent=50, chance=lambda: lucky[0])
    for number in range(JUDGED_FROM):
        assert it.light("carrier") is Light.FREE, number
        with pytest.raises(IdentityUnavailable):
            await it.verify("carrier", CHILD)
    assert (it.light("carrier"), it.light("certificate")) == (Light.DOWN, Light.FREE)

    lucky[0] = 0.9
    for _ in range(REMEMBERED):
        await it.verify("carrier", CHILD)
    assert it.light("carrier") is Light.FREE


async def test_no_more_are_checked_at_once_than_it_can_take_and_the_light_says_so():
    sleeping, most, go = 0, 0, asyncio.Event()

    async def sleep(_seconds: float) -> None:
        nonlocal sleeping, most
        sleeping += 1
        most = max(most, sleeping)
        await go.wait()
        sleeping -= 1

    it = provider(capacity=5, sleep=sleep)
    lights = []
    tasks = []
    for _ in range(12):
        tasks.append(asyncio.create_task(it.verify("carrier", CHILD)))
        await asyncio.sleep(0)
        lights.append(it.light("carrier"))
    go.set()
    await asyncio.gather(*tasks)

    assert most == 5
    assert lights == [Light.FREE] * 3 + [Light.BUSY] * 9
    assert it.light("carrier") is Light.FREE


async def test_nobody_waits_longer_than_the_limit_whether_in_its_queue_or_in_the_check():
    it = provider(capacity=1, sleep=for_ever, timeout_s=0.02)
    results = await asyncio.gather(*(it.verify("carrier", CHILD) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [IdentityUnavailable] * 3
    assert it.light("carrier") is Light.FREE, "nothing is left under way"


async def test_those_who_give_up_waiting_leave_no_seat_taken_and_no_bad_word():
    it = provider(capacity=1, sleep=for_ever)
    for _ in range(REMEMBERED):
        task = asyncio.create_task(it.verify("carrier", CHILD))
        await asyncio.sleep(0)
        assert it.light("carrier") is Light.BUSY
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert it.light("carrier") is Light.FREE


async def test_what_it_says_names_nobody():
    it = provider(failure_percent=100)
    with pytest.raises(IdentityUnavailable) as raised:
        await it.verify("carrier", MOTHER)
    told = str(raised.value) + repr(await it.find(MOTHER))
    assert not any(word in told for word in (MOTHER.name, MOTHER.phone, "1967"))
