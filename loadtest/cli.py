"""The command line: `sunbeon loadtest --url http://127.0.0.1:8080/ --visitors 2000`."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from loadtest.options import Options, UsageError
from loadtest.scenario import Arrivals, Cheat, Scenario, Shares

USAGE: Final = 2
INTERRUPTED: Final = 130

# What `--scenario opening` is without a word more: 20,000 who come before it, and 20,000 after.
OPENING_DAY: Final[Mapping[str, object]] = {
    "visitors": 40_000,
    "arrive_s": 120.0,
    "max_s": 900.0,
    "book": False,
    # A gateway bears 1,000 of one address, and only Linux has more of them on loopback.
    "sockets": 4096 if sys.platform == "linux" else 512,
}

PLAIN_WIDTH: Final = 150

TOKEN_VARIABLE: Final = "SUNBEON_OPERATOR_TOKEN"


def main(argv: Sequence[str] | None = None, *, environ: Mapping[str, str] = os.environ) -> int:
    """Run and tell. 0: all checked and held; 1: something broken or unproven; 2: wrong usage; 130: interrupted."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.scenario is Scenario.OPENING:
        parser.set_defaults(**OPENING_DAY)
        arguments = parser.parse_args(argv)
    try:
        import rich  # noqa: F401
    except ImportError:
        print("sunbeon loadtest: needs the extra packages: pip install 'sunbeon[loadtest]'", file=sys.stderr)
        return USAGE
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(_run(_options(arguments, environ)))
    except UsageError as error:
        for line in str(error).splitlines():
            print(f"sunbeon loadtest: {line}", file=sys.stderr)
        return USAGE


async def _run(options: Options) -> int:
    import orjson
    from rich.console import Console

    from loadtest import report
    from loadtest.progress import progress
    from loadtest.runner import run

    # A file or a pipe has no width: wide enough for one line of evidence.
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupt() -> None:
        # The second one is for those who do not want the report either.
        stop.set()
        loop.remove_signal_handler(signal.SIGINT)

    loop.add_signal_handler(signal.SIGINT, interrupt)
    with progress(console, options.visitors) as watch:
        outcome = await run(options, watch=watch, stop=stop)
    report.show(outcome, console)
    if options.json_path is not None:
        options.json_path.write_bytes(orjson.dumps(report.as_json(outcome), default=str, option=orjson.OPT_INDENT_2))
    return INTERRUPTED if stop.is_set() and outcome.exit_code == 0 else outcome.exit_code


def _options(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Options:
    """Raises `UsageError` if the token file cannot be read; the rest is checked by `run`."""
    given = vars(arguments)
    token = environ.get(TOKEN_VARIABLE) or None
    path: Path | None = given.pop("operator_token_file")
    if path is not None:
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"--operator-token-file: {path}: cannot be read: {error}") from None
        if not token:
            raise UsageError(f"--operator-token-file: {path}: is empty")
    given["operator_urls"] = given["operator_urls"] or Options(urls=()).operator_urls
    for name in ("urls", "operator_urls", "audit_logs", "backend_logs"):
        given[name] = tuple(given[name])
    shares = Shares(*(given.pop(name) for name in ("no_show", "leave", "cheat", "repeat")))
    return Options(operator_token=token, shares=shares, **given)


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:  # Windows
        return None
    return uvloop.Loop


def _parser() -> argparse.ArgumentParser:
    usual = Options(urls=())
    parser = argparse.ArgumentParser(
        prog="sunbeon loadtest",
        description="Send visitors through a waiting room on this machine, and check that it kept its promises.",
        epilog="Exit code: 0 all checked and held, 1 something broken or not checked, 2 wrong usage, 130 interrupted.",
    )
    where = parser.add_argument_group("where")
    where.add_argument(
        "--url",
        dest="urls",
        action="append",
        required=True,
        help="the protected page, as a visitor would ask for it; once per gateway, where there are several",
    )
    where.add_argument("--room", help="its room (default: the only one the operator API knows)")
    where.add_argument(
        "--operator-url",
        dest="operator_urls",
        action="append",
        help=f"default: {usual.operator_urls[0]}; one per gateway: those that are not ready get no visitors",
    )
    where.add_argument(
        "--operator-token-file",
        type=Path,
        metavar="FILE",
        help=f"or {TOKEN_VARIABLE}; without a token, what only the store can tell is not checked",
    )
    where.add_argument("--backend-url", help="the backend's own address, to try the way round the gate")
    for name, whose in (("--audit-log", "a gateway's"), ("--backend-log", "the booking site's request log")):
        dest = f"{name[2:].replace('-', '_')}s"
        text = f"{whose}, to be compared with what the visitors saw; once per file"
        where.add_argument(name, dest=dest, type=Path, action="append", default=[], metavar="FILE", help=text)
    who = parser.add_argument_group("who comes")
    who.add_argument(
        "--scenario",
        type=Scenario,
        choices=list(Scenario),
        default=usual.scenario,
        help="opening: half come before the room opens, half after; without bookings, 40,000 in all unless you say",
    )
    who.add_argument(
        "--opens-in-s", type=float, default=usual.opens_in_s, help="of the scenario opening (default: %(default)s)"
    )
    who.add_argument("--queueing-method", choices=("draw", "fifo"), default=usual.queueing_method)
    who.add_argument("--reset", action="store_true", help="begin the room's line anew first: EVERY PLACE IN IT IS LOST")
    who.add_argument("--visitors", type=int, default=usual.visitors, help="default: %(default)s")
    who.add_argument("--arrive-s", type=float, default=usual.arrive_s, help="time they come in (default: %(default)s)")
    who.add_argument("--arrivals", type=Arrivals, choices=list(Arrivals), default=usual.arrivals)
    for name, share, whom in (
        ("--no-show", usual.shares.no_show, "who never come when called"),
        ("--leave", usual.shares.leaver, "who leave the line"),
        ("--cheat", usual.shares.cheat, "who try a trick"),
        ("--repeat", usual.shares.repeat, "of the honest, who claim a second time"),
    ):
        who.add_argument(name, type=float, default=share, metavar="0..1", help=f"share {whom} (default: %(default)s)")
    who.add_argument(
        "--cheats", type=_cheats, metavar="KIND,...", help=f"default: all that can be tried of {', '.join(Cheat)}"
    )
    who.add_argument("--seed", type=int, default=usual.seed, help="the same seed, the same plan (default: %(default)s)")
    what = parser.add_argument_group("what they do")
    what.add_argument("--no-book", dest="book", action="store_false", help="only enter, stay, and leave")
    what.add_argument("--stay-s", type=float, default=usual.stay_s, help="mean time inside (default: %(default)s)")
    limits = parser.add_argument_group("limits and report")
    limits.add_argument("--total-active-users", type=int, metavar="N", help="set for this run, put back after it")
    limits.add_argument("--new-users-per-minute", type=int, metavar="N", help="set for this run, put back after it")
    limits.add_argument("--sockets", type=int, default=usual.sockets, help="requests at once (default: %(default)s)")
    limits.add_argument("--request-s", type=float, default=usual.request_s, help="time limit of one request")
    limits.add_argument("--max-s", type=float, default=usual.max_s, help="end of the run (default: %(default)s)")
    limits.add_argument(
        "--not-alone", dest="alone", action="store_false", help="others use the room too: counts may be higher"
    )
    limits.add_argument("--allow-unchecked", action="store_true", help="0 even if something could not be checked")
    limits.add_argument("--json", dest="json_path", type=Path, metavar="FILE", help="write the report there as well")
    return parser


def _cheats(text: str) -> tuple[Cheat, ...]:
    try:
        return tuple(Cheat(name.strip()) for name in text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; known: {', '.join(Cheat)}") from None
