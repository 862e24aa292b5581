"""How the hot path says that an answer is still to come."""

from collections.abc import Callable
from enum import Enum
from typing import Final, Literal, Protocol

# Takes the whole answer to a request, once; None: the request is to go the ordinary way.
Send = Callable[[bytes | None], None]


class _Later(Enum):
    LATER = "later"


LATER: Final = _Later.LATER
Later = Literal[_Later.LATER]


class Caller(Protocol):
    """Whose connection a request came by. peer: its address. gone: called if it is lost before the answer was given."""

    peer: str | None
    gone: Callable[[], None] | None
