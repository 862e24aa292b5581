"""Who is inside: each request is forwarded, its pass verified and a proof added. Against proxies that only forward."""

from collections.abc import Callable
from typing import Final

from loadtest.bench import reference, wrk
from loadtest.bench.ground import Ground
from loadtest.bench.measure import Contestant, Wanted
from loadtest.bench.program import Program
from loadtest.bench.reference import MARKER, MIB
from loadtest.bench.row import OURS, Kind, Plan, Row
from loadtest.bench.sunbeon import Gateway
from loadtest.bench.wire import PAGE, SCRIPT, request

# As many as connections; they come in turn.
VISITORS: Final = 64
# So many that each comes again after more than a second, when the store has to say that the pass still lives.
SELDOM: Final = 8_192
_QUICK_SELDOM: Final = 1_024


def _proxies(
    plan: Plan,
    ground: Ground,
    make: Callable[[tuple[str, ...]], bytes],
    *,
    connections: int = VISITORS,
    bare: bool = False,
) -> list[Contestant]:
    """Everybody before the same backend. make: from a visitor's cookies to a request. bare: the backend itself, too."""
    behind = reference.backend(ground)
    gateway = Gateway(ground, behind.address)
    requests = [make(cookies) for cookies in gateway.passes(VISITORS)]
    load = wrk.Load(wrk.prepare(ground.folder / "requests", requests), connections)

    def contestant(name: str, program: Program) -> Contestant:
        return Contestant(name, program, requests, load, Wanted(MARKER))

    found = [contestant("nginx", reference.nginx_proxy(ground, behind.address))]
    found += [
        contestant(name, start(ground, behind.address)) for name, word, start in reference.PROXIES if plan.has(word)
    ]
    found.append(contestant("plain aiohttp", reference.plain_aiohttp(ground, behind.address)))
    found.append(contestant(OURS, gateway.program))
    if bare:
        found.append(contestant("no proxy", behind))
    return found


def short(plan: Plan, ground: Ground) -> list[Contestant]:
    return _proxies(plan, ground, lambda cookies: request("GET", "/", PAGE, cookies))


def long(plan: Plan, ground: Ground) -> list[Contestant]:
    return _proxies(plan, ground, lambda cookies: request("GET", "/1m", PAGE, cookies))


def seldom(plan: Plan, ground: Ground) -> list[Contestant]:
    behind = reference.backend(ground)
    gateway = Gateway(ground, behind.address)
    passes = gateway.passes(_QUICK_SELDOM if plan.quick else SELDOM)
    requests = [request("GET", "/", PAGE, cookies) for cookies in passes]
    # They have all been there before.
    gateway.serve(requests)
    load = wrk.Load(wrk.prepare(ground.folder / "requests", requests))
    nginx = reference.nginx_proxy(ground, behind.address)
    return [
        Contestant("nginx", nginx, requests, load, Wanted(MARKER)),
        Contestant(OURS, gateway.program, requests, load, Wanted(MARKER)),
    ]


def upload(plan: Plan, ground: Ground) -> list[Contestant]:
    body = b"x" * MIB
    return _proxies(plan, ground, lambda cookies: request("POST", "/upload", SCRIPT, cookies, body))


def latency(plan: Plan, ground: Ground) -> list[Contestant]:
    return _proxies(plan, ground, lambda cookies: request("GET", "/", PAGE, cookies), connections=1, bare=True)


_WHO: Final = (
    "nginx `proxy_pass`, haproxy, Go's `httputil.ReverseProxy`, Caddy and plain aiohttp (a web application and a"
    " `ClientSession`, on uvloop) only forward; Sunbeon verifies the pass, confirms that it lives, and adds"
    " `Sunbeon-Pass`."
    " All keep their connections to the backend."
)
_OTHERS: Final = tuple(word for _, word, _ in reference.PROXIES)
ROWS: Final = (
    Row("forward-1k", "Forward 1 KiB, with a live pass", _WHO, short, wants=_OTHERS),
    Row(
        "forward-seldom",
        "Forward 1 KiB, by many who come seldom",
        "8,192 visitors in turn: none was there within the second before, so that the store is asked whether each pass"
        " still lives. What they bring is remembered, as of the 8,192 who came last at least. nginx only forwards.",
        seldom,
    ),
    Row("forward-1m", "Forward 1 MiB", "A file, by the same ones.", long, wants=_OTHERS),
    Row(
        "upload",
        "Upload 1 MiB",
        "A POST of 1 MiB, which the backend reads whole before it answers shortly.",
        upload,
        wants=_OTHERS,
    ),
    Row(
        "latency",
        "Added latency at low load",
        "One connection, 1 KiB forwarded, one request after the other. Added: the median less that of the backend asked"
        " without a proxy between.",
        latency,
        kind=Kind.LATENCY,
        wants=_OTHERS,
    ),
)
