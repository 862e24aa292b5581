"""`sunbeon keys`: create, rotate, list and retire signing keys."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from gateway import keys
from shared.passes import ALGORITHMS

DONE: Final = 0
# Enough to copy a new key file to every machine. A key that signs later costs nothing; one that signs before every
# gateway knows it has visitors refused as forgers.
SIGN_AFTER_S: Final = 300

Commands = Any  # argparse has no public name for what `add_subparsers` gives


def add_parsers(commands: Commands) -> None:
    key = commands.add_parser("keys", help="create, rotate, list and retire signing keys")
    actions = key.add_subparsers(required=True, metavar="ACTION")
    for name, text in (
        ("create", "write a new key file, and the backend's keys beside it"),
        ("rotate", "add new keys; earlier ones stay valid"),
        ("list", "show the keys, without their secrets"),
        ("retire", "remove a key: what it signed is refused from now on"),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("--file", type=Path, default=Path("var/keys.json"), help="key file (default: %(default)s)")
        if name in {"create", "rotate"}:
            action.add_argument(
                "--algorithm", choices=ALGORITHMS, help="for Sunbeon-Pass (default: HS256, or as before)"
            )
        if name == "rotate":
            action.add_argument(
                "--sign-after-s",
                type=_seconds,
                default=SIGN_AFTER_S,
                help="known at once, sign this much later; 0: at once (default: %(default)s)",
            )
        if name == "retire":
            action.add_argument("kid", help="the key's id, as `list` shows it")
        action.set_defaults(run=_run, action=name)


def _seconds(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 30 * 86_400:
        raise argparse.ArgumentTypeError("0 to 2592000 seconds")
    return value


def _run(arguments: argparse.Namespace, _environ: Mapping[str, str]) -> int:
    path: Path = arguments.file
    match arguments.action:
        case "create":
            keys.create(path, algorithm=arguments.algorithm or "HS256")
            print(f"{path} (secret, for gateways) and {path.parent / keys.BACKEND_FILE} (for the backend) written")
        case "rotate":
            from_when = keys.rotate(path, algorithm=arguments.algorithm, sign_after_s=arguments.sign_after_s)
            signs = "sign from now on" if from_when is None else f"are known now and sign from {from_when}"
            print(f"{path}: new keys {signs}; earlier ones stay valid until retired")
        case "retire":
            keys.retire(path, arguments.kid)
            print(f"{path}: key {arguments.kid} removed")
        case _:
            for info in keys.describe(path):
                later = "valid" if info.signs_from is None else f"signs from {info.signs_from}"
                state = "signs" if info.signs else later
                print(f"{info.kid}  {info.use:<8} {info.algorithm:<8} {info.created}  {state}")
    return DONE
