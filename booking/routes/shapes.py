"""Values of the store and the calendar in the shapes of `bodies`."""

from typing import Any

from booking import schedule
from booking.model import BookingCard, Slot, WaitCard
from shared.rules.model import Verdict


def moment_json(moment_ms: int) -> str:
    """With the Korean offset."""
    return schedule.in_korea(moment_ms).isoformat(timespec="seconds")


def slot_json(slot: Slot) -> dict[str, Any]:
    return {
        "id": slot.id,
        "centre_id": slot.centre_id,
        "vaccine_id": slot.vaccine_id,
        "starts_at": moment_json(slot.starts_ms),
        "left": slot.left,
    }


def card_json(card: BookingCard | WaitCard) -> dict[str, Any]:
    both = {"code": card.code, "name": card.masked_name, "booked_by": card.booker_masked_name}
    if isinstance(card, WaitCard):
        where = {"centre_id": card.centre_id, "vaccine_id": card.vaccine_id, "day": card.day.isoformat()}
        return {"kind": "waiting", **both, **where, "ahead": card.ahead}
    how = {"how": card.how.value, "number": card.number}
    return {"kind": "booking", **both, "slot": slot_json(card.slot), **how, "cancelled": card.cancelled}


def verdict_json(verdict: Verdict) -> dict[str, Any]:
    rule = verdict.rule
    return {
        "kind": verdict.kind.value,
        "eligible": verdict.eligible,
        "calendar_version": verdict.calendar_version,
        "cohort": verdict.cohort and verdict.cohort.id,
        "rule": rule
        and {
            "id": rule.id,
            "version": rule.version,
            "opens_at": moment_json(rule.opens_ms),
            "closes_at": moment_json(rule.closes_ms),
        },
        "opens_at": _moment(verdict.opens_ms),
        "from": _moment(verdict.from_ms),
        "until": _moment(verdict.until_ms),
    }


def _moment(moment_ms: int | None) -> str | None:
    return None if moment_ms is None else moment_json(moment_ms)
