"""The key file: the secrets that sign tickets and passes, and those that sign `Sunbeon-Pass` for backends.

One JSON file, mode 0600. Several keys are valid at once and the newest signs, so a rotation drops nobody from the line:
old tickets verify until their key is retired by name. A key may be known first and sign later (`signs_from`, by the
wall clock), so that every machine has it before anything is signed with it.

Keys for backends are apart from keys for cookies: a backend that holds an HS256 secret can forge its own proofs, but no
place in line. What backends need is written beside it as a JWK Set (`backend-keys.json`); with EdDSA that holds public
keys only.

Workers read the file again when it changes, when a key's time to sign has come, and at once when they meet a key they
do not know.
"""

import logging
import math
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.private_file import alone, replace_privately
from gateway.room.ticket import KeyRing
from shared.errors import SunbeonError
from shared.passes import ALGORITHMS, KeyFileError, PassKey
from shared.stamp import stamp_of

_LOG: Final = logging.getLogger(__name__)

FORMAT_VERSION: Final = 1
SECRET_BYTES: Final = 32
BACKEND_FILE: Final = "backend-keys.json"
_PUBLIC_FIELDS: Final = ("kty", "crv", "x", "kid", "alg")


class KeyFileProblem(SunbeonError):
    """The key file is missing, damaged, readable by others, or does not hold what was asked for."""


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """A line of `sunbeon keys list`: nothing in it is secret."""

    kid: str
    use: str
    algorithm: str
    created: str
    signs: bool
    signs_from: str | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """What a gateway signs and verifies with. `repr` shows no secret."""

    cookies: KeyRing
    backend: PassKey
    public_jwks: Sequence[Mapping[str, str]]
    # Seconds since the epoch: when another key will sign; None: these do until the file changes.
    until_s: float | None = None

    def __repr__(self) -> str:
        return f"Keys(cookies={self.cookies!r}, backend={self.backend.kid!r})"


def create(path: Path, *, algorithm: str = "HS256") -> None:
    """Write a new key file and the backend's. Raises `KeyFileProblem` if there is one already."""
    with alone(path):
        if path.exists():
            raise KeyFileProblem(f"{path}: exists already; use `sunbeon keys rotate` to add a key")
        _write(path, [_new_cookie_key(), _new_backend_key(algorithm)])


def rotate(
    path: Path, *, algorithm: str | None = None, sign_after_s: int = 0, wall: Callable[[], float] = time.time
) -> str | None:
    """Add a new key of each use: valid at once, signing after `sign_after_s`. All earlier ones still verify.

    The moment from which they sign, as ISO 8601 has it; None for now.
    """
    from_s = datetime.fromtimestamp(math.ceil(wall() + sign_after_s), UTC).isoformat() if sign_after_s else None
    later = {} if from_s is None else {"signs_from": from_s}
    with alone(path):
        keys = _read(path)
        used = next(key["alg"] for key in reversed(keys) if key["use"] == "backend")
        _write(path, [*keys, _new_cookie_key() | later, _new_backend_key(algorithm or used) | later])
    return from_s


def retire(path: Path, kid: str, *, wall: Callable[[], float] = time.time) -> None:
    """Remove a key: what it signed is refused from now on. The signing keys cannot be removed."""
    with alone(path):
        keys = _read(path)
        if kid not in {key["kid"] for key in keys}:
            raise KeyFileProblem(f"{path}: has no key {kid}")
        if any(info.kid == kid and info.signs for info in describe(path, wall=wall)):
            raise KeyFileProblem(f"{path}: key {kid} signs at present; rotate first, and wait until the new one signs")
        _write(path, [key for key in keys if key["kid"] != kid])


def describe(path: Path, *, wall: Callable[[], float] = time.time) -> list[KeyInfo]:
    """The keys in the file, oldest first. signs_from: of those that will sign, and do not yet."""
    keys, now_s = _read(path), wall()
    signing = {
        _signing([key for key in keys if key["use"] == use], now_s)["kid"] for use in {key["use"] for key in keys}
    }
    return [
        KeyInfo(
            key["kid"], key["use"], key["alg"], key["created"], key["kid"] in signing,
            key["signs_from"] if _signs_from_s(key) > now_s else None,
        )
        for key in keys
    ]  # fmt: skip


def load(path: Path, *, wall: Callable[[], float] = time.time) -> Keys:
    """The keys, ready for use at this moment. Raises `KeyFileProblem`."""
    keys, now_s = _read(path), wall()
    cookie_keys = [key for key in keys if key["use"] == "cookies"]
    backend_keys = [key for key in keys if key["use"] == "backend"]
    if not cookie_keys or not backend_keys:
        raise KeyFileProblem(f"{path}: needs a key for cookies and a key for backends")
    ring = KeyRing(_signing(cookie_keys, now_s)["kid"], {key["kid"]: _secret(path, key) for key in cookie_keys})
    public = [_public(key) for key in backend_keys if key["alg"] == "EdDSA"]
    signs = _signing(backend_keys, now_s)
    until_s = min((from_s for key in keys if (from_s := _signs_from_s(key)) > now_s), default=None)
    if signs["alg"] == "HS256":
        _secret(path, signs)
    try:
        return Keys(ring, PassKey.from_jwk(signs), public, until_s)
    except KeyFileError as error:
        raise KeyFileProblem(f"{path}: {error}") from None


class KeyStore:
    """The keys of a file, read again when it changes, and when another key of it signs.

    A file that is gone or cannot be read leaves the old keys in use; each such state of it is logged once, however
    often it is looked at.
    """

    def __init__(self, path: Path, *, wall: Callable[[], float] = time.time) -> None:
        """Raises `KeyFileProblem`."""
        self._path = path
        self._wall = wall
        self.current = load(path, wall=wall)
        self._stamp = self._seen = stamp_of(path)

    def refresh(self) -> bool:
        """Read the file again if it has changed; keep the old keys if it cannot be read. True if they are new."""
        stamp = stamp_of(self._path)
        news, self._seen = stamp != self._seen, stamp
        until_s = self.current.until_s
        if stamp == self._stamp and (until_s is None or self._wall() < until_s):
            return False
        try:
            # Also without news: a change of mode, the usual remedy, does not show in the stamp.
            self.current = load(self._path, wall=self._wall)
        except SunbeonError as error:
            # Anybody can send a key we do not know, and so have us look: told once, not once a request.
            if news:
                _LOG.error("the key file cannot be used; the keys read before stay in use", extra={"why": str(error)})
            return False
        self._stamp = stamp
        return True


def _signing(keys: Sequence[Mapping[str, Any]], now_s: float) -> Mapping[str, Any]:
    """The newest whose time has come; if there is none, the oldest."""
    return next((key for key in reversed(keys) if _signs_from_s(key) <= now_s), keys[0])


def _signs_from_s(key: Mapping[str, Any]) -> float:
    moment = key.get("signs_from")
    return 0.0 if moment is None else datetime.fromisoformat(moment).timestamp()


def _new_cookie_key() -> dict[str, str]:
    return {
        "kid": secrets.token_hex(4),
        "use": "cookies",
        "kty": "oct",
        "alg": "BLAKE2b",
        "k": _b64(secrets.token_bytes(SECRET_BYTES)),
        "created": _today(),
    }


def _new_backend_key(algorithm: str) -> dict[str, str]:
    if algorithm not in ALGORITHMS:
        raise KeyFileProblem(f"algorithm {algorithm!r}: choose one of {', '.join(ALGORITHMS)}")
    common = {"kid": secrets.token_hex(4), "use": "backend", "alg": algorithm, "created": _today()}
    if algorithm == "HS256":
        return {**common, "kty": "oct", "k": _b64(secrets.token_bytes(SECRET_BYTES))}
    return {**jwt.algorithms.OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True), **common}


def _public(key: Mapping[str, str]) -> dict[str, str]:
    return {name: key[name] for name in _PUBLIC_FIELDS if name in key}


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        mode = path.stat().st_mode & 0o777
        data = orjson.loads(path.read_bytes())
    except OSError as error:
        raise KeyFileProblem(f"{path}: cannot be read: {error.strerror}; `sunbeon keys create` makes one") from None
    except orjson.JSONDecodeError:
        raise KeyFileProblem(f"{path}: is damaged: not JSON") from None
    if mode & 0o077:
        raise KeyFileProblem(f"{path}: others may read it (mode {mode:o}); make it 600")
    if not isinstance(data, dict) or data.get("version") != FORMAT_VERSION or not isinstance(data.get("keys"), list):
        raise KeyFileProblem(f"{path}: is not a key file of this version")
    for key in data["keys"]:
        if not isinstance(key, dict) or not all(
            isinstance(key.get(name), str) for name in ("kid", "use", "alg", "kty", "created")
        ):
            raise KeyFileProblem(f"{path}: holds something that is not a key")
        try:
            moment = key.get("signs_from")
            aware = moment is None or datetime.fromisoformat(moment).tzinfo is not None
        except (ValueError, TypeError):
            aware = False
        if not aware:
            raise KeyFileProblem(f"{path}: key {key['kid']} is damaged: signs_from is no moment with its UTC offset")
    return list(data["keys"])


def _secret(path: Path, key: Mapping[str, Any]) -> bytes:
    """The secret of a key. A damaged one may be short or empty, and anybody could sign with that."""
    text = key.get("k")
    try:
        secret = _unb64(text) if isinstance(text, str) else b""
    except ValueError:
        secret = b""
    if len(secret) < SECRET_BYTES:
        raise KeyFileProblem(f"{path}: key {key['kid']} is damaged: its secret has fewer than {SECRET_BYTES} bytes")
    return secret


def _write(path: Path, keys: list[dict[str, Any]]) -> None:
    backend = [key for key in keys if key["use"] == "backend"]
    shared = [_public(key) if key["alg"] == "EdDSA" else _secret_jwk(key) for key in backend]
    # Backends first: they must know a new key before anything is signed with it.
    replace_privately(path.parent / BACKEND_FILE, {"keys": shared})
    replace_privately(path, {"version": FORMAT_VERSION, "keys": keys})


def _secret_jwk(key: Mapping[str, str]) -> dict[str, str]:
    return {name: key[name] for name in ("kty", "k", "kid", "alg")}


def _today() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
