"""The key of the persons' hashes: from the environment, or from a file made on the first start."""

import os
import secrets
from pathlib import Path
from typing import Final

from shared.errors import SunbeonError

SECRET_BYTES: Final = 32


class SecretError(SunbeonError):
    """The key cannot be read or made, or is too weak."""


def load_secret(path: Path, from_environment: str | None, *, make: bool = True) -> bytes:
    """The key; if there is none yet, a new random one in a file of mode 0600.

    make: False wants one that is there, because a new one knows nobody. Raises `SecretError`.
    """
    if from_environment is not None:
        if len(from_environment.encode()) < SECRET_BYTES:
            raise SecretError(f"SUNBEON_BOOKING_SECRET: needs at least {SECRET_BYTES} bytes")
        return from_environment.encode()
    try:
        if make and not path.exists():
            _create(path)
        secret = path.read_bytes()
    except OSError as error:
        raise SecretError(f"{path}: {error.strerror} (booking.secret_file)") from None
    if len(secret) < SECRET_BYTES:
        raise SecretError(f"{path}: is not a key of {SECRET_BYTES} bytes (booking.secret_file)")
    return secret


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Written aside and linked into place: a crash leaves no half key, and of two first starts one wins for both.
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink(missing_ok=True)
