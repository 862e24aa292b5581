"""On which line of a TOML file each key stands. `tomllib` gives values without places.

A statement of TOML ends at the first line end where what was read since the last one parses by itself: inside an array
or a string of several lines it does not. So the parser itself says where statements begin, and no text that looks like
a key can be taken for one.
"""

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]


class Lines:
    """Lines by path: `("window", 0, "opens")` is a key of the first `[[window]]`. Raises `tomllib.TOMLDecodeError`."""

    def __init__(self, text: str) -> None:
        tomllib.loads(text)  # Statements that are right one by one may still contradict each other.
        self._found: dict[Path, int] = {}
        self._arrays: dict[Path, int] = {}
        table: Path = ()
        for line, source, parsed in _statements(text):
            if source.lstrip().startswith("["):
                table = self._open(parsed, line, is_array=source.lstrip().startswith("[["))
                self._found.setdefault(table, line)
            elif parsed:
                self._note(table, parsed, line, source)

    def of(self, path: Path) -> int:
        """The line of this key or of the nearest table around it; 1 for the file."""
        while path and path not in self._found:
            path = path[:-1]
        return self._found.get(path, 1)

    def _open(self, parsed: dict[str, Any], line: int, *, is_array: bool) -> Path:
        """The path of the table a header opens."""
        names = []
        inner: Any = parsed
        while isinstance(inner, dict) and inner:
            ((name, inner),) = inner.items()
            names.append(name)
        path: Path = ()
        for position, name in enumerate(names, start=1):
            path = (*path, name)
            self._found.setdefault(path, line)
            if is_array and position == len(names):
                self._arrays[path] = self._arrays.get(path, 0) + 1
            if path in self._arrays:
                path = (*path, self._arrays[path] - 1)
        return path

    def _note(self, table: Path, value: Any, line: int, source: str) -> None:
        if table:
            self._found.setdefault(table, line)
        if isinstance(value, dict):
            for name, inner in value.items():
                self._note((*table, name), inner, line, source)
        elif isinstance(value, list):
            for position, item_line in enumerate(_item_lines(source, line, len(value))):
                self._found.setdefault((*table, position), item_line)


def unfinished(text: str) -> int:
    """The line on which a statement begins that has no end."""
    line = 1
    for start, source, _ in _statements(text):
        line = start + source.count("\n")
    return line


def _statements(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """First line, source and value of each statement; of comments and empty lines too, their value is {}."""
    source, start = "", 1
    for line, content in enumerate(text.split("\n"), start=1):
        source += content + "\n"
        parsed = _parse(source)
        if parsed is None:
            continue
        yield start, source, parsed
        source, start = "", line + 1


def _item_lines(source: str, line: int, length: int) -> list[int]:
    """The line on which each item of an array ends; none if the array is within an inline table."""
    found: list[int] = []
    lines = source.rstrip("\n").split("\n")
    is_array = len(lines) == 1
    for count in range(1, len(lines)):
        # With a bracket put where the line ends, what stands before it parses, unless it ends within an item.
        items: Any = _parse("\n".join(lines[:count]) + "\n]")
        while isinstance(items, dict) and items:
            items = next(iter(items.values()))
        if isinstance(items, list):
            is_array = True
            found += [line + count - 1] * (len(items) - len(found))
    return found + [line + len(lines) - 1] * (length - len(found)) if is_array else []


def _parse(source: str) -> dict[str, Any] | None:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError:
        return None
