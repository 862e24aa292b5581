"""Actions that take two people: the first one's request, kept until another confirms it or its time is over.

Kept with the room's live settings, so that it can be confirmed at any gateway, and once only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

APPROVAL_MS: Final = 10 * 60_000


@dataclass(frozen=True, slots=True)
class Approval:
    """epoch: of the line that was meant: one that was begun since is another. by: who asked."""

    id: str
    action: str
    by: str
    epoch: int
    expires_ms: int


def read_approval(kept: Mapping[str, Any]) -> Approval:
    """From JSON. Raises `TypeError`."""
    return Approval(**kept)


def pending(approvals: Iterable[Approval], epoch: int, now_ms: int) -> tuple[Approval, ...]:
    """Those that can still be confirmed."""
    return tuple(one for one in approvals if one.epoch == epoch and now_ms < one.expires_ms)
