"""A store whose calls are timed."""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from gateway.store.base import QueueStore

# Whatever else a store has is passed on as it is.
OPERATIONS: Final = frozenset(
    name for name, method in vars(QueueStore).items() if callable(method) and not name.startswith("_")
) - {"recall", "close"}


def timed(store: QueueStore, tell: Callable[[str, float], None]) -> QueueStore:
    """`store`; after each call, answered or failed, `tell` gets its name and how many seconds it took."""
    return cast("QueueStore", _Timed(store, tell))


class _Timed:
    def __init__(self, store: QueueStore, tell: Callable[[str, float], None]) -> None:
        self._store = store
        self._tell = tell

    def __getattr__(self, name: str) -> Any:
        if name not in OPERATIONS:
            return getattr(self._store, name)

        async def call(*args: Any, **more: Any) -> Any:
            begun_s = time.monotonic()
            try:
                asked: Awaitable[Any] = getattr(self._store, name)(*args, **more)
                return await asked
            finally:
                self._tell(name, time.monotonic() - begun_s)

        # Found at once the next time.
        setattr(self, name, call)
        return call
