"""A line as long as wanted, at once: for measuring what a gateway with millions in line does.

`python -m gateway.tests.capacity.lengthen --config sunbeon.toml --people 6000000`. The gateway may be running.
"""

import argparse
import asyncio
import os
from pathlib import Path

from gateway.settings import load
from gateway.store.open import open_configured


async def lengthen(config: Path, people: int) -> None:
    """So many numbers more are issued in the only room, to nobody: they wait and never come."""
    settings = load(config, environ=os.environ, flags={})
    (room,) = settings.room
    store = open_configured(settings.gateway, os.environ)
    try:
        line = await store.load(room.name)
        await store.acknowledge(room.name, line.epoch, line.tail + people)
    finally:
        await store.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway.tests.capacity.lengthen", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--people", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(lengthen(given.config, given.people))


if __name__ == "__main__":
    main()
