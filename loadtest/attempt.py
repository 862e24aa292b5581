"""Whether a trick got through.

A trick got through if the backend answered it before the cheat's honest turn. Where the gate let the cheat in by the
same answer in the ordinary way (nobody was waiting, or its place was called that moment), that is its honest turn:
the answer then sets a pass, the place is its own, and the board's `serving` has reached it.
"""

from typing import Final

from yarl import URL

from loadtest.client import HTML, JSON, Answer
from loadtest.evidence import Trick, Turn
from loadtest.jar import Jar
from loadtest.site import Status
from loadtest.visitor import AGAIN_MS, IN_LINE, Visitor
from shared.wire import VisitorState

# The board may be a second old.
BOARD_TRIES: Final = 6
BOARD_PAUSE_MS: Final = 250


async def attempt(
    visitor: Visitor,
    trick: Trick,
    what: str,
    url: URL,
    *,
    jar: Jar | None = None,
    method: str = "GET",
    accept: str = HTML,
    headers: dict[str, str] | None = None,
    false: bool = False,
    ended: bool = False,
) -> Answer | None:
    """Play one request of a trick and judge its answer; None once the visitor is inside.

    false: what it brings is no longer, or never was, good for this visitor's own place. ended: it brings the pass of a
    visit that is over, which a gateway cut off from the line may honour for its stated grace.
    """
    if visitor.entered and not false:
        return None
    ticket = visitor.jar.get(visitor.site.ticket)
    own = jar is None or (ticket is not None and jar.get(visitor.site.ticket) == ticket)
    trick.tried += 1
    answer = await visitor.ask(method, url, jar=jar, accept=accept, headers=headers)
    if answer.gate is None:
        told = f"at {answer.sent_ms / 1000:.1f} s {what}: {method} {url.raw_path_qs}"
        await _judge(visitor, trick, told, answer, own=own, false=false, ended=ended)
    elif own:
        visitor.jar.take(answer.set_cookies)
    else:
        jar = Jar()
        jar.take(answer.set_cookies)
        await _give_back(visitor, jar)
    return answer


async def _judge(
    visitor: Visitor, trick: Trick, what: str, answer: Answer, *, own: bool, false: bool, ended: bool
) -> None:
    """The backend answered: rightly, with a pass of the visitor's own turn, or not."""
    failed = answer.status >= 400  # noqa: PLR2004 - HTTP
    trick.reached += failed
    if visitor.site.pass_ not in Jar().take(answer.set_cookies):
        if not failed and ended:
            trick.by_ended_pass.append((answer.sent_ms, what))
        elif not failed:
            trick.worked(f"{what} answered {answer.status} without a pass")
        return
    before = visitor.journey.current
    if not own:
        if before is None:
            # A trick may have been answered with a number that was not asked for yet, and is dropped now.
            await _give_back(visitor, visitor.jar.copy())
        visitor.journey.current = None  # whose place this was, only the gate can tell
    visitor.jar.take(answer.set_cookies)
    visitor.claim_jar = visitor.jar.with_cookie(visitor.site.pass_, None)
    await visitor.came_in(answer, proven=True)
    mine = visitor.journey.current
    if mine is None or mine.place is None:
        return  # its number is not told; the counts of the store show a pass too many
    if false and mine is before:
        trick.worked(f"{what} let in on place {mine.place}, to which it gives no right")
    elif not await _called(visitor, mine.place):
        trick.worked(f"{what} let in on place {mine.place} before it was called")


async def _give_back(visitor: Visitor, jar: Jar) -> None:
    """A place in line that is used no more: have its number, for the count, and leave it again."""
    if jar.get(visitor.site.ticket) is None:
        return
    for pause_ms in (*AGAIN_MS, None):
        told = await visitor.ask("GET", visitor.site.own("status"), accept=JSON, jar=jar)
        status = Status.read(told.json())
        if status is not None and not status.catching_up:
            break
        if pause_ms is None:
            visitor.client.tally.orphans += 1  # the number comes when the line answers, and nobody asks for it
            return
        await visitor.client.sleep_ms(pause_ms)
    if status is None or status.state not in {*IN_LINE, VisitorState.INSIDE}:
        return
    known = {turn.number for turn in visitor.journey.turns}
    if status.state is not VisitorState.INSIDE and status.number in {None, *known}:
        return  # nothing was given: the line cannot be asked just now, and knows no better
    turn = Turn(status.number, status.place)
    visitor.journey.turns.append(turn)
    if status.state is VisitorState.INSIDE:
        turn.enter(told.sent_ms, told.got_ms)
    jar.take(told.set_cookies)
    await visitor.ask("POST", visitor.site.own("leave"), accept=JSON, jar=jar)


async def _called(visitor: Visitor, place: int) -> bool:
    for _ in range(BOARD_TRIES):
        board = (await visitor.ask("GET", visitor.site.own("board"), accept=JSON)).json() or {}
        if board.get("serving", 0) >= place:
            return True
        await visitor.client.sleep_ms(BOARD_PAUSE_MS)
    return False


async def not_known(visitor: Visitor, trick: Trick, what: str, jar: Jar) -> None:
    """A false ticket must have no number, and not even be told one."""
    answer = await visitor.ask("GET", visitor.site.own("status"), accept=JSON, jar=jar)
    status = Status.read(answer.json())
    if status is not None and status.state not in {VisitorState.REFUSED, VisitorState.OUTSIDE}:
        trick.worked(f"{what}: taken for number {status.number} ({status.state})")
