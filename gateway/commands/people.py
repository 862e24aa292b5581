"""`sunbeon room where|revoke|allow|approve`: of single people, and of those who need no turn."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from gateway.commands.operator_client import OperatorClient
from shared.errors import SettingsError

TEXTS: Final[Mapping[str, str]] = {
    "where": "where a number is in line, or the holder of a ticket",
    "revoke": "end the pass of a place, everywhere",
    "allow": "who is let through without a turn: list, add, remove",
    "approve": "confirm what another admin has asked for",
}


def add_arguments(name: str, action: argparse.ArgumentParser) -> None:
    match name:
        case "where":
            action.add_argument("number", nargs="?", type=int, metavar="NUMBER", help="as the visitor sees it")
            action.add_argument("--ticket-file", type=Path, metavar="FILE", help="with a ticket's text; -: from stdin")
        case "revoke":
            action.add_argument("place", type=int, metavar="PLACE", help="as `where` tells it")
            action.add_argument("--reason", required=True, help="one line, for the record")
        case "allow":
            which = action.add_mutually_exclusive_group()
            which.add_argument("--add", metavar="NAME", help="with --network or --path, --until and --reason")
            which.add_argument("--remove", metavar="NAME")
            action.add_argument("--network", action="append", default=[], metavar="10.1.2.0/24")
            action.add_argument("--path", action="append", default=[], metavar="/PREFIX")
            action.add_argument("--until", metavar="2021-07-19T22:00:00+09:00", help="at most 30 days ahead")
            action.add_argument("--reason", help="one line, for the record")
        case "approve":
            action.add_argument("approval", metavar="ID", help="as whoever asked for it was told")


def run(client: OperatorClient, path: str, arguments: argparse.Namespace) -> int:
    """0: done. Raises as `rooms.run` does."""
    _RUNS[arguments.action](client, path, arguments)
    return 0


def _where(client: OperatorClient, path: str, arguments: argparse.Namespace) -> None:
    if (arguments.number is None) == (arguments.ticket_file is None):
        raise SettingsError(["where: give a number, or --ticket-file"])
    if arguments.ticket_file is not None:
        told = client.ask("POST", f"{path}/lookup", {"ticket": _ticket(arguments.ticket_file)})
    else:
        told = client.ask("GET", f"{path}/numbers/{arguments.number}")
    for name, value in told.items():
        if value is not None and not isinstance(value, dict):
            print(f"{name}: {value}")
    for name, value in (told.get("live_pass") or {}).items():
        print(f"pass {name}: {value}")


def _ticket(file: Path) -> str:
    try:
        text = sys.stdin.read(4096) if str(file) == "-" else file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"--ticket-file: {file}: {getattr(error, 'strerror', None) or 'is no text'}"]) from None
    return text.strip()


def _revoke(client: OperatorClient, path: str, arguments: argparse.Namespace) -> None:
    told = client.ask("DELETE", f"{path}/passes/{arguments.place}", {"reason": arguments.reason})
    print(f"{told['room']}: the pass of place {told['place']} has ended")


def _allow(client: OperatorClient, path: str, arguments: argparse.Namespace) -> None:
    if arguments.add:
        if not arguments.until or not arguments.reason:
            raise SettingsError(["allow --add: say --until and --reason"])
        entry: dict[str, Any] = {"name": arguments.add, "reason": arguments.reason, "expires_at": arguments.until}
        told = client.ask("POST", f"{path}/allow", {**entry, "networks": arguments.network, "paths": arguments.path})
    elif arguments.remove:
        told = client.ask("DELETE", f"{path}/allow/{quote(arguments.remove, safe='')}")
    else:
        told = client.ask("GET", f"{path}/allow")
    for each in told["allow"]:
        what = " ".join([*each["networks"], *each["paths"]])
        print(f"{each['name']}: {what} until {each['expires_at']}, by {each['by'] or 'nobody named'}: {each['reason']}")
    if not told["allow"]:
        print("nobody")


def _approve(client: OperatorClient, _path: str, arguments: argparse.Namespace) -> None:
    told = client.ask("POST", f"/api/approvals/{quote(arguments.approval, safe='')}")
    print(f"{told['room']}: {told['state']} (epoch {told['epoch']}, settings version {told['settings']['version']})")


_RUNS: Final[Mapping[str, Callable[[OperatorClient, str, argparse.Namespace], None]]] = {
    "where": _where,
    "revoke": _revoke,
    "allow": _allow,
    "approve": _approve,
}
