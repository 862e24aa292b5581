"""`sunbeon token`: make, list and revoke the operators' tokens."""

import argparse
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from gateway import tokens

DONE: Final = 0
# Ten years: more is a slip.
MOST_DAYS: Final = 3_653

Commands = Any  # argparse has no public name for what `add_subparsers` gives


def add_parsers(commands: Commands) -> None:
    """Exit codes: 0 done, 1 it could not be done, 2 a wrong command line."""
    token = commands.add_parser("token", help="make, list and revoke operators' tokens")
    actions = token.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a token and show it, this once")
    create.add_argument("--role", choices=[role.value for role in tokens.Role], required=True, help="what it may do")
    create.add_argument("--name", required=True, help="whose it is: goes on record with what they do")
    create.add_argument("--days", type=_days, metavar="N", help="it expires after so many (default: never)")
    revoke = actions.add_parser("revoke", help="a token is none from now on")
    revoke.add_argument("name", help="whose")
    shown = actions.add_parser("list", help="show them, without their secrets")
    for action, run in ((create, _create), (revoke, _revoke), (shown, _list)):
        action.add_argument(
            "--file", type=Path, default=Path("var/operators.json"), help="token file (default: %(default)s)"
        )
        action.set_defaults(run=run)


def _create(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    role = tokens.Role(arguments.role)
    print(tokens.create(arguments.file, arguments.name, role, now_s=int(time.time()), days=arguments.days))
    return DONE


def _revoke(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    tokens.revoke(arguments.file, arguments.name)
    print(f"{arguments.file}: {arguments.name} has no token any more; running gateways know within a second")
    return DONE


def _list(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    for info in tokens.read(arguments.file):
        over = info.expires_s is not None and info.expires_s <= time.time()
        until = (
            "never expires" if info.expires_s is None else f"{'expired' if over else 'until'} {_day(info.expires_s)}"
        )
        print(f"{info.name:<24} {info.role:<8} since {_day(info.created_s)}  {until}")
    return DONE


def _day(moment_s: int) -> str:
    return f"{datetime.fromtimestamp(moment_s, UTC):%Y-%m-%d}"


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to {MOST_DAYS}")
    return int(text)
