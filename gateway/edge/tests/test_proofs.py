"""The proof for the backend says how its holder got in, by this machine's clock."""

import pytest

from gateway import keys
from gateway.edge.proofs import Proofs
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


def proofs(folder) -> Proofs:
    store = keys.KeyStore(folder / "keys.json")
    return Proofs(store, lifetime_s=60, clock=lambda: NOW_MS, fresh_id=lambda: "x-1")


def test_whoever_waited_is_told_with_number_and_place(folder, snapshot):
    held = Pass(1, 7, 5, "id", "late_lane", 0)
    text = proofs(folder).make(
        "vaccine", snapshot, Inside(held, PassGrant("id", 5, How.LATE_LANE, 0, 0, 0), True, True, None)
    )
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
