"""Two hundred people want ten seats at the same moment, and none gives up because the site is gone for a second.

Each has a pass of their own and goes the whole way over HTTP: identity, hold, confirm. An answer that does not come is
asked for again, as a phone would. What each was told is kept and later held against the database.
"""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import aiohttp

from booking.tests.program import Program
from shared.wire import PASS_HEADER

CLIENTS: Final = 200
# Of so many, one is a child who books for the one before; one only holds a seat and goes; one sends all twice.
FAMILY_EVERY: Final = 10
ABANDONS_EVERY: Final = 13
TWICE_EVERY: Final = 7
_RETRY_S: Final = 0.05
_MOST_TRIES: Final = 600


@dataclass
class Client:
    """number: within the crowd, from 0. person: who is to be vaccinated; two clients may name the same."""

    number: int
    serial: int
    pass_header: str
    twice: bool
    abandons: bool
    person: Mapping[str, str]
    booker: Mapping[str, str] | None
    # What it was told: codes of its booking, and the word of the last refusal.
    codes: set[str] = field(default_factory=set)
    held_code: str | None = None
    refused: str | None = None
    retries: int = 0


def crowd(site: Program, serial: int) -> list[Client]:
    """A crowd nobody of which has been there before. serial: of the crowd's first person."""
    clients = []
    for number in range(CLIENTS):
        family = number % FAMILY_EVERY == FAMILY_EVERY - 1
        clients.append(
            Client(
                number=number,
                serial=serial + number,
                pass_header=site.sign(lasts=timedelta(hours=1)),
                twice=number % TWICE_EVERY == 0,
                abandons=number % ABANDONS_EVERY == 0,
                person=_person(serial + number - family),
                booker=_person(serial + number) if family else None,
            )
        )
    return clients


class Visit:
    """One crowd at one slot. `url` of the site may change while they are at it: it was killed and came back."""

    def __init__(self, site: Program, slot_id: int) -> None:
        self._site = site
        self._slot_id = slot_id

    async def all_at_once(self, clients: list[Client]) -> None:
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=aiohttp.ClientTimeout(total=20)
        ) as session:
            await asyncio.gather(*(self._visit(session, client) for client in clients))

    async def _visit(self, session: aiohttp.ClientSession, client: Client) -> None:
        who = client.booker or client.person
        body: dict[str, Any] = {"method": "carrier", **who}
        if client.booker is not None:
            body |= {"for": client.person, "consent": True}
        status, told = await self._ask(session, client, "POST", "/api/identity", body)
        assert status == 201, told
        hold = {"identity": told["identity"], "slot_id": self._slot_id}
        status, told = await self._ask(session, client, "POST", "/api/holds", hold)
        if status != 201:
            client.refused = told["code"]
            return
        client.refused, client.held_code = None, told["code"]
        if client.abandons:
            return
        # Some look once more before they confirm.
        await asyncio.sleep(random.uniform(0, 0.3))
        status, told = await self._ask(session, client, "POST", f"/api/holds/{told['hold_id']}/confirm", {})
        if status == 201:
            client.codes.add(told["code"])
        else:
            client.refused = told["code"]

    async def _ask(
        self, session: aiohttp.ClientSession, client: Client, method: str, path: str, body: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        """The answer; of two sent at once the better one, and both codes noted."""
        asked = [self._until_answered(session, client, method, path, body) for _ in range(1 + client.twice)]
        answers = sorted(await asyncio.gather(*asked), key=lambda answer: answer[0])
        if path.endswith("/confirm"):
            client.codes.update(told["code"] for status, told in answers if status == 201)
        return answers[0]

    async def _until_answered(
        self, session: aiohttp.ClientSession, client: Client, method: str, path: str, body: Mapping[str, Any]
    ) -> tuple[int, dict[str, Any]]:
        for _ in range(_MOST_TRIES):
            try:
                async with session.request(
                    method, self._site.url + path, json=body, headers={PASS_HEADER: client.pass_header}
                ) as answer:
                    told = await answer.json(content_type=None)
                    if answer.status != 503:
                        return answer.status, told
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
                pass  # killed before, amid or after its work: nobody can tell
            client.retries += 1
            await asyncio.sleep(_RETRY_S)
        raise AssertionError(f"client {client.number} never got an answer of {path}")


def _person(serial: int) -> dict[str, str]:
    return {
        "name": f"시험{serial % 10_000:04}",
        "birth_date": f"1968-{serial % 12 + 1:02}-{serial % 28 + 1:02}",
        "phone": f"0109000{serial % 10_000:04}",
    }
