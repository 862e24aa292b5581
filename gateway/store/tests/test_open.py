import pytest

from gateway.room.model import Limits
from gateway.store.base import StoreError
from gateway.store.open import open_store


async def test_a_relative_path_has_three_slashes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = open_store("sqlite:///var/queue.db")
    await store.open_room("hall", Limits())
    await store.close()
    assert (tmp_path / "var" / "queue.db").exists()


async def test_an_absolute_path_has_four(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/a%20room.db")
    await store.open_room("hall", Limits())
    await store.close()
    assert (tmp_path / "a room.db").exists()


@pytest.mark.parametrize("url", ["redis://:hunter2@host/0", "rediss://host", "valkey://host"])
def test_a_store_of_a_later_version_is_refused_by_name_and_without_its_password(url):
    with pytest.raises(StoreError, match="not yet in this version") as refusal:
        open_store(url)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["", "queue.db", "postgres://x", "sqlite://queue.db", "sqlite:///", "sqlite:///a.db?x=1"]
)
def test_what_names_no_store_is_refused(url):
    with pytest.raises(StoreError, match="sqlite"):
        open_store(url)
