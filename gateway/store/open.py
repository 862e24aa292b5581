"""From the `store` setting to a store."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from gateway.settings import Gateway
from gateway.store.base import QueueStore, StoreMisconfigured
from gateway.store.redis_url import SCHEMES, parse_redis_url
from gateway.store.sqlite import SqliteStore

TIMEOUT_S: Final = 1.0


def open_store(
    url: str,
    *,
    timeout_s: float = TIMEOUT_S,
    password: str | None = None,
    sentinel_password: str | None = None,
    ca_file: Path | None = None,
) -> QueueStore:
    """The store at `url`: `sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, or as `redis_url` says.

    timeout_s: how long one call may take. password, sentinel_password: of Redis, in place of the URL's.
    ca_file: PEM, whom to trust for TLS; None: whom the system trusts.

    Nothing is opened yet: that the store cannot be reached is told by its first call. Raises `StoreMisconfigured` for a
    URL that names none. The URL may hold a password, so no message repeats it.
    """
    scheme = url.partition(":")[0]
    if scheme in SCHEMES:
        # Its client takes a tenth of a program's start, which those on SQLite need not wait for.
        from gateway.store.redis import RedisStore
        from gateway.store.redis_nodes import Access

        return RedisStore(parse_redis_url(url), Access(timeout_s, password, sentinel_password, ca_file))
    parts = urlsplit(url)
    if scheme != "sqlite":
        known = ", ".join(f"{name}://" for name in SCHEMES)
        raise StoreMisconfigured(f"a store is given as sqlite:///path/to/file.db, or as one of {known}")
    path = unquote(parts.path.removeprefix("/"))
    if parts.netloc or parts.query or parts.fragment or not path or path.endswith("/"):
        raise StoreMisconfigured(
            "sqlite URLs have three slashes and a file: sqlite:///var/sunbeon.db, sqlite:////abs/olute.db"
        )
    return SqliteStore(Path(path), patience_ms=int(timeout_s * 1000))


def open_configured(settings: Gateway, environ: Mapping[str, str]) -> QueueStore:
    """The store that the settings name, with the passwords from their files or the environment, which wins.

    Raises `StoreMisconfigured`.
    """
    return open_store(
        settings.store,
        timeout_s=settings.store_timeout_s,
        password=_secret(settings.store_password_file, environ, "store_password"),
        sentinel_password=_secret(settings.store_sentinel_password_file, environ, "store_sentinel_password"),
        ca_file=settings.store_ca_file,
    )


def _secret(path: Path | None, environ: Mapping[str, str], name: str) -> str | None:
    given = environ.get(f"SUNBEON_{name.upper()}")
    if given:
        return given
    if path is None:
        return None
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise StoreMisconfigured(f"{name}_file: {path} cannot be read") from None
    if not secret:
        raise StoreMisconfigured(f"{name}_file: {path} is empty")
    return secret
