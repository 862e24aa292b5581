"""`Sunbeon-Pass`: the proof a backend gets, with every request, of how the visitor got in.

A short-lived JWT (HS256, or EdDSA with the public keys at `/_sunbeon/jwks.json`). The gateway signs, the backend
verifies; a request that found another way to the backend has none and fails there.

Time is passed in on both sides. The algorithm is taken from our own key, never from the token's header.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import jwt
import orjson

from shared.errors import SunbeonError
from shared.stamp import stamp_of
from shared.wire import How

ALGORITHMS: Final = ("HS256", "EdDSA")

# The gateway's and the backend's clocks may differ by this much.
LEEWAY_S: Final = 5


class PassError(SunbeonError):
    """The request carries no pass that counts. `kind` is a word for counters and logs."""

    kind = "invalid"


class PassMissing(PassError):
    kind = "missing"


class PassMalformed(PassError):
    kind = "malformed"


class PassForged(PassError):
    """Signed by nobody we know, or altered since."""

    kind = "forged"


class PassExpired(PassError):
    """Once good. `claims` says whose it was."""

    kind = "expired"

    def __init__(self, message: str, claims: "PassClaims") -> None:
        super().__init__(message)
        self.claims = claims


class PassWrongRoom(PassError):
    """A good pass, for another waiting room."""

    kind = "wrong_room"

    def __init__(self, message: str, claims: "PassClaims") -> None:
        super().__init__(message)
        self.claims = claims


class KeyFileError(SunbeonError):
    """The file of verification keys is missing or damaged."""


@dataclass(frozen=True, slots=True)
class PassClaims:
    """What the proof says.

    number, place: of the visitor in the room's line, from 1; None for those who never stood in it.
    rule: the bypass rule that let an exempt request through.
    epoch: generation of the room's line, from 1.
    """

    room: str
    pass_id: str
    how: How
    epoch: int
    number: int | None
    place: int | None
    rule: str | None
    settings_version: int
    issued_s: int
    expires_s: int


@dataclass(frozen=True, slots=True)
class PassKey:
    """One JWK that signs (gateway) or verifies (backend). `repr` shows no secret."""

    kid: str
    algorithm: str
    key: Any = field(repr=False)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any]) -> "PassKey":
        """Raises `KeyFileError` if this is not a key of ours."""
        try:
            algorithm = jwk["alg"]
            if algorithm not in ALGORITHMS:
                raise KeyFileError(f"key {jwk['kid']}: algorithm {algorithm} is not one of {ALGORITHMS}")
            return cls(str(jwk["kid"]), algorithm, jwt.PyJWK(dict(jwk), algorithm).key)
        except (KeyError, jwt.PyJWTError) as error:
            raise KeyFileError(f"not a key this program can use: {error!r}") from None


def sign(claims: PassClaims, key: PassKey) -> str:
    """The value of `Sunbeon-Pass`."""
    payload = {
        "iss": "sunbeon",
        "room": claims.room,
        "jti": claims.pass_id,
        "how": claims.how.value,
        "epoch": claims.epoch,
        "num": claims.number,
        "place": claims.place,
        "rule": claims.rule,
        "sv": claims.settings_version,
        "iat": claims.issued_s,
        "exp": claims.expires_s,
    }
    message = _head(key.algorithm, key.kid) + _b64(orjson.dumps(payload))
    # Byte for byte what PyJWT makes of it, in half the time: the gateway signs for every visitor, every second.
    signature = hmac.digest(key.key, message, "sha256") if key.algorithm == "HS256" else key.key.sign(message)
    return (message + b"." + _b64(signature)).decode()


@lru_cache(maxsize=16)
def _head(algorithm: str, kid: str) -> bytes:
    return _b64(orjson.dumps({"alg": algorithm, "kid": kid, "typ": "JWT"})) + b"."


def _b64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def verify(text: str | None, keys: Mapping[str, PassKey], *, now_s: float) -> PassClaims:
    """The claims of a proof that is whole, ours, and not expired. Raises a `PassError` that says which it is not."""
    if not text:
        raise PassMissing("the request has no Sunbeon-Pass")
    try:
        kid = jwt.get_unverified_header(text).get("kid")
    except jwt.PyJWTError:
        raise PassMalformed("Sunbeon-Pass is not a JWT") from None
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise PassForged("Sunbeon-Pass names a key this backend does not know")
    # Expiry is checked below, against the time we were given.
    options: Any = {"verify_exp": False, "verify_iat": False, "verify_nbf": False, "require": ["exp", "iat"]}
    try:
        payload = jwt.decode(text, key.key, algorithms=[key.algorithm], issuer="sunbeon", options=options)
    except jwt.PyJWTError:
        raise PassForged("Sunbeon-Pass has a signature that does not fit") from None
    try:
        claims = PassClaims(
            room=str(payload["room"]),
            pass_id=str(payload["jti"]),
            how=How(payload["how"]),
            epoch=int(payload["epoch"]),
            number=_optional_int(payload["num"]),
            place=_optional_int(payload["place"]),
            rule=payload["rule"],
            settings_version=int(payload["sv"]),
            issued_s=int(payload["iat"]),
            expires_s=int(payload["exp"]),
        )
    except (KeyError, TypeError, ValueError):
        raise PassMalformed("Sunbeon-Pass lacks a claim or has one of the wrong kind") from None
    if now_s > claims.expires_s + LEEWAY_S:
        raise PassExpired("Sunbeon-Pass has expired", claims)
    if now_s < claims.issued_s - LEEWAY_S:
        raise PassForged("Sunbeon-Pass was issued in the future: check both clocks")
    return claims


def _optional_int(value: Any) -> int | None:
    return None if value is None else int(value)


def read_keys(path: Path) -> dict[str, PassKey]:
    """The keys of a JWK Set file, by `kid`. Raises `KeyFileError`."""
    try:
        data = orjson.loads(path.read_bytes())
        found = [PassKey.from_jwk(jwk) for jwk in data["keys"]]
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from None
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise KeyFileError(f"{path}: is not a JWK Set") from None
    return {key.kid: key for key in found}


class PassVerifier:
    """Verifies with the keys of a file, and reads it again when it has changed: a rotation needs no restart."""

    def __init__(self, path: Path) -> None:
        """Raises `KeyFileError`: a backend that cannot verify must not start."""
        self._path = path
        self._keys = read_keys(path)
        self._stamp = stamp_of(path)

    def verify(self, text: str | None, *, now_s: float) -> PassClaims:
        """As `verify` above."""
        stamp = stamp_of(self._path)
        if stamp != self._stamp and stamp is not None:
            # A half-written file must not lock everyone out: the old keys stay until the new ones read well.
            try:
                self._keys = read_keys(self._path)
                self._stamp = stamp
            except KeyFileError:
                pass
        return verify(text, self._keys, now_s=now_s)
