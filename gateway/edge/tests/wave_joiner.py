"""A process that lines people up in a wave as fast as it can and prints every number; made to be killed.

    python -m gateway.edge.tests.wave_joiner STORE_URL

Prints `ready`, then each number, one line each, after the store has answered.
"""

import asyncio
import os
import sys

from gateway.edge.line import Line
from gateway.edge.tests.front import ROOM
from gateway.settings import Room
from gateway.store.batching import BatchingStore
from gateway.store.open import open_store

WAVE = "fifties"
# For as long as the process lives.
LATER_MS = 10**14


async def main(url: str) -> None:
    store = BatchingStore(open_store(url, timeout_s=10))
    line = Line(Room.model_validate(ROOM), store, secure=False, pending=lambda _: {WAVE: LATER_MS})
    await line.start()
    os.write(1, b"ready\n")
    while True:
        tickets = await asyncio.gather(*(line.join(line.new_knock(), wave=WAVE) for _ in range(20)))
        os.write(1, b"".join(b"%d\n" % ticket.number for ticket in tickets))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
