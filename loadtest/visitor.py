"""One visitor's way: ask for the page, poll as told, enter when called, do what there is to do inside.

Written from the other side of the wire: it knows what a browser with the waiting page would know, and notes what it
saw for the checks. It judges nothing itself.
"""

import random
from dataclasses import dataclass
from typing import Final

from yarl import URL

from loadtest.client import ERROR, HTML, JSON, WAITING, Answer, Client
from loadtest.evidence import Ending, Estimate, Journey, Turn
from loadtest.jar import Jar
from loadtest.scenario import Kind
from loadtest.site import Site, Status
from shared.wire import RoomState, VisitorState

# No visitor polls faster than this whatever it is told, so that a wrong answer makes no busy loop.
SHORTEST_POLL_MS: Final = 20

# Called, came, and was not let in after all: a moment's pause before asking where one stands.
NOT_YET_MS: Final = 250

# Too many requests of one network are under way: the place and the pass are kept.
TOO_MANY: Final = "too_many"

# Pauses of someone who claims again and is told to wait: in all longer than a store is away that is replaced.
AGAIN_MS: Final = (100, 200, 400, 800, 1_600, 3_200)

# Who clicks "leave" and sees an error clicks again, but not for ever.
LEAVE_TRIES: Final = 8

# With a place, and not yet inside.
IN_LINE: Final = frozenset({VisitorState.WAITING, VisitorState.CALLED, VisitorState.AT_DOOR})

# States in which a room takes nobody any more.
OVER: Final = frozenset({RoomState.CLOSED, RoomState.SOLD_OUT})


@dataclass(slots=True)
class Gauge:
    """How many are where at this moment."""

    arrived: int = 0
    waiting: int = 0
    inside: int = 0
    booked: int = 0
    done: int = 0


@dataclass(frozen=True, slots=True)
class Stay:
    """What is done inside: book, or only be there; and for how long on average.

    opens_ms: when the room opens, by the run's clock; 0 where it is open.
    run_id: tells this run's people from those of other runs against the same backend.
    """

    book: bool
    stay_s: float
    run_id: str
    opens_ms: int = 0


class Visitor:
    """One journey. `entered` from the first answer of the backend on."""

    def __init__(
        self, journey: Journey, site: Site, client: Client, gauge: Gauge, stay: Stay, *, backend: URL | None = None
    ) -> None:
        self.journey = journey
        self.site = site
        self.client = client
        self.gauge = gauge
        self.stay = stay
        self.backend = backend
        self.jar = Jar()
        self.claim_jar = Jar()
        self.last_pass: str | None = None
        self.rng = random.Random(journey.plan.seed)  # noqa: S311 - repeatable choices, not secrets
        self.entered = False

    async def ask(
        self,
        method: str,
        url: URL,
        *,
        accept: str = HTML,
        body: dict[str, object] | None = None,
        jar: Jar | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """One request with this visitor's cookies, or others. Takes no cookies from the answer."""
        sending = dict(headers or {})
        if method not in {"GET", "HEAD", "OPTIONS"}:
            sending.setdefault("Origin", self.site.origin)
            sending.setdefault("Sec-Fetch-Site", "same-origin")
        with_jar = self.jar if jar is None else jar
        # Who brings a ticket gets the same number and pass again; who brings none may have been given new ones.
        orphans = with_jar.get(self.site.ticket) is None
        return await self.client.ask(
            method, url, jar=with_jar, accept=accept, body=body, headers=sending, orphans=orphans
        )

    async def page(self) -> Answer:
        """Ask for the protected page, as a browser does; notes it if that was the way in."""
        self._keep_old()
        answer = await self.ask("GET", self.site.page)
        taken = self.jar.take(answer.set_cookies)
        if answer.gate is None:
            await self.came_in(answer, proven=self.site.pass_ in taken or self.jar.get(self.site.pass_) is not None)
        elif answer.status >= ERROR:
            await self.client.pause(answer)
        return answer

    async def status(self) -> Status:
        """Ask until there is a status answer; the first one that brings the knock back has the number."""
        self._note_opening()
        while True:
            self._keep_old()
            answer = await self.ask("GET", self.site.own("status"), accept=JSON)
            self.journey.polls += 1
            self.jar.take(answer.set_cookies)
            status = Status.read(answer.json()) if answer.status == 200 else None  # noqa: PLR2004 - HTTP
            if status is not None:
                self.see(status, answer)
                if status.catching_up:
                    self.client.tally.catching_up += 1
                    self.client.tally.away_ms.append(answer.sent_ms)
                return status
            if answer.status < ERROR:
                self.client.tally.errors[f"status {answer.status}"] += 1
            await self.client.pause(answer)

    def _note_opening(self) -> None:
        now_ms = self.client.watch.floor_ms()
        if self.journey.plan.early and self.journey.asked_at_opening_ms is None and now_ms >= self.stay.opens_ms:
            self.journey.asked_at_opening_ms = now_ms

    def _keep_old(self) -> None:
        """Remember the cookies from before the answer that lets this visitor in: it may be this one."""
        if self.jar.get(self.site.pass_) is None:
            self.claim_jar = self.jar.copy()

    def see(self, status: Status, answer: Answer) -> None:
        """Note what a status answer says about this visitor's turn. It may be what lets the visitor in."""
        if status.state is VisitorState.INSIDE:
            if status.number is not None:
                self._same_turn(status.number, status)
            turn = self.journey.nameless()
            if turn.entered_ms is None:
                turn.entered_server_ms = status.server_time_ms
            turn.enter(answer.sent_ms, answer.got_ms)
        elif status.state in IN_LINE and status.number is None and status.catching_up:
            pass  # the gate cannot ask the line just now, and keeps the knock
        elif status.state in IN_LINE and status.number is None:
            self.journey.losses.append(f"a status answer without a number ({status.state})")
        elif status.state in IN_LINE and status.number is not None:
            turn = self._same_turn(status.number, status)
            turn.told_ms = answer.got_ms if turn.told_ms is None else turn.told_ms
            if status.catching_up:
                return  # of how it was some time ago: the number is the same, who was called meanwhile is not in it
            if status.state is VisitorState.WAITING:
                _note_wait(turn, status, answer)
            elif turn.called_ms is None:
                turn.called_ms = answer.got_ms

    def _same_turn(self, number: int, status: Status) -> Turn:
        """The turn of this number; a loss where it should have been another."""
        turn = self.journey.current
        place = number if status.place is None and not status.lots_pending else status.place
        if turn is not None and turn.number is not None:
            if turn.entered_ms is None and turn.number != number:
                self.journey.losses.append(f"number {turn.number} became {number}")
            if turn.number == number and turn.place is None:
                turn.place = place
            elif turn.number == number and turn.place != place:
                self.journey.losses.append(f"number {number} went from place {turn.place} to {place}")
        return self.journey.turn(number, place)

    async def came_in(self, answer: Answer, *, proven: bool) -> None:
        """The backend answered: note through which turn, asking the gate for its number where it is not known."""
        self.entered = True
        self.last_pass = self.jar.get(self.site.pass_)
        if not proven:
            self.journey.unproven += 1
            return
        turn = self.journey.nameless()
        turn.enter(answer.sent_ms, answer.got_ms)
        turn.inside_until_ms = answer.sent_ms
        if turn.number is None:
            await self.status()

    async def wait_for_turn(self) -> Turn | None:
        """Come, wait as told, come in. None if the journey ended outside; `journey.ending` says how."""
        kind = self.journey.plan.kind
        patience = self.rng.randint(1, 4) if kind in {Kind.LEAVER, Kind.NO_SHOW} else None
        if not self.entered:
            await self.page()
        while not self.entered:
            status = await self.status()
            if status.room_state in OVER:
                self.journey.ending = Ending.TURNED_AWAY
                return None
            if status.state in {VisitorState.WAITING, VisitorState.AT_DOOR} and patience is not None:
                patience -= 1
                if patience == 0:
                    self.journey.ending = await self._give_up()
                    return None
            ending = await self._heed(status)
            if ending is not None:
                self.journey.ending = ending
                return None
        return self.journey.current

    async def _give_up(self) -> Ending:
        # A no-show says nothing and asks no more: a further status request might claim the place for it.
        if self.journey.plan.kind is Kind.NO_SHOW:
            return Ending.NO_SHOW
        await self.leave()
        return Ending.LEFT

    async def _heed(self, status: Status) -> Ending | None:
        """Do what a status answer tells one to do; how the journey ended, if that ended it."""
        match status.state:
            case VisitorState.WAITING | VisitorState.AT_DOOR:
                await self.client.sleep_ms(max(status.poll_after_ms, SHORTEST_POLL_MS))
            case VisitorState.CALLED if self.journey.plan.kind is Kind.NO_SHOW:
                return Ending.NO_SHOW
            case VisitorState.CALLED | VisitorState.INSIDE:
                await self.page()
                if not self.entered:
                    await self.client.sleep_ms(max(status.poll_after_ms, NOT_YET_MS))
            case VisitorState.OUTSIDE if self.journey.current is None:
                # The knock was lost with its answer, or was too old: knock again.
                await self.client.sleep_ms(max(status.poll_after_ms, SHORTEST_POLL_MS))
                await self.page()
            case VisitorState.OUTSIDE | VisitorState.USED | VisitorState.REFUSED:
                self.journey.losses.append(f"{status.state} while waiting: {status.message}")
                return Ending.LOST
        return None

    async def claim_again(self) -> None:
        """Ask for the page as if the answer that let this visitor in had been lost on the way."""
        before = self.claim_jar
        if before.get(self.site.ticket) is None:
            before = self.jar.with_cookie(self.site.pass_, None)
        self.journey.repeats_tried += 1
        for pause_ms in (*AGAIN_MS, None):
            answer = await self.ask("GET", self.site.page, jar=before)
            self.jar.take(answer.set_cookies)
            if answer.gate is None:
                return
            # Another worker may learn of the call a moment later than the one that let this visitor in. Who is told to
            # come back later is not told that the turn is lost.
            later = answer.gate in {WAITING, TOO_MANY} or answer.status >= ERROR
            if pause_ms is None or not later:
                self.journey.repeats_refused.append(f"{answer.status} {answer.gate}")
                return
            await self.client.sleep_ms(pause_ms)

    def alive(self, answer: Answer) -> bool:
        """Whether the backend answered; notes until when the pass lived, or that it is gone."""
        turn = self.journey.current
        if answer.gate is None:
            if turn is not None:
                turn.inside_until_ms = answer.sent_ms
            return True
        # What says "later" does not say that the pass is gone.
        if turn is not None and answer.status < ERROR and answer.gate != TOO_MANY:
            turn.put_out_ms = answer.got_ms
        return False

    async def leave(self) -> None:
        """Give up the place, or the pass."""
        for _ in range(LEAVE_TRIES):
            answer = await self.ask("POST", self.site.own("leave"), accept=JSON)
            self.jar.take(answer.set_cookies)
            if answer.status < ERROR:
                break
            await self.client.pause(answer)
        if 400 <= answer.status < ERROR:  # noqa: PLR2004 - HTTP
            self.client.tally.errors[f"leave {answer.status}"] += 1


def _note_wait(turn: Turn, status: Status, answer: Answer) -> None:
    turn.waiting_sent_ms = answer.sent_ms
    # Before an opening nothing was measured.
    if status.eta_ms is not None and status.room_state == RoomState.OPEN:
        turn.estimates.append(Estimate(answer.got_ms, *status.eta_ms, status.settings_version))
