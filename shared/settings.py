"""Settings: a TOML file, then `SUNBEON_*` in the environment, then flags; each later one wins.

A key nobody knows is an error, and all problems are told at once: an operator fixing a file at 19:50 must not
learn of them one restart at a time. Values in the environment are read as TOML (`2`, `true`, `["a"]`), and as plain
text where that fails, so a path needs no quotes.
"""

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from shared.errors import SettingsError

# The sections a file may hold. Each program reads its own and leaves the others' to them.
SECTIONS: Final = ("gateway", "upstream", "room", "booking")

# Variables that are not a setting of a section: the file itself, and secrets that have no place in a file.
RESERVED: Final = (
    "SUNBEON_CONFIG",
    "SUNBEON_OPERATOR_TOKEN",
    "SUNBEON_STORE_PASSWORD",
    "SUNBEON_STORE_SENTINEL_PASSWORD",
    "SUNBEON_BOOKING_SECRET",
)

M = TypeVar("M", bound=BaseModel)


def load(
    model: type[M],
    *,
    path: Path | None,
    environ: Mapping[str, str],
    flags: Mapping[str, Any] | None = None,
) -> M:
    """Read, merge and check the settings of `model`, whose fields are sections of the file.

    flags: `{"gateway": {"listen": "..."}}`; a value of None is a flag that was not given.
    Raises `SettingsError` with every problem found.
    """
    data, problems = _from_file(path)
    mine = {name: data[name] for name in data if name in model.model_fields}
    source = {name: str(path) for name in mine}
    problems += _overlay_environment(mine, source, environ, set(model.model_fields))
    for section, values in (flags or {}).items():
        given = {key: value for key, value in values.items() if value is not None}
        # A section that is no table is told of below, and cannot take a flag.
        if given and isinstance(mine.setdefault(section, {}), dict):
            mine[section] = {**mine[section], **given}
            source.update({f"{section}.{key}": "a flag" for key in given})
    try:
        settings = model.model_validate(mine)
    except ValidationError as error:
        problems += _problems_of(error, source)
    else:
        if not problems:
            return settings
    raise SettingsError(problems)


def problems_of(error: ValidationError) -> list[str]:
    """A line per problem of a pydantic error, each beginning with the name of the setting."""
    return _problems_of(error, {})


def _problems_of(error: ValidationError, source: Mapping[str, str]) -> list[str]:
    found = error.errors()
    # Of a list whose items are wrong, pydantic also says that it has too few: not what the reader wrote.
    within = {problem["loc"][:length] for problem in found for length in range(len(problem["loc"]))}
    return [_tell(each, source) for each in found if each["type"] != "too_short" or each["loc"] not in within]


def _from_file(path: Path | None) -> tuple[dict[str, Any], list[str]]:
    if path is None:
        return {}, []
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise SettingsError([f"{path}: is not UTF-8 text"]) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{path}: is not TOML: {error}"]) from None
    unknown = [name for name in data if name not in SECTIONS]
    return data, [f"{name}: unknown section in {path}; known: {', '.join(SECTIONS)}" for name in unknown]


def _overlay_environment(
    mine: dict[str, Any], source: dict[str, str], environ: Mapping[str, str], fields: set[str]
) -> list[str]:
    problems = []
    for name in sorted(environ):
        if not name.startswith("SUNBEON_") or name in RESERVED:
            continue
        section, _, key = name.removeprefix("SUNBEON_").lower().partition("__")
        if section not in SECTIONS or not key:
            problems.append(f"{name}: unknown variable; write SUNBEON_<SECTION>__<KEY>")
        elif section in fields:
            if not isinstance(mine.setdefault(section, {}), dict):
                problems.append(f"{name}: [[{section}]] is a list; set it in the file")
                continue
            mine[section] = {**mine[section], key: _parse(environ[name])}
            source[f"{section}.{key}"] = name
    return problems


def _parse(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _tell(problem: Mapping[str, Any], source: Mapping[str, str]) -> str:
    where = _dotted(problem["loc"])
    came_from = source.get(where) or source.get(where.split(".")[0].split("[")[0])
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        message = "unknown setting"
    elif problem["type"] == "missing":
        message = "is missing"
    return f"{where}: {message}" + (f" (from {came_from})" if came_from else "")


def _dotted(location: Sequence[str | int]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "settings"
