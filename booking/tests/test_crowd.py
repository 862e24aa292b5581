"""Two hundred people, ten seats, the program killed in the middle: ten bookings, nobody twice, nothing leaked.

Twice on either database, over HTTP; for more: `CROWD_ROUNDS=10 pytest booking/tests/test_crowd.py`. The judge is
the database, read by a program of its own.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any, Self

import pytest
from sqlalchemy import select

from booking.secret_key import load_secret
from booking.store import BookingStore, database_at
from booking.store.tables import BookingRow, HoldRow, SlotRow
from booking.tests.crowd import CLIENTS, Client, Visit, crowd
from booking.tests.postgresql import Server
from booking.tests.program import Program
from shared.clock import now_ms

SEATS = 10
ROUNDS = int(os.environ.get("CROWD_ROUNDS", "2"))
HOLD_S = 30
# After the crowd has come: from its first requests to its last.
KILL_WITHIN_S = (0.05, 1.2)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("crowd")]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path}/booking.db"
        return
    with Server(durable=True) as server:
        yield server.database()


async def test_ten_seats_are_ten_bookings_however_often_the_program_is_killed(database, tmp_path):
    identity = {"carrier": {"latency_ms": 0}, "attempts_per_pass": 1_000}
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    interrupted = 0
    with Program(
        tmp_path, database=database, slot_capacity=SEATS, hold_s=HOLD_S, sweep_s=300, identity=identity
    ) as site:
        slots = [slot["id"] for slot in json.loads(site.ask("GET", "/api/slots")[1])["slots"]]
        for number in range(ROUNDS):
            slot_id = slots[number]
            clients = crowd(site, number * CLIENTS)
            visit = Visit(site, slot_id)
            crowding = asyncio.create_task(visit.all_at_once(clients))
            await asyncio.sleep(chance.uniform(*KILL_WITHIN_S))
            site.kill()
            await asyncio.to_thread(site.start)
            await crowding
            interrupted += any(client.retries for client in clients)

            async with Judge(database, tmp_path) as judge:
                assert await judge.check() == []
                booked, held = await judge.counts(slot_id)
                # Fewer, where a seat came back because somebody's family was faster.
                assert booked + held <= SEATS
                # The time of those who hold and go is over.
                await judge.store.sweep(now_ms=now_ms() + HOLD_S * 1_000 + 1)
                assert await judge.counts(slot_id) == (booked, 0)

            # Those who would only hold and go again do not come back.
            come_again = [client for client in clients if client.refused == "sold_out" and not client.abandons]
            await visit.all_at_once(come_again)

            async with Judge(database, tmp_path) as judge:
                assert await judge.check() == []
                await judge.judge(slot_id, clients)
    # A kill that met nobody would show nothing.
    assert interrupted >= (ROUNDS + 1) // 2


class Judge:
    """Looks at the database past the program."""

    def __init__(self, url: str, folder: Any) -> None:
        self._database = database_at(url)
        secret = load_secret(folder / "secret", None)
        self.store = BookingStore(self._database, secret=secret, hold_ms=HOLD_S * 1_000, proxy_limit=4)

    async def __aenter__(self) -> Self:
        await self._database.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._database.close()

    async def check(self) -> list[str]:
        return await self.store.check()

    async def counts(self, slot_id: int) -> tuple[int, int]:
        """Live bookings and holds of a slot."""
        async with self._database.read() as db:
            bookings = (await db.execute(select(BookingRow.code).where(BookingRow.slot_id == slot_id))).all()
            holds = (await db.execute(select(HoldRow.id).where(HoldRow.slot_id == slot_id))).all()
            return len(bookings), len(holds)

    async def judge(self, slot_id: int, clients: list[Client]) -> None:
        async with self._database.read() as db:
            rows = (await db.execute(select(BookingRow).where(BookingRow.slot_id == slot_id))).all()
            taken = await db.scalar(select(SlotRow.taken).where(SlotRow.id == slot_id))
            holds = (await db.execute(select(HoldRow).where(HoldRow.slot_id == slot_id))).all()
        assert (len(rows), taken, holds) == (SEATS, SEATS, [])
        assert all(row.cancelled_ms is None for row in rows)
        persons = Counter(row.person_key for row in rows)
        assert max(persons.values()) == 1, "a person has two bookings"
        codes = {row.code for row in rows}
        told = [client for client in clients if client.codes]
        assert all(len(client.codes) == 1 for client in told), "a repeated confirm gave another booking"
        assert {code for client in told for code in client.codes} == codes, "a booking nobody knows of, or that is none"
        assert all(client.codes == {client.held_code} for client in told), "the code shown before was another"
        # And everyone else was told why not, in a word that is true.
        booked = {client.person["name"] for client in told}
        for client in clients:
            if not client.codes and not client.abandons:
                family_was_faster = client.person["name"] in booked
                true = {"already_booked", "hold_expired", "sold_out"} if family_was_faster else {"sold_out"}
                assert client.refused in true, client
