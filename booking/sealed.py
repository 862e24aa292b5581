"""Sealing: what must be read again, but only by this site, is encrypted and signed (Fernet: AES-128-CBC, HMAC-SHA256).

Two things are: the phone number of a booking, at rest in the database; and what a visitor has typed and proved, in a
cookie of their own, so that the site keeps nothing of people who have not booked. Time is an argument.
"""

import base64
from enum import StrEnum
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import SunbeonError

_KEY_BYTES: Final = 32


class Purpose(StrEnum):
    """What a seal is for. Each has a key of its own: a seal taken from one place opens nothing in another."""

    CONTACT = "contact"
    SESSION = "session"


class Unsealable(SunbeonError):
    """Not sealed by us for this purpose, altered since, or too old. It is not said which."""


class Sealer:
    """Seals with keys derived from the site's one secret. `repr` shows none of them."""

    def __init__(self, secret: bytes) -> None:
        self._boxes = {purpose: Fernet(_key(secret, purpose)) for purpose in Purpose}

    def seal(self, purpose: Purpose, data: bytes, *, now_ms: int) -> bytes:
        """URL-safe text. The time of sealing can be read without the key."""
        return self._boxes[purpose].encrypt_at_time(data, now_ms // 1000)

    def unseal(self, purpose: Purpose, sealed: bytes, *, now_ms: int, max_age_s: int | None = None) -> bytes:
        """What was sealed. max_age_s: None takes a seal of any age. Raises `Unsealable`."""
        box = self._boxes[purpose]
        try:
            data = box.decrypt(sealed) if max_age_s is None else box.decrypt_at_time(sealed, max_age_s, now_ms // 1000)
        except InvalidToken:
            raise Unsealable("not sealed here, or too long ago") from None
        # Decoders pass over signs that are not base64's, and bits that mean nothing: one seal, one spelling.
        if base64.urlsafe_b64encode(base64.urlsafe_b64decode(sealed)) != sealed:
            raise Unsealable("not as it was sealed")
        return data


def seal_contact(sealer: Sealer, own: str, bookers: str | None, *, now_ms: int) -> bytes:
    """A booking's phone numbers: the person's, and that of who booked for them, who may be the one that reads."""
    numbers = "\n".join((own,) if bookers is None else (own, bookers))
    return sealer.seal(Purpose.CONTACT, numbers.encode(), now_ms=now_ms)


def open_contact(sealer: Sealer, sealed: bytes, *, now_ms: int) -> tuple[str, str | None]:
    """The person's number, and the booker's if somebody else booked. Raises `Unsealable`."""
    own, _, bookers = sealer.unseal(Purpose.CONTACT, sealed, now_ms=now_ms).decode().partition("\n")
    return own, bookers or None


def _key(secret: bytes, purpose: Purpose) -> bytes:
    derive = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"sunbeon booking " + purpose.encode())
    return base64.urlsafe_b64encode(derive.derive(secret))
