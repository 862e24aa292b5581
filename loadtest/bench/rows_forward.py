"""Who is inside: each request is forwarded, its pass verified and a proof added. Against proxies that only forward."""

from collections.abc import Callable
from typing import Final

from loadtest.bench import reference, wrk
from loadtest.bench.ground import Ground
from loadtest.bench.measure import Contestant, Wanted
from loadtest.bench.program import Program
from loadtest.bench.reference import MARKER, MIB
from loadtest.bench.row import OURS, Found, Kind, Plan, Row
from loadtest.bench.rows_own import VISITORS
from loadtest.bench.sunbeon import Gateway
from loadtest.bench.wire import PAGE, SCRIPT, Address, request

_OTHERS: Final[tuple[tuple[str, str, Callable[[Ground, Address], Program]], ...]] = (
    ("haproxy", "haproxy", reference.haproxy),
    ("Go ReverseProxy", "go", reference.go_proxy),
    ("Caddy", "caddy", reference.caddy),
)


def _proxies(
    plan: Plan, ground: Ground, make: Callable[[tuple[str, ...]], bytes], *, connections: int = 64, bare: bool = False
) -> list[Contestant]:
    """Everybody before the same backend. make: from a visitor's cookies to a request. bare: the backend itself, too."""
    behind = reference.backend(ground)
    gateway = Gateway(ground, behind.address)
    requests = [make(cookies) for cookies in gateway.passes(VISITORS)]
    load = wrk.Load(wrk.prepare(ground.folder / "requests", requests), connections)

    def contestant(name: str, program: Program) -> Contestant:
        return Contestant(name, program, requests, load, Wanted(MARKER))

    found = [contestant("nginx", reference.nginx_proxy(ground, behind.address))]
    found += [contestant(name, start(ground, behind.address)) for name, word, start in _OTHERS if plan.has(word)]
    found.append(contestant("plain aiohttp", reference.plain_aiohttp(ground, behind.address)))
    found.append(contestant(OURS, gateway.program))
    if bare:
        found.append(contestant("no proxy", behind))
    return found


def short(plan: Plan, ground: Ground) -> Found:
    series = plan.compare(_proxies(plan, ground, lambda cookies: request("GET", "/", PAGE, cookies)))
    return Found(Kind.RATE, series, "nginx", notes=_missing(plan))


def long(plan: Plan, ground: Ground) -> Found:
    series = plan.compare(_proxies(plan, ground, lambda cookies: request("GET", "/1m", PAGE, cookies)))
    return Found(Kind.RATE, series, "nginx", notes=_missing(plan))


def upload(plan: Plan, ground: Ground) -> Found:
    body = b"x" * MIB
    series = plan.compare(_proxies(plan, ground, lambda cookies: request("POST", "/upload", SCRIPT, cookies, body)))
    return Found(Kind.RATE, series, "nginx", notes=_missing(plan))


def latency(plan: Plan, ground: Ground) -> Found:
    contestants = _proxies(plan, ground, lambda cookies: request("GET", "/", PAGE, cookies), connections=1, bare=True)
    return Found(Kind.LATENCY, plan.compare(contestants), "nginx", notes=_missing(plan))


def _missing(plan: Plan) -> list[str]:
    return plan.missing([word for _, word, _ in _OTHERS])


_WHO: Final = (
    "nginx `proxy_pass`, haproxy, Go's `httputil.ReverseProxy`, Caddy and plain aiohttp (a web application and a"
    " `ClientSession`, on uvloop) only forward; Sunbeon verifies the pass, confirms that it lives, and adds"
    " `Sunbeon-Pass`."
    " All keep their connections to the backend."
)
ROWS: Final = (
    Row("forward-1k", "Forward 1 KiB, with a live pass", _WHO, short),
    Row("forward-1m", "Forward 1 MiB", f"A file. {_WHO}", long),
    Row("upload", "Upload 1 MiB", "A POST of 1 MiB, which the backend reads and answers shortly.", upload),
    Row(
        "latency",
        "Added latency at low load",
        "One connection, 1 KiB forwarded, one request after the other. Added: the median less that of the backend asked"
        " without a proxy between.",
        latency,
    ),
)
