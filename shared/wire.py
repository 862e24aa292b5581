"""Names on the wire: what the gateway, a backend and a client must spell alike."""

from enum import StrEnum
from typing import Final

# Cookies. The room's name is appended (`sunbeon_ticket_vaccine`); `__Host-` is prepended under TLS.
TICKET_COOKIE: Final = "sunbeon_ticket"
PASS_COOKIE: Final = "sunbeon_pass"
SECURE_PREFIX: Final = "__Host-"

# Everything below this path prefix is the gateway's own and never reaches a backend.
OWN_PATH: Final = "/_sunbeon/"
JWKS_PATH: Final = "/_sunbeon/jwks.json"

# Headers. A client's own `Sunbeon-*` headers are dropped at the gate, a backend's before the client sees them.
HEADER_PREFIX: Final = "Sunbeon-"
PASS_HEADER: Final = "Sunbeon-Pass"
# Commands, separated by commas where there are several.
COMMAND_HEADER: Final = "Sunbeon-Command"
# From the backend: how many can still be sold or booked, a whole number.
STOCK_HEADER: Final = "Sunbeon-Stock"
# The waiting page's script sends its own copy of the ticket, so that losing the cookie loses no place.
TICKET_HEADER: Final = "Sunbeon-Ticket"
# On every answer the gate itself gives (a word: waiting, refused, ...). None on what comes from the backend.
GATE_HEADER: Final = "Sunbeon-Gate"
# From `sunbeon drill`: an id that marks its requests in the counters and the access log. Without any other effect.
DRILL_HEADER: Final = "Sunbeon-Drill"

PROBLEM_JSON: Final = "application/problem+json"

# How places follow from what is published of a draw (docs/draw.md). Another order needs another name.
DRAW_RECIPE: Final = "sunbeon-draw-1"


class How(StrEnum):
    """How a visitor got in; the `how` claim of `Sunbeon-Pass`."""

    DIRECT = "direct"  # nobody was waiting: number, call and admission in one request
    LINE = "line"  # waited, was called, came within the claim window
    LATE_LANE = "late_lane"  # came back after the claim window
    EXEMPT = "exempt"  # a bypass rule of the operator's; `rule` names it
    PASSTHROUGH = "passthrough"  # the operator switched the room off
    FAIL_OPEN = "fail_open"  # the line could not be asked, and the operator chose that then everyone goes in


class Command(StrEnum):
    """What a backend may tell the gateway in `Sunbeon-Command`."""

    COMPLETE = "complete"  # the visitor is done: free the slot now
    SOLD_OUT = "sold-out"
    REVOKE = "revoke"


class RoomState(StrEnum):
    """What a room as a whole is doing."""

    EARLY = "early"  # before the pre-queue: nobody can line up yet
    PREQUEUE = "prequeue"
    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"
    SOLD_OUT = "sold_out"
    PASSTHROUGH = "passthrough"


class VisitorState(StrEnum):
    """Where one visitor stands; the `state` field of a status answer."""

    OUTSIDE = "outside"  # no ticket: ask for the page, it hands out a knock
    WAITING = "waiting"
    CALLED = "called"  # your turn: ask for the page (a gate whose status answers claim says so only while catching up)
    AT_DOOR = "at_door"  # called and came, but every seat is taken this moment: first to enter
    INSIDE = "inside"  # a live pass
    USED = "used"  # this ticket has had its turn
    REFUSED = "refused"  # the ticket is not valid here; `message` says why


# Fields of `GET /_sunbeon/{room}/status`, in the order they are written. `as_of_ms`: when the line was last heard from;
# `catching_up`: that was too long ago, or it could not be asked now: everything is as it was then. `draw`: whether lots
# decide the places, `pending` until they are drawn (nobody has a place yet), then `drawn` among `draw_size` numbers;
# `wave_pending` and `wave_drawn` likewise for who lines up, or has, for a later window of the room's calendar.
# `finishing_ms`: after a closing, how long at most those inside may still take; null where nobody is.
# `eligibility`: in a room with a calendar, the visitor's own window: `verdict`, `rule`, `opens_at_ms`, `closes_at_ms`,
# and `late`: "certain" or "maybe" if one's turn does not come before it closes, else null.
# `wave`: whose lots `draw` speaks of, if not the room's own: of the pre-queue of a later window.
# `ahead`: people with an earlier place who are still there. `stock`: `left`, and `chance_gone_percent` that it is gone
# before one's turn (null where nobody can say); null where the backend never said.
STATUS_FIELDS: Final = (
    "state",
    "room_state",
    "number",
    "place",
    "ahead",
    "draw",
    "draw_size",
    "wave",
    "eta_ms",
    "poll_after_ms",
    "server_time_ms",
    "as_of_ms",
    "catching_up",
    "opens_at_ms",
    "postponed_from_ms",
    "closes_at_ms",
    "finishing_ms",
    "eligibility",
    "outflow_per_minute",
    "settings_version",
    "stock",
    "message",
    "ticket",
)
