"""Why a request could not be carried through, each before a byte of an answer went to the client."""

from shared.errors import SunbeonError


class BackendError(SunbeonError):
    """The backend gave no answer that could be passed on. `kind` names the page and the counter."""

    kind = "bad_gateway"


class BackendTimeout(BackendError):
    kind = "gateway_timeout"


class Unserved(SunbeonError):
    """The backend answered with a failure of its own, and the visitor is better served by a page of ours."""


class BodyTooLarge(SunbeonError):
    """The request's body is larger than `max_body_bytes`."""


class BodyTimeout(SunbeonError):
    """The client fell silent amid the request's body, or sends it slower than the least rate."""


class PassEnded(SunbeonError):
    """The pass an exchange came in by has ended, and with it the exchange."""


class TooManyAtOnce(SunbeonError):
    """The visitor's network holds as many connections to the backend as one may."""


class BadFraming(SunbeonError):
    """The body's framing broke on its way: where this request ends, and another begins, cannot be known."""
