"""What operators do most, each by a word of its own: thin over a change of settings, on record as one."""

from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from gateway.console.approvals import Approvals, Waiting
from gateway.console.changing import change
from gateway.console.context import find, read_body, room_answer
from gateway.console.operations import IF_MATCH, Handler, Operation
from gateway.console.shapes import RoomShown
from gateway.room.model import Mode
from gateway.settings import Texts
from gateway.tokens import Role


class Message(BaseModel):
    """To everyone waiting, by language; empty: taken back."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    message: Texts = Field(description='As `{"ko": ..., "en": ...}`.')


def _setter(name: str, mode: Mode) -> Handler:
    async def set_state(request: web.Request) -> web.Response:
        room = find(request)
        return room_answer(room, await change(request, room, {"mode": mode}, {"state"}))

    set_state.__name__ = name
    return set_state


async def let_all_through(request: web.Request) -> web.Response:
    """Switch the room off. Where it takes two people, ask for the second one."""
    room = find(request)
    asked = await Approvals(request, room).ask("passthrough")
    return asked or room_answer(room, await change(request, room, {"mode": Mode.PASSTHROUGH}, {"state"}))


async def tell_everyone(request: web.Request) -> web.Response:
    room = find(request)
    asked = await read_body(request, Message)
    return room_answer(room, await change(request, room, {"message": asked.message}, {"message"}))


_ENDS: Final = "ends passthrough, a pause, sold out and closed"


def _action(word: str, handler: Handler, summary: str, role: Role = Role.OPERATOR, **more: object) -> Operation:
    path = f"/api/rooms/{{room}}/{word}"
    return Operation("POST", path, handler, summary, role, RoomShown, parameters=(IF_MATCH,), **more)  # type: ignore[arg-type]


OPERATIONS: Final = (
    _action("pause", _setter("pause", Mode.PAUSED), "Admit nobody; everyone keeps their place."),
    _action("resume", _setter("resume", Mode.OPEN), f"Admit again; {_ENDS}."),
    _action("open", _setter("open_room", Mode.OPEN), f"Admit, as the schedule says; {_ENDS}."),
    _action("close", _setter("close", Mode.CLOSED), "Admit nobody any more; who is inside may finish."),
    _action(
        "passthrough", let_all_through, "Switch the room off: everyone goes through.", Role.ADMIN,
        more={202: Waiting}, refuses={409: "too much waits for a second person"},
    ),
    _action("message", tell_everyone, "Tell everyone who waits a line.", body=Message),
)  # fmt: skip
