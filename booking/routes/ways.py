"""From each problem a visitor may be told of: where to go on."""

from collections.abc import Mapping
from typing import Final

Way = tuple[str, str]

_CENTRES: Final[Way] = ("/booking", "choose_centre")
_FIND: Final[Way] = ("/booking/find", "find_link")
_HOME: Final[Way] = ("/", "home")
_IDENTIFY: Final[Way] = ("/booking/identify", "identify")
_ELIGIBILITY: Final[Way] = ("/booking/eligibility", "eligibility")

# Address and key of the label, the likeliest first.
_WAYS: Final[Mapping[str, tuple[Way, ...]]] = {
    "already_booked": (_FIND, _HOME),
    "already_waiting": (_FIND, _HOME),
    "booking_cancelled": (_HOME,),
    "proxy_limit": (_FIND, _HOME),
    "pass_used": (_FIND, _HOME),
    "too_late": (_FIND, _HOME),
    "no_such_booking": (_FIND, _HOME),
    "not_identified": (_IDENTIFY, _HOME),
    "too_many_attempts": (_HOME,),
    "too_many_guesses": (_HOME,),
    "not_eligible": (_ELIGIBILITY, _HOME),
    "unavailable": (_HOME,),
    "failed": (_HOME,),
    # Nowhere inside: the way in is the public address.
    "no_pass": (),
}
# What a moment may mend. Forms with fields show themselves again instead, with what was typed.
_PASSING: Final = ("unavailable", "failed", "identity_unavailable")


def ways_on(code: str) -> tuple[Way, ...]:
    return _WAYS.get(code, (_CENTRES, _FIND, _HOME))


def retry_by(code: str, method: str) -> str | None:
    """The method of the button that asks again; None: asking again would not help."""
    if code not in _PASSING:
        return None
    return "post" if method == "POST" else "get"
