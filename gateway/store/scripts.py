"""The Lua scripts, each with `lua/room.lua` before it. What they take and return is said at their top."""

from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Script:
    name: str
    source: str
    sha: str


@cache
def script(name: str) -> Script:
    """The script `lua/{name}.lua`."""
    folder = files(__package__) / "lua"
    source = "\n".join((folder / f"{part}.lua").read_text(encoding="utf-8") for part in ("room", name))
    # What servers call a script by, nothing that protects anything.
    return Script(name, source, sha1(source.encode(), usedforsecurity=False).hexdigest())
