"""`sunbeon room`: look at a room and change it while it runs, by the operator API."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.commands import people
from gateway.commands.operator_client import OperatorClient
from gateway.drill.report import digest
from shared.errors import SettingsError

TOKEN_VARIABLE: Final = "SUNBEON_OPERATOR_TOKEN"
_TEXTS: Final = {
    "show": "how the room is, and how it is set",
    "set": "change live settings: NAME=VALUE ... (docs/settings.md)",
    "pause": "stop admitting; everyone keeps their place",
    "resume": "admit again",
    "open": "the same: admit, as the schedule says",
    "close": "close the room; who is inside may finish",
    "passthrough": "switch the room off: EVERYONE GOES THROUGH",
    "postpone": "move the opening, also after it: places, numbers and passes are kept",
    "message": "tell everyone who waits a line",
    "arm": "say by a drill's report that the opening may come (docs/drill.md)",
    "reset": "start the line anew: EVERY PLACE AND PASS IS LOST",
    **people.TEXTS,
}
_SHOWN: Final = ("opens_at", "closes_at", "postponed_from", "waiting", "live", "tail", "serving", "draw_size", "armed")


def add_parsers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    room = commands.add_parser("room", help="look at a room, or change it while it runs")
    actions = room.add_subparsers(required=True, metavar="ACTION")
    for name, text in _TEXTS.items():
        action = actions.add_parser(name, help=text)
        action.add_argument("room", metavar="ROOM")
        match name:
            case "show":
                action.add_argument("--json", action="store_true", help="all of it, as the API has it")
            case "set":
                action.add_argument("values", nargs="+", metavar="NAME=VALUE", help="values as JSON, or plain words")
            case "postpone":
                action.add_argument("--opens-at", required=True, metavar="2021-07-19T22:00:00+09:00")
                action.add_argument("--reason", required=True, help="one line, for the record")
            case "message":
                action.add_argument("--ko", help="in Korean")
                action.add_argument("--en", help="in English")
                action.add_argument("--clear", action="store_true", help="take the message back")
            case "arm":
                action.add_argument("--drill", required=True, type=Path, metavar="FILE", help="the report")
                action.add_argument(
                    "--override", action="append", default=[], metavar="ROW:REASON", help="a red row that may be"
                )
            case "reset" | "passthrough":
                action.add_argument("--yes", action="store_true", help="this is meant")
            case _:
                people.add_arguments(name, action)
        action.add_argument("--operator-url", default="http://127.0.0.1:8081", help="default: %(default)s")
        action.add_argument(
            "--operator-token-file",
            type=Path,
            default=Path("var/operator.token"),
            metavar="FILE",
            help=f"default: {TOKEN_VARIABLE}, then %(default)s",
        )
        if name != "show":
            action.add_argument("--by", metavar="NAME", help="who does it, for the record")
        action.set_defaults(run=run, action=name)


def run(arguments: argparse.Namespace, environ: Mapping[str, str]) -> int:
    """0: done. Raises `SettingsError` for what was asked wrongly, `CannotBeDone` for what cannot be done now."""
    client = OperatorClient(arguments.operator_url, _token(arguments, environ), getattr(arguments, "by", None))
    path = f"/api/rooms/{_name(arguments.room)}"
    if arguments.action == "show":
        told = client.ask("GET", path)
        print(json.dumps(told, indent=2, ensure_ascii=False) if arguments.json else "\n".join(_lines(told)))
        return 0
    if arguments.action in people.TEXTS:
        return people.run(client, path, arguments)
    told = _CHANGES.get(arguments.action, _act)(client, path, arguments)
    if "approval" in told:
        print(f"nothing is done yet: another admin has to `sunbeon room approve {told['room']} {told['approval']}`")
        return 0
    for warning in told.get("warnings", ()):
        print(f"warning: {warning}")
    opens = f", opens {told['opens_at']}" if told["state"] == "prequeue" else ""
    print(f"{told['room']}: {told['state']}{opens} (settings version {told['settings']['version']})")
    return 0


def _act(client: OperatorClient, path: str, arguments: argparse.Namespace) -> dict[str, Any]:
    if not getattr(arguments, "yes", True):
        raise SettingsError([f"{arguments.action}: say --yes if this is meant"])
    return client.ask("POST", f"{path}/{arguments.action}")


def _set(client: OperatorClient, path: str, arguments: argparse.Namespace) -> dict[str, Any]:
    pairs = [text.partition("=") for text in arguments.values]
    if wrong := [f"{name!r}: write NAME=VALUE" for name, equals, _ in pairs if not equals or not name]:
        raise SettingsError(wrong)
    return client.ask("PATCH", path, {name: _value(text) for name, _, text in pairs})


def _postpone(client: OperatorClient, path: str, arguments: argparse.Namespace) -> dict[str, Any]:
    asked = {"opens_at": arguments.opens_at, "reason": arguments.reason}
    return client.ask("POST", f"{path}/postpone", asked)


def _message(client: OperatorClient, path: str, arguments: argparse.Namespace) -> dict[str, Any]:
    texts = {language: text for language in ("ko", "en") if (text := getattr(arguments, language))}
    if bool(texts) == arguments.clear:
        raise SettingsError(["message: say it with --ko and --en, or take it back with --clear"])
    return client.ask("POST", f"{path}/message", {"message": texts})


def _arm(client: OperatorClient, path: str, arguments: argparse.Namespace) -> dict[str, Any]:
    try:
        report = json.loads(arguments.drill.read_bytes())
        # What was sent and what came back stays here; the hash says which report it was.
        brief = {name: report[name] for name in ("format", "drill", "room", "epoch", "settings_version", "ended_ms")}
        brief["rows"] = [{"name": row["name"], "result": row["result"]} for row in report["rows"]]
        sha256 = digest(report)
    except OSError as error:
        raise SettingsError([f"--drill: {arguments.drill}: {error.strerror}"]) from None
    except (ValueError, TypeError, KeyError):
        raise SettingsError([f"--drill: {arguments.drill}: is no drill's report"]) from None
    pairs = [text.partition(":") for text in arguments.override]
    if wrong := [f"--override {name!r}: write ROW:REASON" for name, _, reason in pairs if not name or not reason]:
        raise SettingsError(wrong)
    overrides = {name: reason.strip() for name, _, reason in pairs}
    told = client.ask("POST", f"{path}/arm", {"report": brief, "sha256": sha256, "overrides": overrides})
    print(f"armed by drill {brief['drill']} (sha256 {sha256[:16]}...)")
    return told


def _reset(client: OperatorClient, path: str, arguments: argparse.Namespace) -> dict[str, Any]:
    before = client.ask("GET", path)
    if not arguments.yes:
        raise SettingsError([f"reset: {before['waiting']} waiting and {before['live']} inside lose it; with --yes"])
    return client.ask("POST", f"{path}/reset", {"confirm": before["room"]}, version=before["settings"]["version"])


_CHANGES: Final[Mapping[str, Callable[[OperatorClient, str, argparse.Namespace], dict[str, Any]]]] = {
    "set": _set,
    "postpone": _postpone,
    "message": _message,
    "reset": _reset,
    "arm": _arm,
}


def _lines(told: Mapping[str, Any]) -> list[str]:
    fresh = "" if told["fresh"] else " (as last known: the store is away)"
    shown = [f"{name}: {told[name]}" for name in _SHOWN if told[name] is not None]
    settings = [f"  {name} = {json.dumps(value, ensure_ascii=False)}" for name, value in told["settings"].items()]
    return [f"{told['room']}: {told['state']}{fresh}", *shown, *settings]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _name(text: str) -> str:
    if not text.isascii() or not text.replace("-", "a").replace("_", "a").isalnum():
        raise SettingsError([f"{text!r} is no room's name"])
    return text


def _token(arguments: argparse.Namespace, environ: Mapping[str, str]) -> str:
    path: Path = arguments.operator_token_file
    token = environ.get(TOKEN_VARIABLE, "").strip()
    try:
        token = token or path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is no text"
        raise SettingsError([f"--operator-token-file: {path}: {reason}"]) from None
    if not token or not token.isascii() or not token.isprintable():
        raise SettingsError([f"--operator-token-file: {path}: holds no token"])
    return token
