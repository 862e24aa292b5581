"""What a visitor does once inside: book a slot, or only stay; and go, so that the seat is free for the next."""

from typing import Final

from loadtest.client import ERROR, JSON, Answer
from loadtest.evidence import Ending
from loadtest.visitor import Visitor

# A slot that looked free may be gone by the time it is asked for.
MOST_SLOTS_TRIED: Final = 5

CONFLICT: Final = 409


class PutOut(Exception):
    """The gate answered a request inside: the pass is gone, though the visit was not over."""


async def be_inside(visitor: Visitor) -> Ending:
    """Do what the run asks for; how it ended."""
    try:
        if visitor.journey.plan.repeats_claim:
            await visitor.claim_again()
        if visitor.stay.book:
            return await _book(visitor)
        await _pause(visitor, 1.0)
        await visitor.leave()
    except PutOut:
        return Ending.PUT_OUT
    return Ending.STAYED


async def _book(visitor: Visitor) -> Ending:
    await _pause(visitor, 1 / 3)
    slots = (await _ask(visitor, "GET", "/api/slots")).json()
    free = [slot["id"] for slot in (slots or {}).get("slots", ()) if slot["left"] > 0]
    visitor.rng.shuffle(free)
    await _pause(visitor, 1 / 3)
    who = await _ask(visitor, "POST", "/api/identity", {"method": "carrier", **_person(visitor)})
    if who.status >= 400:  # noqa: PLR2004 - HTTP
        visitor.client.tally.errors[f"identity {(who.json() or {}).get('code', who.status)}"] += 1
        free = []
    for slot in free[:MOST_SLOTS_TRIED]:
        hold = await _ask(visitor, "POST", "/api/holds", {"slot_id": slot, "identity": who.json()["identity"]})
        if hold.status == CONFLICT:
            if hold.lost and (hold.json() or {}).get("code") == "already_booked":
                return Ending.BOOKED  # the answer that said so was lost
            visitor.client.tally.errors[f"hold {(hold.json() or {}).get('code', CONFLICT)}"] += 1
            continue
        if hold.status >= 400:  # noqa: PLR2004 - HTTP
            visitor.client.tally.errors[f"hold {hold.status}"] += 1
            break
        await _pause(visitor, 1 / 3)
        if await _confirm(visitor, str(hold.json()["hold_id"])):
            return Ending.BOOKED
        break
    await visitor.leave()
    return Ending.NOT_BOOKED


async def _confirm(visitor: Visitor, hold_id: str) -> bool:
    lost = 0
    while True:
        answer = await visitor.ask("POST", visitor.site.at(f"/api/holds/{hold_id}/confirm"), accept=JSON, body={})
        visitor.jar.take(answer.set_cookies)
        lost += answer.lost
        if answer.gate is None or answer.status < ERROR:
            break
        lost += 1  # it may have been confirmed behind the error
        await visitor.client.pause(answer)
    if lost and (answer.gate is not None or answer.status == CONFLICT):
        return True  # confirmed the first time, which ended the pass; that answer was lost
    if not visitor.alive(answer):
        raise PutOut
    if answer.status >= 400:  # noqa: PLR2004 - HTTP
        visitor.client.tally.errors[f"confirm {answer.status}"] += 1
        return False
    number = (answer.json() or {}).get("number")
    if isinstance(number, int) and visitor.journey.current is not None and visitor.journey.current.number is None:
        visitor.journey.turn(number, number)
    return True


async def _ask(visitor: Visitor, method: str, path: str, body: dict[str, object] | None = None) -> Answer:
    """One request inside; again while the gate or the backend is down."""
    while True:
        answer = await visitor.ask(method, visitor.site.at(path), accept=JSON, body=body)
        visitor.jar.take(answer.set_cookies)
        if visitor.alive(answer):
            if answer.status < ERROR:
                return answer
        elif answer.status < ERROR:
            raise PutOut
        await visitor.client.pause(answer)


async def _pause(visitor: Visitor, part: float) -> None:
    await visitor.client.sleep_ms(visitor.stay.stay_s * part * visitor.rng.uniform(0.5, 1.5) * 1000)


def _person(visitor: Visitor) -> dict[str, object]:
    """Someone who does not exist, and who has not booked in an earlier run either."""
    rng = visitor.rng
    birth_date = f"{rng.randint(1967, 1968)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    serial = visitor.journey.plan.index
    return {"name": f"Visitor {serial} {visitor.stay.run_id}", "birth_date": birth_date, "phone": _phone(serial)}


def _phone(serial: int) -> str:
    return f"010-{serial // 10_000 % 10_000:04}-{serial % 10_000:04}"
