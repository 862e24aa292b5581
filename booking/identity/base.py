"""What the site wants of an identity provider, whoever that is.

A real one asks a carrier or a certificate authority and takes seconds; it has its own limits and its own bad evenings.
So every call may be slow, refused or impossible, and the site says which, keeps what was typed, and shows how busy each
method is before anyone chooses one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from booking.person import Person

Attributes = Mapping[str, str | int | bool]


class Light(StrEnum):
    """How one method is doing, as a traffic light for those about to choose."""

    FREE = "free"
    BUSY = "busy"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the provider found.

    id: the same for the same person always, however they were looked up: the rule of one booking each rests on it.
    (In Korea, a provider's "connecting information".) attributes: what cohorts may ask beside the birth date.
    """

    id: str = field(repr=False)
    attributes: Attributes = field(default_factory=dict, repr=False)


class IdentityProvider(Protocol):
    """Raises `IdentityRefused` (this is not that person) and `IdentityUnavailable` (could not be asked)."""

    @property
    def methods(self) -> Sequence[str]:
        """The ways to prove oneself, in the order they are offered."""

    def light(self, method: str) -> Light:
        """How this method is doing now; takes no time."""

    async def verify(self, method: str, person: Person) -> Subject:
        """The visitor proves to be this person."""

    async def find(self, person: Person) -> Subject:
        """Somebody the visitor books for: looked up in the register, proving nothing about the visitor."""
