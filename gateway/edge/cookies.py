"""Our cookies: read from raw `Cookie` headers, written as `Set-Cookie`, taken out of what the backend sees.

Values are tokens of our own alphabet, so nothing is quoted or unescaped. A name may come several times (another path or
domain can plant one beside ours): all values are returned, and the signature decides.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from shared.wire import PASS_COOKIE, SECURE_PREFIX, TICKET_COOKIE

# A place is kept this long in a browser that was closed.
TICKET_MAX_AGE_S: Final = 7 * 24 * 3600

# Somebody else's page on a sibling host can plant values beside ours; a good one must be found among them. The headers'
# own limit leaves room for not many more.
MAX_VALUES: Final = 64


@dataclass(frozen=True, slots=True)
class CookieNames:
    """The names of one room's cookies."""

    ticket: str
    visitor_pass: str
    secure: bool

    @classmethod
    def of(cls, room: str, *, secure: bool) -> "CookieNames":
        prefix = SECURE_PREFIX if secure else ""
        return cls(f"{prefix}{TICKET_COOKIE}_{room}", f"{prefix}{PASS_COOKIE}_{room}", secure)


def values(headers: Iterable[str], name: str) -> list[str]:
    """The values of a cookie, in the order they came; empty ones are no cookie."""
    start = name + "="
    found: list[str] = []
    for header in headers:
        for part in header.split(";"):
            text = part.strip()
            if text.startswith(start) and len(text) > len(start):
                found.append(text[len(start) :].strip('"'))
    return found[:MAX_VALUES]


def without_ours(header: str) -> str:
    """A `Cookie` header less every cookie of the gateway's; empty if nothing is left. The rest keeps its spelling."""
    parts = header.split(";")
    kept = [part for part in parts if not names_ours(part)]
    return header if len(kept) == len(parts) else ";".join(kept).strip()


def names_ours(part: str) -> bool:
    """Whether a cookie, `name=value`, has a name of the gateway's."""
    return part.strip().removeprefix(SECURE_PREFIX).startswith((TICKET_COOKIE + "_", PASS_COOKIE + "_"))


def set_cookie(name: str, value: str, *, max_age_s: int, secure: bool) -> str:
    """A `Set-Cookie` value that no script can read and no other site can send along with a form."""
    return f"{name}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax" + ("; Secure" if secure else "")


def drop_cookie(name: str, *, secure: bool) -> str:
    return set_cookie(name, "", max_age_s=0, secure=secure)
