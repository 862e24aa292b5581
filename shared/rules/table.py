"""One table of a calendar file, read key by key. What is wrong is noted with its line, and reading goes on."""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from shared.rules.lines import Lines, Path
from shared.rules.model import Problem

T = TypeVar("T")


class Wrong(Exception):
    """A value that cannot be taken. within: the path below the key, to where exactly it stands."""

    def __init__(self, kind: str, message: str, within: Path = ()) -> None:
        self.kind = kind
        self.within = within
        super().__init__(message)

    def under(self, key: str | int) -> "Wrong":
        """The same, seen from one level up."""
        return Wrong(self.kind, str(self), (key, *self.within))


class Notes:
    """The problems found so far, and how to place the next."""

    def __init__(self, file: str, lines: Lines) -> None:
        self._file = file
        self._lines = lines
        self._problems: list[Problem] = []

    def add(self, path: Path, kind: str, where: str, message: str) -> None:
        problem = Problem(self._file, self._lines.of(path), kind, where, message)
        if problem not in self._problems:
            self._problems.append(problem)

    def place(self, path: Path) -> str:
        """`july.toml:41`, to point at from another line."""
        return f"{self._file}:{self._lines.of(path)}"

    def all(self) -> tuple[Problem, ...]:
        return tuple(sorted(self._problems, key=lambda problem: problem.line))


class Table:
    """where: how people call it, `rule 53-54`. sound: no problem so far. id: set by who reads it."""

    def __init__(self, notes: Notes, path: Path, where: str, data: dict[str, Any]) -> None:
        self.path = path
        self.where = where
        self.id: str | None = None
        self.sound = True
        self._notes = notes
        self._data = data
        self._known: list[str] = []

    def get(self, key: str, read: Callable[[Any], T], *, required: bool = False) -> T | None:
        """The value as `read` gives it; None if it is not there or wrong, which is noted."""
        self._known.append(key)
        if key not in self._data:
            if required:
                self.problem("missing", f"{key} is missing")
            return None
        try:
            return read(self._data[key])
        except Wrong as wrong:
            self.problem(wrong.kind, f"{key}: {wrong}", (key, *wrong.within))
            return None

    def tables(self, key: str, word: str, name: str = "id") -> "Iterator[Table]":
        """The `[[key]]` within this one, each called by its `name`, or its number where that cannot be read."""
        found = self.get(key, _tables) or []
        for number, data in enumerate(found):
            called = data.get(name)
            known = isinstance(called, str | int) and not isinstance(called, bool) and str(called).isprintable()
            where = f"{word} {called if known else f'number {number + 1}'}"
            yield Table(self._notes, (*self.path, key, number), where, data)

    def problem(self, kind: str, message: str, within: Path = ()) -> None:
        self.sound = False
        self._notes.add((*self.path, *within), kind, self.where, message)

    def place(self) -> str:
        return self._notes.place(self.path)

    def finish(self) -> bool:
        """Note the keys nobody asked for. Returns whether there were none."""
        unknown = [key for key in self._data if key not in self._known]
        for key in unknown:
            self.problem("unknown", f"{key} is not known here; known: {', '.join(self._known)}", (key,))
        return not unknown


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Wrong("type", "must be written [[...]]")
    return value
