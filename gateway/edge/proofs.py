"""Makes the `Sunbeon-Pass` that goes to the backend with every request of a room."""

import secrets
from collections.abc import Callable

from gateway.edge.settle import Inside, Through
from gateway.keys import KeyStore
from gateway.room.model import Snapshot
from shared.clock import Clock
from shared.passes import PassClaims, sign
from shared.wire import How


class Proofs:
    """Signs with the newest backend key of `keys`."""

    def __init__(
        self, keys: KeyStore, *, lifetime_s: int, clock: Clock, fresh_id: Callable[[], str] | None = None
    ) -> None:
        self._keys = keys
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._fresh_id = fresh_id or (lambda: "x-" + secrets.token_urlsafe(12))

    def make(self, room: str, snapshot: Snapshot, standing: Inside | Through) -> str:
        """The proof for one request.

        Its times are this machine's, not the room's: it is compared with the backend's clock, and lives a minute.
        """
        now_s = self._clock() // 1000
        if isinstance(standing, Inside):
            held = standing.visitor_pass
            how, rule = How(held.how), None
            pass_id, number, place = held.pass_id, held.number, held.place
        else:
            how, rule = standing.how, standing.rule
            pass_id, number, place = self._fresh_id(), None, None
        claims = PassClaims(
            room, pass_id, how, snapshot.epoch, number, place, rule, snapshot.limits.version, now_s,
            now_s + self._lifetime_s,
        )  # fmt: skip
        return sign(claims, self._keys.current.backend)
