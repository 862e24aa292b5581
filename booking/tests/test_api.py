"""The journey through the JSON API, and every way it says no."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from booking.tests.conftest import PERSON
from shared.wire import How


async def test_a_visitor_books_through_the_api_and_the_gateway_is_told(site):
    headers = site.passes.header(number=41, place=40)
    _, _, body = await site.get("/api/centres", headers=headers)
    centre = body["centres"][0]
    assert set(centre) == {"id", "name_ko", "name_en", "address_ko", "address_en"}
    status, _, body = await site.get(f"/api/slots?centre={centre['id']}&day=2021-07-20", headers=headers)
    assert status == 200
    slot = body["slots"][0]
    assert slot == {
        "id": slot["id"],
        "centre_id": centre["id"],
        "starts_at": "2021-07-20T09:00:00+09:00",
        "left": site.settings.booking.slot_capacity,
    }

    status, _, held = await site.hold(headers, slot["id"])
    assert (status, held["expires_at"]) == (201, "2021-07-19T20:05:00+09:00")
    assert held["slot"]["left"] == slot["left"] - 1
    status, answered, booked = await site.post(f"/api/holds/{held['hold_id']}/confirm", headers=headers)

    assert status == 201
    assert answered["Sunbeon-Command"] == "complete"
    assert (booked["how"], booked["number"], booked["slot"]["id"]) == ("line", 41, slot["id"])
    assert len(booked["code"]) == 10
