"""Errors as answers: the one place that chooses a status, and a page or a problem+json (RFC 9457) to say it in."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler

from booking import errors, texts
from booking.routes.context import PAGES, language_of
from booking.routes.shapes import verdict_json
from shared.passes import PassError
from shared.wire import PROBLEM_JSON

_log = logging.getLogger("booking")

STATUS: Final[Mapping[type[errors.BookingError], int]] = {
    errors.SoldOut: 409,
    errors.SlotClosed: 409,
    errors.AlreadyBooked: 409,
    errors.AlreadyWaiting: 409,
    errors.BookingCancelled: 409,
    errors.ProxyLimitReached: 409,
    errors.SeatsLeft: 409,
    errors.PassUsed: 409,
    errors.TooLateToCancel: 409,
    errors.TooLateToChange: 409,
    errors.HoldExpired: 410,
    errors.OtherPass: 403,
    errors.CrossSite: 403,
    errors.NotEligible: 403,
    errors.NotIdentified: 403,
    errors.IdentityRefused: 403,
    errors.TooManyAttempts: 429,
    errors.TooManyGuesses: 429,
    errors.NoSuchCentre: 404,
    errors.NoSuchSlot: 404,
    errors.NoSuchVaccine: 404,
    errors.NoSuchBooking: 404,
    errors.BadBody: 400,
    errors.WrongContentType: 415,
    errors.InvalidFields: 422,
    errors.IdentityUnavailable: 503,
    errors.StoreUnavailable: 503,
}
_OF_STATUS: Final = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "wrong_content_type"}
RETRY_AFTER_S: Final = 3


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever is raised into a plain answer; no stack trace leaves the house."""
    try:
        return await handler(request)
    except errors.StoreUnavailable as error:
        _log.error("the database failed", extra={"reason": str(error)})
        return answer(request, error)
    except (errors.BookingError, PassError) as error:
        return answer(request, error)
    except web.HTTPException as error:
        code = _OF_STATUS.get(
            error.status, "bad_body" if error.status < web.HTTPInternalServerError.status_code else ""
        )
        response = _say(request, error.status, code or "failed")
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except Exception:  # noqa: BLE001 - the last resort: logged with its trace, told without
        _log.exception("a request failed")
        return _say(request, 500, "failed")


def answer(request: web.Request, error: errors.BookingError | PassError) -> web.Response:
    """The answer that says `error`."""
    if isinstance(error, PassError):
        return _say(request, 403, "no_pass", kind=error.kind)
    extra: dict[str, Any] = {}
    if isinstance(error, errors.InvalidFields):
        language = language_of(request)
        extra["errors"] = [
            {"field": field, "code": code, "detail": texts.say(code, language)}
            for field, code in error.problems.items()
        ]
    if isinstance(error, errors.NotEligible) and wants_json(request):
        extra["eligibility"] = verdict_json(error.verdict)
    response = _say(request, STATUS.get(type(error), 500), error.code, **extra)
    if isinstance(error, (errors.StoreUnavailable, errors.IdentityUnavailable)):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def wants_json(request: web.Request) -> bool:
    """The API always; elsewhere a client that asks for JSON and not for pages."""
    accept = request.headers.get("Accept", "")
    return request.path.startswith("/api/") or ("json" in accept and "text/html" not in accept)


def _say(request: web.Request, status: int, code: str, **extra: Any) -> web.Response:
    language = language_of(request)
    title, detail = texts.say(code, language), texts.say(f"{code}_do", language)
    if not wants_json(request):
        return request.app[PAGES].render(
            request, language, "problem.html", status=status, code=code, heading=title, detail=detail, **extra
        )
    problem = {"type": f"urn:sunbeon:booking:{code}", "title": title, "status": status, "code": code, "detail": detail}
    return web.Response(status=status, body=orjson.dumps(problem | extra), content_type=PROBLEM_JSON)
