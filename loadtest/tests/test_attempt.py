"""Places that tricks are given: each is counted once, also where a trick ends with another."""

from types import SimpleNamespace
from typing import Any

import orjson
from yarl import URL

from loadtest.attempt import attempt
from loadtest.client import Answer
from loadtest.evidence import Journey, Trick
from loadtest.jar import Jar
from loadtest.scenario import Cheat, Kind, VisitorPlan
from loadtest.site import Site
from loadtest.tally import Watch
from loadtest.visitor import Gauge, Stay, Visitor

SITE = Site(URL("http://127.0.0.1:8080/booking"), "main")
OWN, OTHER = 5, 9


def told(*cookies: str, gate: str | None = "status", **facts: object) -> Answer:
    return Answer(200, gate, cookies, 0, orjson.dumps(facts), 0, 0)


class Played(Visitor):
    """One whose gate is played: its first page gives number 5 without telling it, a newcomer is let in as number 9."""

    def __init__(self) -> None:
        journey = Journey(VisitorPlan(0, 0, Kind.CHEAT, Cheat.DEEP_LINK, repeats_claim=False, seed=0))
        client: Any = SimpleNamespace(watch=Watch())
        super().__init__(journey, SITE, client, Gauge(), Stay(book=False, stay_s=0, run_id="r"))
        self.left: list[str | None] = []

    async def ask(self, method: str, url: URL, *, jar: Jar | None = None, **_: object) -> Answer:  # noqa: ARG002
        ticket = (self.jar if jar is None else jar).get(SITE.ticket)
        place: dict[str, Any] = {"room_state": "open", "poll_after_ms": 0, "message": ""}
        match url.name:
            case "status" if ticket == "own":
                return told(**place, state="waiting", number=OWN, place=OWN)
            case "status":
                return told(**place, state="inside", number=OTHER, place=OTHER)
            case "board":
                return told(serving=OTHER)
            case "leave":
                self.left.append(ticket)
                return told()
            case _ if jar is None:
                return told(f"{SITE.ticket}=own", gate="waiting")
            case _:
                return told(f"{SITE.ticket}=other", f"{SITE.pass_}=pass", gate=None)


async def test_a_number_that_was_not_asked_for_is_counted_and_given_back_before_it_is_dropped_for_another() -> None:
    visitor, trick = Played(), Trick(Cheat.DEEP_LINK)
    await attempt(visitor, trick, "another spelling", SITE.at("/%2f"))
    await attempt(visitor, trick, "another spelling", SITE.at("/x/.."), jar=Jar())
    assert sorted(turn.number for turn in visitor.journey.turns if turn.number is not None) == [OWN, OTHER]
    assert (visitor.left, visitor.entered, trick.through) == (["own"], True, 0)
    assert visitor.journey.current is not None
    assert visitor.journey.current.number == OTHER
