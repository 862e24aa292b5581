"""What a run is told, and what it refuses.

A load generator pointed at someone else's site is an attack. So every address must be of this machine.
"""

import ipaddress
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from yarl import URL

from loadtest.scenario import Arrivals, Cheat, Scenario, Shares
from shared.errors import SunbeonError

# More than this is a typing mistake, or needs more than one generator.
MOST_VISITORS: Final = 1_000_000
MOST_SOCKETS: Final = 20_000


class UsageError(SunbeonError):
    """The run cannot begin as asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One run.

    urls: the protected page, at each gateway. room: its room; None to take the only one the operator API knows.
    operator_urls: one, or one per gateway in the same order: then a gateway that is not ready is left out.
    audit_logs, backend_logs: files of the gateways and of the booking site, to be compared with what visitors saw.
    operator_token: None to go without the operator API: what only the store can tell is then not checked.
    backend_url: the backend's own address, to try the way round the gate.
    cheats: which tricks; None for all that can be tried.
    stay_s: mean time inside; spread by half of it either way.
    total_active_users, new_users_per_minute: set before the run and put back after it; None to leave them.
    scenario: with `opening`, half of the visitors come in `arrive_s` from the start, the others in that from it on.
    opens_in_s: how long after the start that is. queueing_method: draw, or fifo. reset: begin the room's line anew.
    alone: nobody else uses the room meanwhile, so that the store's counts must equal what the visitors saw.
    """

    urls: tuple[str, ...]
    room: str | None = None
    operator_urls: tuple[str, ...] = ("http://127.0.0.1:8081",)
    operator_token: str | None = field(default=None, repr=False)
    backend_url: str | None = None
    audit_logs: tuple[Path, ...] = ()
    backend_logs: tuple[Path, ...] = ()
    visitors: int = 2000
    arrive_s: float = 30.0
    arrivals: Arrivals = Arrivals.POISSON
    shares: Shares = field(default_factory=Shares)
    cheats: tuple[Cheat, ...] | None = None
    seed: int = 1
    book: bool = True
    stay_s: float = 2.0
    sockets: int = 256
    max_s: float = 600.0
    request_s: float = 30.0
    total_active_users: int | None = None
    new_users_per_minute: int | None = None
    scenario: Scenario = Scenario.RUSH
    opens_in_s: float = 240.0
    queueing_method: str = "draw"
    reset: bool = False
    alone: bool = True
    allow_unchecked: bool = False
    json_path: Path | None = None

    @property
    def opens_in_ms(self) -> int:
        return int(self.opens_in_s * 1000)


def check(options: Options) -> None:
    """Raises `UsageError` with every problem found, a line each."""
    problems = []
    addresses = [("--url", url) for url in options.urls]
    if options.operator_token is not None:
        addresses += [("--operator-url", url) for url in options.operator_urls]
    if options.backend_url is not None:
        addresses.append(("--backend-url", options.backend_url))
    for name, text in addresses:
        problems += _address_problems(name, text)
    if len(options.operator_urls) not in {1, len(options.urls)}:
        problems.append(f"--operator-url: must be one, or one for each of the {len(options.urls)} --url")
    problems += [
        f"{name}: must be {low} to {high}, not {value}"
        for name, value, low, high in (
            ("--visitors", options.visitors, 1, MOST_VISITORS),
            ("--sockets", options.sockets, 1, MOST_SOCKETS),
            ("--arrive-s", options.arrive_s, 0, 86_400),
            ("--stay-s", options.stay_s, 0, 86_400),
            ("--max-s", options.max_s, 1, 86_400),
            ("--opens-in-s", options.opens_in_s, 1, 86_400),
            ("--request-s", options.request_s, 1, 600),
            ("--no-show", options.shares.no_show, 0, 1),
            ("--leave", options.shares.leaver, 0, 1),
            ("--cheat", options.shares.cheat, 0, 1),
            ("--repeat", options.shares.repeat, 0, 1),
        )
        if not low <= value <= high
    ]
    if options.shares.no_show + options.shares.leaver + options.shares.cheat > 1:
        problems.append("--no-show, --leave and --cheat: together more than 1")
    wants_limits = options.total_active_users is not None or options.new_users_per_minute is not None
    if wants_limits and options.operator_token is None:
        problems.append("--total-active-users, --new-users-per-minute: need the operator token to be set")
    if options.scenario is Scenario.OPENING:
        problems += _opening_problems(options)
    if options.cheats is not None and Cheat.BACKEND_DIRECT in options.cheats and options.backend_url is None:
        problems.append("--cheats: backend_direct needs --backend-url")
    if problems:
        raise UsageError("\n".join(problems))


def _opening_problems(options: Options) -> list[str]:
    problems = []
    if options.operator_token is None:
        problems.append("--scenario opening: needs the operator token, to set when the room opens")
    if options.opens_in_s < options.arrive_s:
        problems.append("--opens-in-s: must be no less than --arrive-s, in which the early ones come")
    return problems


def tricks_of(options: Options) -> tuple[Cheat, ...]:
    """The tricks this run can try."""
    if options.cheats is not None:
        return options.cheats
    # A used ticket comes of a finished booking.
    absent = {Cheat.BACKEND_DIRECT} if options.backend_url is None else set()
    absent |= set() if options.book else {Cheat.USED_TICKET}
    return tuple(cheat for cheat in Cheat if cheat not in absent)


def _address_problems(name: str, text: str) -> list[str]:
    try:
        url = URL(text)
        port = url.port
    except ValueError as error:
        return [f"{name}: {text}: {error}"]
    if url.scheme not in {"http", "https"} or not url.host:
        return [f"{name}: {text}: is not an http(s) address"]
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)}
    except OSError as error:
        return [f"{name}: {url.host}: cannot be resolved: {error}"]
    strange = sorted(address for address in found if not ipaddress.ip_address(address.partition("%")[0]).is_loopback)
    if strange:
        return [f"{name}: {url.host} is {strange[0]}: only addresses of this machine (loopback) are load-tested"]
    return []
