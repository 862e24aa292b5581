"""Processes are killed in the middle of their work; what they answered stays true."""

import subprocess
import sys
import time

from gateway.store.base import Admitted, Claim, PassRef, Spent
from gateway.store.open import open_store
from gateway.store.tests.joiner import LIMITS

LIFETIMES_S = (0.25, 0.4, 0.3)


def run_and_kill(url: str, seed: int, lifetime_s: float, processes: int) -> list[list[str]]:
    """Every line told by `processes` joiners at once, until each was killed (SIGKILL) after its lifetime."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "gateway.store.tests.joiner", url, str(seed + n)], stdout=subprocess.PIPE
        )
        for n in range(processes)
    ]
    told = []
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    time.sleep(lifetime_s)
    for process in started:
        process.kill()
    for process in started:
        text = process.communicate()[0].decode()
        # The last line may be cut short: it was never told.
        told += [line.split() for line in text[: text.rfind("\n") + 1].splitlines() if line.strip()]
    return told


async def test_every_answer_of_killed_processes_is_still_true_and_no_number_was_issued_twice(shared_url):
    told: list[list[str]] = []
    for seed, lifetime_s in enumerate(LIFETIMES_S):
        before = len(told)
        told += run_and_kill(shared_url, seed * 10, lifetime_s, processes=2)
        assert len(told) > before

    joined = {int(words[1]): int(words[2]) for words in told if words[0] == "joined"}
    assert len(set(joined.values())) == len(joined), "a number was issued twice"
    admitted = {int(words[1]): words[2] for words in told if words[0] == "admitted"}
    completed = {int(words[1]) for words in told if words[0] == "completed"}

    store = open_store(shared_url, timeout_s=10)
    try:
        snapshot = await store.open_room("hall", LIMITS)
        # What was not told may have happened too, but nothing that was told has not.
        assert snapshot.tail >= max(joined.values())
        assert list(await store.join("hall", list(joined), expires_ms=10**15)) == list(joined.values())
        for place, pass_id in admitted.items():
            (answer,) = await store.claim("hall", [Claim(snapshot.epoch, place, "another")])
            match answer:
                case Admitted(grant, fresh):
                    assert (grant.pass_id, fresh, place in completed) == (pass_id, False, False)
                case other:
                    assert other == Spent()
                    # Its completion may have been carried out though the process died before it could tell.
                    assert await store.renew("hall", [PassRef(snapshot.epoch, place, pass_id)]) == [None]
        assert (await store.load("hall")).tail == snapshot.tail
        grants = await store.renew(
            "hall", [PassRef(snapshot.epoch, place, pass_id) for place, pass_id in admitted.items()]
        )
        assert sum(grant is not None for grant in grants) <= snapshot.live
        assert await store.join("hall", [None], expires_ms=10**15) == [snapshot.tail + 1]
    finally:
        await store.close()
