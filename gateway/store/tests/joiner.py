"""A process that joins and claims as fast as it can and prints every answer; made to be killed.

    python -m gateway.store.tests.joiner STORE_URL SEED

Prints `joined KNOCK NUMBER`, `admitted PLACE PASS`, `spent PLACE` and `completed PLACE`, one line each, after the store
has answered.
"""

import asyncio
import os
import random
import sys

from gateway.room.model import Limits
from gateway.store.base import Admitted, Claim, PassRef, QueueStore, Spent
from gateway.store.open import open_store
from gateway.store.tests.plans import opening_plan

LIMITS = Limits(total_active_users=10**9)


def tell(*words: object) -> None:
    """Straight to the pipe: nothing that was told can be lost with this process."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def one_round(store: QueueStore, dice: random.Random) -> None:
    knocks = [dice.getrandbits(64) for _ in range(dice.randint(1, 20))]
    numbers = await store.join("hall", knocks, expires_ms=10**15)
    tell(*(f"joined {knock} {number}\n" for knock, number in zip(knocks, numbers, strict=True)))
    snapshot = await store.load("hall")
    await store.commit("hall", opening_plan(snapshot), snapshot.tick)
    claims = [Claim(snapshot.epoch, number, f"{os.getpid()}-{number}") for number in numbers]
    answers = await store.claim("hall", claims)
    for claim, answer in zip(claims, answers, strict=True):
        if isinstance(answer, Admitted):
            tell("admitted", claim.place, answer.grant.pass_id)
        elif isinstance(answer, Spent):
            tell("spent", claim.place)
    refs = [PassRef(snapshot.epoch, claim.place, claim.pass_id) for claim in claims[::3]]
    for ref, ended in zip(refs, await store.complete("hall", refs, reason="completed"), strict=True):
        if ended:
            tell("completed", ref.place)


async def main(url: str, seed: int) -> None:
    store = open_store(url, timeout_s=10)
    dice = random.Random(seed)
    await store.open_room("hall", LIMITS)
    tell("ready")
    while True:
        await one_round(store, dice)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
