"""The command `sunbeon`.

Exit codes: 0 done, 1 it could not be done, 2 the settings or the command line are wrong.
"""

import argparse
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final

from shared.errors import SettingsError, SunbeonError

DONE: Final = 0
FAILED: Final = 1
WRONG: Final = 2

# The module of `gateway.commands` each is in. Only that is imported: no start waits for what another command needs.
COMMANDS: Final[Mapping[str, str]] = {
    "gateway": "serving",
    "demo": "serving",
    "check": "serving",
    "keys": "signing",
    "draw": "evidence",
    "audit": "evidence",
    "reconcile": "evidence",
    "room": "rooms",
    "token": "token",
    "explain": "explaining",
    "drill": "drilling",
    "report": "reporting",
}

# Programs of their own: called with the rest of the command line, never imported (the packages stay apart).
PROGRAMS: Final = ("booking", "loadtest")

# Of the load tester by name, but of the gateway's own parts: see docs/decisions.md.
SIMULATE: Final = ["loadtest", "simulate"]


def main(argv: Sequence[str] | None = None, *, environ: Mapping[str, str] = os.environ) -> int:
    """Run one command and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    simulate = words[: len(SIMULATE)] == SIMULATE
    if words and words[0] in PROGRAMS and not simulate:
        sys.argv = [f"sunbeon {words[0]}", *words[1:]]
        runpy.run_module(words[0], run_name="__main__", alter_sys=False)
        return DONE
    try:
        if simulate:
            from gateway.commands import simulating

            return simulating.main(words[len(SIMULATE) :])
        arguments = _parser(words).parse_args(words)
        code: int = arguments.run(arguments, environ)
    except SettingsError as error:
        for problem in error.problems:
            print(f"sunbeon: {problem}", file=sys.stderr)
        return WRONG
    except (SunbeonError, OSError) as error:
        print(f"sunbeon: {error}", file=sys.stderr)
        return FAILED
    return code


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Of the command that is named; of all, where none is."""
    parser = argparse.ArgumentParser(prog="sunbeon", description="A virtual waiting room for any booking site.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    named = COMMANDS.get(words[0]) if words else None
    for name in [named] if named else dict.fromkeys(COMMANDS.values()):
        import_module(f"gateway.commands.{name}").add_parsers(commands)
    if not named:
        for program, text in (
            ("booking", "the booking site alone"),
            ("loadtest", "replay an opening against a gateway"),
        ):
            commands.add_parser(program, help=text)
    return parser
