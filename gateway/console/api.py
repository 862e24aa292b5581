"""The operator API, joined together: its routes and their roles, failures as problem documents, its description.

JSON, bearer tokens (`auth.py`), problem documents (RFC 9457). What each operation does is in the module that has it;
what is done goes on record (`record.py`). A route is an `Operation`: that gives it its role and its description.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from importlib.metadata import version
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.console import (
    actions,
    allowing,
    approvals,
    arming,
    changing,
    events,
    history,
    lookups,
    page,
    preview,
    reading,
    trail,
)
from gateway.console.answers import Refused, harden, problem
from gateway.console.auth import authorise, protect
from gateway.console.conflict import what_changed
from gateway.console.context import DRAINING, MAX_BODY_BYTES, RECORD, ROOMS, SCRAPE, RoomControl
from gateway.console.operations import Operation, document, roles
from gateway.console.record import Book, Record
from gateway.console.shown import describe
from gateway.console.trail import Trail
from gateway.history import History
from gateway.metrics import WorkerFacts
from gateway.room.ticket import KeyRing
from gateway.store.base import StoreError, VersionConflict
from gateway.tokens import Tokens

OPERATIONS: Final[Sequence[Operation]] = (
    *page.OPERATIONS,
    *reading.OPERATIONS,
    *events.OPERATIONS,
    *preview.OPERATIONS,
    *trail.OPERATIONS,
    *history.OPERATIONS,
    *changing.OPERATIONS,
    *arming.OPERATIONS,
    *actions.OPERATIONS,
    *lookups.OPERATIONS,
    *allowing.OPERATIONS,
    *approvals.OPERATIONS,
)

_NO_KEYS: Final = KeyRing("", {})


def create_app(
    rooms: Sequence[RoomControl],
    tokens: Tokens,
    scrape: Callable[[], bytes] = bytes,
    *,
    draining: Callable[[], bool] = lambda: False,
    book: Book | None = None,
    keys: Callable[[], KeyRing] | None = None,
    facts: Callable[[], WorkerFacts] | None = None,
    two_person_actions: Collection[str] = (),
    log: Trail | None = None,
    kept: History | None = None,
) -> web.Application:
    """The operators' application.

    tokens: those that count. scrape: the metrics. facts: of this worker.
    draining: whether this worker is on its way out. book: where changes go on record. log: the same, to be read.
    kept: points of the rooms' past; None: none.
    keys: by which tickets are verified; None: of nobody. two_person_actions: `reset`, `passthrough`.
    """
    app = web.Application(middlewares=[_problems, authorise], client_max_size=MAX_BODY_BYTES)
    app[ROOMS] = {room.name: room for room in rooms}
    app[SCRAPE] = scrape
    app[RECORD] = Record(book)
    app[DRAINING] = draining
    app[lookups.KEYS] = keys or (lambda: _NO_KEYS)
    app[lookups.SEARCHING] = asyncio.Lock()
    app[approvals.TWO_PERSONS] = frozenset(two_person_actions)
    app[events.FACTS] = facts
    app[events.FEED] = events.Feed(lambda: events.everything(app))
    app[trail.TRAIL] = log
    app[history.HISTORY] = kept
    app[reading.DOCUMENT] = document(OPERATIONS, rooms=[*app[ROOMS]], version=version("sunbeon"))
    protect(app, tokens, roles(OPERATIONS))
    app.on_response_prepare.append(harden)
    app.router.add_routes(
        [web.route(one.method, one.path, one.handler) for one in OPERATIONS if one.method != "GET"]
        + [web.get(one.path, one.handler) for one in OPERATIONS if one.method == "GET"]
    )
    return app


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Failures as problem documents; the one place here where an exception becomes a status."""
    try:
        return await handler(request)
    except Refused as refused:
        return problem(refused.status, refused.detail, **refused.more)
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
        return problem(error.status, error.reason, headers=headers)
    except VersionConflict as conflict:
        told = what_changed(request, conflict.snapshot)
        return problem(412, "the settings were changed by someone else", current=describe(conflict.snapshot), **told)
    except StoreError as error:
        return problem(503, str(error))
