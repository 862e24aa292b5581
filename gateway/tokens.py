"""Operators' tokens: who may do what at the operator API.

One JSON file, mode 0600, with a hash of each token: whoever reads it cannot use them. A token is 256 random bits, so
that its plain SHA-256 cannot be guessed back. It is shown once, when it is made.

Workers read the file again when it changes: a token that was revoked is none within a second.
"""

import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Any, Final

import orjson

from gateway.private_file import alone, replace_privately
from shared.errors import SunbeonError
from shared.stamp import stamp_of

_LOG: Final = logging.getLogger(__name__)

FORMAT_VERSION: Final = 1
TOKEN_BYTES: Final = 32
# What makes a token that was pasted somewhere be found for what it is.
PREFIX: Final = "sbo_"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,59}")
# Who has the one token of `operator_token_file`.
FIRST: Final = "first"


class TokenFileProblem(SunbeonError):
    """The file is damaged, readable by others, or does not hold what was asked for."""


class Role(StrEnum):
    """Each may do what those before it may."""

    VIEWER = "viewer"  # look
    OPERATOR = "operator"  # change settings, pause, resume, postpone, tell everyone something
    ADMIN = "admin"  # end everybody's place, let everybody through, exempt people

    def may(self, wanted: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(wanted)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. name: goes on record with what they do."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class TokenInfo:
    """A token as it is kept. hash: hex. expires_s: UNIX time, None for never."""

    name: str
    role: Role
    hash: str
    created_s: int
    expires_s: int | None


def create(path: Path, name: str, role: Role, *, now_s: int, days: int | None = None) -> str:
    """Make a token and return it; it cannot be shown again. days: until it expires. Raises `TokenFileProblem`."""
    if _NAME.fullmatch(name) is None or name == FIRST:
        raise TokenFileProblem(f"{name!r} is no name: letters, digits and . _ - @, at most 60, and not {FIRST!r}")
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    expires_s = None if days is None else now_s + days * 86_400
    with alone(path):
        known = read(path)
        if name in {each.name for each in known}:
            raise TokenFileProblem(f"{path}: {name} has a token; revoke it first")
        _write(path, [*known, TokenInfo(name, role, digest(token).hex(), now_s, expires_s)])
    return token


def revoke(path: Path, name: str) -> None:
    """From now on the token of this name is none. Raises `TokenFileProblem` if there is none."""
    with alone(path):
        known = read(path)
        if name not in {each.name for each in known}:
            raise TokenFileProblem(f"{path}: has no token of {name}")
        _write(path, [each for each in known if each.name != name])


def read(path: Path) -> list[TokenInfo]:
    """The tokens of a file, oldest first; none if it is not there. Raises `TokenFileProblem`."""
    try:
        mode = path.stat().st_mode & 0o777
        data = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise TokenFileProblem(f"{path}: cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise TokenFileProblem(f"{path}: is damaged: not JSON") from None
    if mode & 0o077:
        raise TokenFileProblem(f"{path}: others may read it (mode {mode:o}); make it 600")
    if not isinstance(data, dict) or data.get("version") != FORMAT_VERSION or not isinstance(data.get("tokens"), list):
        raise TokenFileProblem(f"{path}: is not a token file of this version")
    return [_info(path, each) for each in data["tokens"]]


class Tokens:
    """The tokens that count: those of a file, read again when it changes, and the first one beside it.

    A file that cannot be read any more lets nobody in but the holder of the first token, until it can: it is logged
    once, and tried again with the next question.
    """

    def __init__(self, path: Path | None, first: str) -> None:
        """first: the token of `operator_token_file`, an admin's. Raises ValueError for none, `TokenFileProblem`."""
        if not first:
            raise ValueError("the operator API needs a token")
        self._path = path
        self._first = digest(first)
        self._stamp = stamp_of(path) if path is not None else None
        self._known = read(path) if path is not None else []
        self._problem = ""

    def find(self, token: str, now_s: int) -> Principal | None:
        """Whose token it is; None for nobody's, and for one that has expired. Takes as long for any."""
        self._refresh()
        given = digest(token)
        found = Principal(FIRST, Role.ADMIN) if compare_digest(given, self._first) else None
        for info in self._known:
            same = compare_digest(given, bytes.fromhex(info.hash))
            if same and (info.expires_s is None or now_s < info.expires_s):
                found = Principal(info.name, info.role)
        return found

    def _refresh(self) -> None:
        if self._path is None or ((stamp := stamp_of(self._path)) == self._stamp and not self._problem):
            return
        self._stamp, before = stamp, self._problem
        try:
            self._known, self._problem = read(self._path), ""
        except TokenFileProblem as error:
            self._known, self._problem = [], str(error)
            if self._problem != before:
                _LOG.error("the operators' tokens cannot be used", extra={"why": self._problem})


def digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _info(path: Path, data: Any) -> TokenInfo:
    try:
        info = TokenInfo(**{**data, "role": Role(data["role"])})
        good = len(bytes.fromhex(info.hash)) == sha256().digest_size and isinstance(info.name, str)
        good = good and all(type(each) is int for each in (info.created_s, info.expires_s or 0))
    except (TypeError, KeyError, ValueError):
        good = False
    if not good:
        raise TokenFileProblem(f"{path}: holds something that is not a token")
    return info


def _write(path: Path, tokens: list[TokenInfo]) -> None:
    content: Mapping[str, Any] = {"version": FORMAT_VERSION, "tokens": [asdict(each) for each in tokens]}
    replace_privately(path, content)
