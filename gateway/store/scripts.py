"""The Lua scripts, each with `lua/room.lua` before it. What they take and return is said at their top."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Final

# A server that is full, read-only or short of replicas then refuses the script before it begins. Without this line it
# refuses single commands as long as nothing was written, so that some scripts would still be carried out, others not.
WHOLE_OR_NOT: Final = "#!lua"


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    source: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script `lua/{name}.lua`."""
    folder = files(__package__) / "lua"
    parts = [(folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("room", name)]
    source = "\n".join([WHOLE_OR_NOT, *parts])
    # What servers call a script by, nothing that protects anything.
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())
