"""Makes the `Sunbeon-Pass` that goes to the backend with every request of a room."""

import secrets
from collections.abc import Callable
from typing import Final

from gateway.edge.settle import Inside, Through
from gateway.keys import KeyStore
from gateway.room.model import Snapshot
from gateway.room.ticket import Pass
from shared.clock import Clock
from shared.passes import PassClaims, PassKey, sign
from shared.wire import How

# Proofs remembered at most: all that a worker signs in some seconds.
MOST: Final = 4_096


class Proofs:
    """Signs with the newest backend key of `keys`."""

    def __init__(
        self, keys: KeyStore, *, lifetime_s: int, clock: Clock, fresh_id: Callable[[], str] | None = None
    ) -> None:
        self._keys = keys
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._fresh_id = fresh_id or (lambda: "x-" + secrets.token_urlsafe(12))
        # Those of this second, by this key.
        self._made: dict[tuple[str, int, int, Pass], str] = {}
        self._made_s = 0
        self._key: PassKey | None = None

    def make(self, room: str, snapshot: Snapshot, standing: Inside | Through) -> str:
        """The proof for one request.

        Its times are this machine's, not the room's: it is compared with the backend's clock, and lives a minute.
        Requests of one pass in one second have the same one.
        """
        if not isinstance(standing, Inside):
            now_s = self._clock() // 1000
            claims = self._claims(room, snapshot, now_s, self._fresh_id(), standing.how, rule=standing.rule)
            return sign(claims, self._keys.current.backend)
        return self.of_pass(room, snapshot, standing.visitor_pass)

    def of_pass(self, room: str, snapshot: Snapshot, held: Pass) -> str:
        """As `make`, for a pass that lives."""
        now_s = self._clock() // 1000
        key = self._keys.current.backend
        if now_s != self._made_s or key is not self._key or len(self._made) >= MOST:
            self._made_s, self._key = now_s, key
            self._made.clear()
        # All that the claims are made from, beside the second.
        told = (room, snapshot.epoch, snapshot.limits.version, held)
        made = self._made.get(told)
        if made is None:
            claims = self._claims(
                room, snapshot, now_s, held.pass_id, How(held.how), number=held.number, place=held.place
            )
            made = self._made[told] = sign(claims, key)
        return made

    def _claims(
        self,
        room: str,
        snapshot: Snapshot,
        now_s: int,
        pass_id: str,
        how: How,
        *,
        number: int | None = None,
        place: int | None = None,
        rule: str | None = None,
    ) -> PassClaims:
        return PassClaims(
            room, pass_id, how, snapshot.epoch, number, place, rule, snapshot.limits.version, now_s,
            now_s + self._lifetime_s,
        )  # fmt: skip
