"""The proof for the backend says how its holder got in, by this machine's clock."""

from dataclasses import replace

import pytest

from gateway import keys
from gateway.edge.proofs import MOST, Proofs
from gateway.edge.settle import Inside, Through
from gateway.room.model import Limits, PassGrant
from gateway.room.ticket import Pass
from gateway.store.sqlite import SqliteStore
from shared.passes import PassExpired, PassForged, read_keys, verify
from shared.wire import How

NOW_MS = 1_626_692_400_000


@pytest.fixture
async def snapshot(tmp_path):
    store = SqliteStore(tmp_path / "queue.db", first_epoch=1)
    yield await store.open_room("vaccine", Limits())
    await store.close()


@pytest.fixture(params=["HS256", "EdDSA"])
def folder(tmp_path, request):
    keys.create(tmp_path / "keys.json", algorithm=request.param)
    return tmp_path


def proofs(folder, clock=lambda: NOW_MS) -> Proofs:
    store = keys.KeyStore(folder / "keys.json")
    return Proofs(store, lifetime_s=60, clock=clock, fresh_id=lambda: "x-1")


HELD = Pass(1, 7, 5, "id", "late_lane", 0)


def inside(held: Pass) -> Inside:
    return Inside(held, PassGrant(held.pass_id, held.place, How(held.how), 0, 0, 0), False, False, None)


def test_whoever_waited_is_told_with_number_and_place(folder, snapshot):
    text = proofs(folder).make("vaccine", snapshot, inside(HELD))
    found = verify(text, read_keys(folder / keys.BACKEND_FILE), now_s=NOW_MS / 1000)
    assert (found.room, found.pass_id, found.how, found.number, found.place) == ("vaccine", "id", How.LATE_LANE, 7, 5)
    assert (found.rule, found.epoch, found.settings_version) == (None, 1, 1)


def test_whoever_needed_no_turn_is_told_with_the_rule(folder, snapshot):
    text = proofs(folder).make("vaccine", snapshot, Through(How.EXEMPT, "health"))
    found = verify(text, read_keys(folder / keys.BACKEND_FILE), now_s=NOW_MS / 1000)
    assert (found.how, found.rule, found.pass_id, found.number, found.place) == (
        How.EXEMPT, "health", "x-1", None, None,
    )  # fmt: skip


def test_a_proof_lives_a_minute(folder, snapshot):
    text = proofs(folder).make("vaccine", snapshot, Through(How.PASSTHROUGH, None))
    known = read_keys(folder / keys.BACKEND_FILE)
    assert verify(text, known, now_s=NOW_MS / 1000 + 60).how is How.PASSTHROUGH
    with pytest.raises(PassExpired):
        verify(text, known, now_s=NOW_MS / 1000 + 66)
    with pytest.raises(PassForged):
        verify(text, known, now_s=NOW_MS / 1000 - 6)


def test_a_proof_is_made_anew_whenever_anything_it_says_differs(folder, snapshot):
    now = [NOW_MS]
    made = proofs(folder, clock=lambda: now[0])
    known = read_keys(folder / keys.BACKEND_FILE)

    def told(room=snapshot, name="vaccine", **differs):
        return verify(made.make(name, room, inside(HELD._replace(**differs))), known, now_s=now[0] / 1000)

    first = told()
    assert made.make("vaccine", snapshot, inside(HELD)) is made.make("vaccine", snapshot, inside(HELD))
    assert told(name="other") == replace(first, room="other")
    assert told(replace(snapshot, epoch=2)) == replace(first, epoch=2)
    assert told(replace(snapshot, limits=replace(snapshot.limits, version=9))) == replace(first, settings_version=9)
    assert told(pass_id="x") == replace(first, pass_id="x")
    assert told(number=8) == replace(first, number=8)
    assert told(place=8) == replace(first, place=8)
    assert told(how="line") == replace(first, how=How.LINE)
    now[0] += 1_000
    assert told() == replace(first, issued_s=first.issued_s + 1, expires_s=first.expires_s + 1)
    keys.rotate(folder / "keys.json")
    made._keys.refresh()
    known = read_keys(folder / keys.BACKEND_FILE)
    assert told() == replace(first, issued_s=first.issued_s + 1, expires_s=first.expires_s + 1)


def test_proofs_are_remembered_within_bounds(folder, snapshot):
    made = proofs(folder)
    for number in range(1, MOST + 10):
        made.make("vaccine", snapshot, inside(HELD._replace(number=number)))
        assert len(made._made) <= MOST


def test_who_needs_no_turn_is_told_apart_from_the_next_who_does_not(folder, snapshot):
    ids = iter(["x-1", "x-2"])
    made = Proofs(keys.KeyStore(folder / "keys.json"), lifetime_s=60, clock=lambda: NOW_MS, fresh_id=lambda: next(ids))
    texts = [made.make("vaccine", snapshot, Through(How.PASSTHROUGH, None)) for _ in range(2)]
    known = read_keys(folder / keys.BACKEND_FILE)
    assert [verify(text, known, now_s=NOW_MS / 1000).pass_id for text in texts] == ["x-1", "x-2"]
