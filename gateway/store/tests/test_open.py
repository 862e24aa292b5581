import pytest

from gateway.room.model import Limits
from gateway.store.base import StoreError, StoreMisconfigured
from gateway.store.open import open_store
from gateway.store.redis import RedisStore


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


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@host/0",
        "rediss://host",
        "valkey://host",
        "redis+unix:///run/valkey.sock",
        "redis+sentinel://:hunter2@h1,h2,h3/name",
        "redis+cluster://h1,h2,h3",
    ],
)
async def test_a_redis_url_is_a_redis_store_and_asks_nobody_yet(url):
    store = open_store(url, password="hunter2", sentinel_password="hunter2")
    assert isinstance(store, RedisStore)
    assert "hunter2" not in repr(store) + repr(vars(store))
    await store.close()


@pytest.mark.parametrize(
    "url", ["redis://", "redis://:hunter2@", "redis+sentinel://:hunter2@h1", "redis://:hunter2@h/x"]
)
def test_a_bad_redis_url_is_refused_without_its_password(url):
    with pytest.raises(StoreMisconfigured) as refusal:
        open_store(url)
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize(
    "url", ["", "queue.db", "postgres://x", "sqlite://queue.db", "sqlite:///", "sqlite:///a.db?x=1"]
)
def test_what_names_no_store_is_refused(url):
    with pytest.raises(StoreError, match="sqlite"):
        open_store(url)
