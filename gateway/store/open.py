"""From the `store` setting to a store."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from gateway.store.base import QueueStore, StoreError
from gateway.store.sqlite import SqliteStore

_LATER = ("redis", "rediss", "redis+sentinel", "redis+cluster", "valkey", "valkeys")


def open_store(url: str) -> QueueStore:
    """The store at `url`: `sqlite:///relative/path.db` or `sqlite:////absolute/path.db`.

    Nothing is opened yet: that the store cannot be reached is told by its first call. Raises `StoreError` for a URL
    that names none. The URL may hold a password, so no message repeats it.
    """
    parts = urlsplit(url)
    if parts.scheme in _LATER:
        raise StoreError(f"{parts.scheme}:// stores are not yet in this version; use sqlite:///path/to/file.db")
    if parts.scheme != "sqlite":
        raise StoreError("a store is given as sqlite:///path/to/file.db")
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc or parts.query or parts.fragment or not path or path.endswith("/"):
        raise StoreError("sqlite URLs have three slashes and a file: sqlite:///var/sunbeon.db, sqlite:////abs/olute.db")
    return SqliteStore(Path(path))
