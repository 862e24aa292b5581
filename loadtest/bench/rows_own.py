"""What the gateway answers by itself: status polls, board, waiting page. Against nginx saying the same words."""

from typing import Final

from loadtest.bench import reference, wrk
from loadtest.bench.ground import Ground
from loadtest.bench.measure import Contestant, Wanted
from loadtest.bench.row import OURS, Found, Kind, Plan, Row
from loadtest.bench.sunbeon import BOARD, FULL, Gateway, poll
from loadtest.bench.wire import PAGE, SCRIPT, ask, request

# As many as connections; they come in turn.
VISITORS: Final = 64
_AHEAD: Final = 100_000


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


def _waiting_room(ground: Ground) -> Gateway:
    """One seat, which is taken, and a long line."""
    gateway = Gateway(ground, reference.backend(ground).address, room=FULL)
    gateway.passes(1)
    gateway.lengthen(_AHEAD)
    return gateway


def status(plan: Plan, ground: Ground) -> Found:
    gateway = _waiting_room(ground)
    requests = [poll(ticket) for ticket in gateway.tickets(VISITORS)]
    wanted = Wanted(b'"state":"waiting"')
    contestants = _beside_nginx(ground, gateway, requests, wanted)
    if plan.has("go"):
        go = reference.go_poll(ground)
        tickets = [ask(go.address, request("GET", "/join", SCRIPT)).cookies()[0] for _ in range(VISITORS)]
        polls = [request("GET", "/status", SCRIPT, [ticket]) for ticket in tickets]
        load = wrk.Load(wrk.prepare(ground.folder / "requests-go", polls))
        contestants.append(Contestant("Go net/http", go, polls, load, wanted))
    return Found(Kind.RATE, plan.compare(contestants), "nginx", notes=plan.missing(["go"]))


def board(plan: Plan, ground: Ground) -> Found:
    gateway = _waiting_room(ground)
    requests = [request("GET", BOARD, SCRIPT)]
    contestants = _beside_nginx(ground, gateway, requests, Wanted(b'"room":"bench"'))
    return Found(Kind.RATE, plan.compare(contestants), "nginx")


def page(plan: Plan, ground: Ground) -> Found:
    gateway = _waiting_room(ground)
    requests = [request("GET", "/", PAGE, [ticket]) for ticket in gateway.tickets(VISITORS)]
    wanted = Wanted(b'id="n-data"', (("content-encoding", "gzip"),))
    contestants = _beside_nginx(ground, gateway, requests, wanted)
    newcomers = [request("GET", "/", PAGE)]
    load = wrk.Load(wrk.prepare(ground.folder / "requests-newcomer", newcomers))
    contestants.append(Contestant(f"{OURS}, to a newcomer", gateway.program, newcomers, load, wanted))
    return Found(Kind.RATE, plan.compare(contestants), "nginx")


def line(plan: Plan, ground: Ground) -> Found:
    """The same poll in a short and in a long line."""
    behind = reference.backend(ground).address
    contestants = []
    for name, ahead in (("a line of 10", 10), ("a line of 6,000,000", 6_000_000)):
        gateway = Gateway(ground, behind, name=f"Sunbeon-{ahead}", room=FULL)
        gateway.passes(1)
        if ahead > VISITORS:
            gateway.lengthen(ahead)
        requests = [poll(ticket) for ticket in gateway.tickets(10)]
        gateway.await_waiting(ahead)
        load = wrk.Load(wrk.prepare(ground.folder / f"requests-{ahead}", requests))
        contestants.append(Contestant(name, gateway.program, requests, load, Wanted(b'"state":"waiting"')))
    return Found(Kind.RATE, plan.compare(contestants), contestants[0].name)


ROWS: Final = (
    Row(
        "status",
        "Status poll",
        "A visitor in line, behind 100,000, asks where they stand: ticket verified (it comes as cookie and as header),"
        " own position and wait worked out, ticket signed anew. nginx: `return 200` with the same bytes. Go:"
        " `net/http`, an HMAC-SHA256 of a cookie verified, the same JSON, the cookie signed anew.",
        status,
    ),
    Row("board", "Board", "What the room tells everybody. nginx: `return 200` with the same bytes.", board),
    Row(
        "page",
        "Waiting page",
        "The page of somebody in line, compressed; and of a newcomer, who gets a signed knock. nginx: a file,"
        " compressed beforehand.",
        page,
    ),
    Row(
        "line",
        "A poll in a short and in a long line",
        "The same status poll where 10 wait and where 6,000,000 do. The ratio is to the short line.",
        line,
    ),
)
