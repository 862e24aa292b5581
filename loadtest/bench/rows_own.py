"""What the gateway answers by itself: status polls, board, waiting page. Against nginx saying the same words."""

from collections.abc import Mapping, Sequence
from typing import Final

from loadtest.bench import reference, wrk
from loadtest.bench.figures import Round, ratios
from loadtest.bench.ground import Ground
from loadtest.bench.measure import Contestant, Wanted
from loadtest.bench.row import OURS, Plan, Row
from loadtest.bench.sunbeon import BOARD, FULL, SQLITE, Gateway, poll
from loadtest.bench.wire import PAGE, SCRIPT, ask, request

# So many that none of them asks too often, however fast they are answered: who does is told off.
POLLERS: Final = 8_192
_QUICK_POLLERS: Final = 1_024
_AHEAD: Final = 100_000
_LONG: Final = 6_000_000
_PAGE: Final = Wanted(b'id="n-data"', (("content-encoding", "gzip"),))
_WAITING: Final = Wanted(b'"state":"waiting"')


def pollers(plan: Plan) -> int:
    return _QUICK_POLLERS if plan.quick else POLLERS


def waiting_room(
    ground: Ground,
    *,
    name: str = OURS,
    ahead: int = _AHEAD,
    workers: int = 1,
    store: str = SQLITE,
    on: frozenset[int] | None = None,
) -> Gateway:
    """One seat, which is taken, and so long a line."""
    behind = reference.backend(ground).address
    gateway = Gateway(ground, behind, name=name, room=FULL, workers=workers, store=store, on=on)
    gateway.passes(1)
    if ahead:
        gateway.lengthen(ahead)
    return gateway


def _beside_nginx(ground: Ground, gateway: Gateway, requests: list[bytes], wanted: Wanted) -> list[Contestant]:
    """nginx, which says what the gateway said to the first of these, and the gateway."""
    reply = ask(gateway.address, requests[0])
    wanted.check(OURS, reply)
    nginx = reference.nginx_saying(ground, reply)
    load = wrk.Load(wrk.prepare(ground.folder / "requests", requests))
    return [
        Contestant("nginx", nginx, requests, load, wanted),
        Contestant(OURS, gateway.program, requests, load, wanted),
    ]


def status(plan: Plan, ground: Ground) -> list[Contestant]:
    gateway = waiting_room(ground)
    people = pollers(plan)
    requests = [poll(ticket) for ticket in gateway.crowd(people)]
    contestants = _beside_nginx(ground, gateway, requests, _WAITING)
    if plan.has("go"):
        go = reference.go_poll(ground)
        polls = [request("GET", "/status", SCRIPT, [ticket]) for ticket in reference.go_tickets(go, people)]
        load = wrk.Load(wrk.prepare(ground.folder / "requests-go", polls))
        contestants.append(Contestant("Go net/http", go, polls, load, _WAITING))
    return contestants


def board(_plan: Plan, ground: Ground) -> list[Contestant]:
    gateway = waiting_room(ground)
    return _beside_nginx(ground, gateway, [request("GET", BOARD, SCRIPT)], Wanted(b'"room":"bench"'))


def again(plan: Plan, ground: Ground) -> list[Contestant]:
    gateway = waiting_room(ground)
    requests = [request("GET", "/", PAGE, [ticket]) for ticket in gateway.crowd(pollers(plan))]
    return _beside_nginx(ground, gateway, requests, _PAGE)


def newcomer(_plan: Plan, ground: Ground) -> list[Contestant]:
    return _beside_nginx(ground, waiting_room(ground), [request("GET", "/", PAGE)], _PAGE)


def line(plan: Plan, ground: Ground) -> list[Contestant]:
    """The same poll in a short and in a long line."""
    people = pollers(plan)
    contestants = []
    for name, ahead in ((f"{OURS}, {people:,} in line", 0), (f"{OURS}, {_LONG:,} in line", _LONG - people)):
        gateway = waiting_room(ground, name=f"{OURS}-{ahead}", ahead=ahead)
        requests = [poll(ticket) for ticket in gateway.crowd(people)]
        gateway.await_waiting(ahead + people)
        load = wrk.Load(wrk.prepare(ground.folder / f"requests-{ahead}", requests))
        contestants.append(Contestant(name, gateway.program, requests, load, _WAITING))
    return contestants


def workers(plan: Plan, ground: Ground) -> list[Contestant]:
    """One worker on one core, two on two: of these, one is also the generator's where there are only two."""
    contestants = []
    both = ground.cores.server | frozenset(sorted(ground.cores.generator)[:1])
    for name, count, on in (("one worker", 1, ground.cores.server), ("two workers", 2, both)):
        gateway = waiting_room(ground, name=f"{OURS}-{count}", workers=count, on=on)
        requests = [poll(ticket) for ticket in gateway.crowd(pollers(plan))]
        load = wrk.Load(wrk.prepare(ground.folder / f"requests-{count}", requests))
        contestants.append(Contestant(f"{OURS}, {name}", gateway.program, requests, load, _WAITING))
    return contestants


def _twice(series: Mapping[str, Sequence[Round]]) -> list[str]:
    """What two workers do, each with a core to itself: twice what a processor second of theirs brings."""
    one, two = series[f"{OURS}, one worker"], series[f"{OURS}, two workers"]
    spread = ratios(two, one)
    told = (
        f"With a core each, two workers do {2 * spread.middle:.2f} ({2 * spread.least:.2f}-{2 * spread.most:.2f}) times"
        " what one does: twice the work of a CPU second of theirs. Requests per second show it only where wrk has cores"
        " of its own beside theirs."
    )
    return [told]


ROWS: Final = (
    Row(
        "status",
        "Status poll",
        "A visitor in line, behind 100,000, asks where they stand: ticket verified (it comes as cookie and as header),"
        " own position and wait worked out, ticket signed anew. nginx: `return 200` with the same bytes. Go:"
        " `net/http`, an HMAC-SHA256 of a cookie verified, the same JSON, the cookie signed anew.",
        status,
        wants=("go",),
    ),
    Row("board", "Board", "What the room tells everybody. nginx: `return 200` with the same bytes.", board),
    Row(
        "reload",
        "Waiting page, again",
        "Somebody in line reloads the page: all that a status poll is, as a page, compressed. nginx: a file, compressed"
        " beforehand.",
        again,
    ),
    Row(
        "page",
        "Waiting page, to a newcomer",
        "Who brings nothing gets the page with a signed knock. A gateway that cannot keep up tells newcomers to come"
        " back: then this row fails. nginx: a file, compressed beforehand.",
        newcomer,
    ),
    Row(
        "line",
        "A poll in a short and in a long line",
        "The same status poll where thousands wait and where 6,000,000 do. (Not where ten do: they would have to ask"
        " more often than anybody is answered.)",
        line,
    ),
    Row(
        "workers",
        "Two workers",
        "Status polls, by one worker and by two of one gateway, which share port and store.",
        workers,
        comment=_twice,
    ),
)
