"""The secrets by which lots are drawn: one for each room and epoch. Stores keep them; see `gateway.room.draw`."""

import secrets

from gateway.room.draw import SECRET_BYTES


def new_secret() -> str:
    """A fresh one, in hex."""
    return secrets.token_hex(SECRET_BYTES)
