"""What can go wrong with a booking. `code` is the stable word an API client acts on; texts for people are in `texts`.

The HTTP status of each is chosen in one place: `booking.routes.problems`.
"""

from collections.abc import Mapping

from shared.errors import SunbeonError
from shared.rules.model import Verdict


class BookingError(SunbeonError):
    """A request that was understood and not done."""

    code = "failed"


class SoldOut(BookingError):
    code = "sold_out"


class SlotClosed(BookingError):
    """The slot begins too soon, or has begun."""

    code = "slot_closed"


class AlreadyBooked(BookingError):
    """This person has a live booking. by_proxy: somebody else made it for them."""

    code = "already_booked"

    def __init__(self, message: str, *, by_proxy: bool = False) -> None:
        self.by_proxy = by_proxy
        super().__init__(message)


class AlreadyWaiting(BookingError):
    """This person is on another waitlist, or somebody else put them on this one."""

    code = "already_waiting"


class ProxyLimitReached(BookingError):
    """This booker has booked for as many others as one may."""

    code = "proxy_limit"


class PassUsed(BookingError):
    """This pass has made its booking: a copy of it makes no second one."""

    code = "pass_used"


class OtherPass(BookingError):
    """The hold was made with another visitor's pass."""

    code = "other_pass"


class HoldExpired(BookingError):
    """The hold is over, or never was: rows of ended holds are not kept, so the two look alike."""

    code = "hold_expired"


class TooLateToCancel(BookingError):
    code = "too_late"


class TooLateToChange(BookingError):
    code = "too_late"


class BookingCancelled(BookingError):
    """A cancelled booking cannot be changed any more."""

    code = "booking_cancelled"


class SeatsLeft(BookingError):
    """Nobody need wait for this day: it has a seat to book."""

    code = "seats_left"


class NoSuchCentre(BookingError):
    code = "no_such_centre"


class NoSuchVaccine(BookingError):
    code = "no_such_vaccine"


class NoSuchSlot(BookingError):
    code = "no_such_slot"


class NoSuchBooking(BookingError):
    """No booking has this code and birth date. It is not said which of the two is wrong."""

    code = "no_such_booking"


class BadBody(BookingError):
    """The body is not what its content type says."""

    code = "bad_body"


class WrongContentType(BookingError):
    code = "wrong_content_type"


class CrossSite(BookingError):
    """Another site's page sent this form."""

    code = "cross_site"


class InvalidFields(BookingError):
    """Fields are missing or wrong. `problems`: name of the field -> code of what is wrong with it."""

    code = "invalid"

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        # Codes, never the values: this text may end up in a log.
        super().__init__(", ".join(f"{field}: {code}" for field, code in self.problems.items()))


class NotIdentified(BookingError):
    """No identity comes with the request, or it was proved too long ago."""

    code = "not_identified"


class IdentityRefused(BookingError):
    """The provider says: this is not that person."""

    code = "identity_refused"


class IdentityUnavailable(BookingError):
    """The provider failed, or was too busy to answer in time. The person may well be who they say."""

    code = "identity_unavailable"


class TooManyAttempts(BookingError):
    """This pass has asked for as many identity checks as it may."""

    code = "too_many_attempts"


class TooManyGuesses(BookingError):
    """This pass has tried, or this code was tried with, as many wrong birth dates as may be."""

    code = "too_many_guesses"


class NotEligible(BookingError):
    """The calendar does not let this person book now. `verdict` says why, and when it will."""

    code = "not_eligible"

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        # The kind and the rule: of the person nothing.
        super().__init__(f"{verdict.kind.value}, rule {verdict.rule_name or 'none'}")


class StoreUnavailable(BookingError):
    """The database is locked, full, damaged or gone. What was asked for was not done, not even half.

    One case cannot be told from here: the connection may break after the database was told to keep it all. Then all of
    it was done, and asking again says so.
    """

    code = "unavailable"
