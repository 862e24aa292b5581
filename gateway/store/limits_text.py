"""Live settings as stores keep them: JSON, which other versions of the program can read."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, Final

import orjson

from gateway.room.allow import read_allowed
from gateway.room.approval import read_approval
from gateway.room.model import Limits, Mode, QueueingMethod
from gateway.room.schedule import Change, Window
from gateway.store.base import StoreError

_LIMITS: Final = tuple(field.name for field in fields(Limits))

# Settings that are tables: how a row is read.
_TABLES: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "more_windows": lambda kept: Window(**kept),
    "timetable": lambda kept: Change(**kept),
    "allow": read_allowed,
    "approvals": read_approval,
}


def encode_limits(limits: Limits) -> str:
    """Settings as kept in the file."""
    values = {name: getattr(limits, name) for name in _LIMITS}
    return orjson.dumps({**values, "message": dict(limits.message), "armed": dict(limits.armed)}).decode()


@lru_cache(maxsize=256)
def decode_limits(text: str) -> Limits:
    """Settings as they were kept, by this version of the program or another: a field not there has its default."""
    return patched(Limits(), {name: value for name, value in orjson.loads(text).items() if name in _LIMITS})


def patched(limits: Limits, patch: Mapping[str, Any]) -> Limits:
    """`limits` with the fields of `patch` changed. Raises `StoreError` for a field there is not."""
    unknown = set(patch) - set(_LIMITS)
    if unknown:
        raise StoreError(f"no such setting of a room: {', '.join(sorted(unknown))}")
    values = dict(patch)
    try:
        if "mode" in values:
            values["mode"] = Mode(values["mode"])
            if values["mode"] is not limits.mode:
                values.setdefault("mode_since", limits.version + 1)
        if "queueing_method" in values:
            values["queueing_method"] = QueueingMethod(values["queueing_method"])
        for name, read in _TABLES.items():
            if name in values:
                values[name] = tuple(read(each) if isinstance(each, Mapping) else each for each in values[name])
    except (ValueError, TypeError, KeyError) as error:
        raise StoreError(str(error)) from None
    return replace(limits, **values)


def changed_in_file(before: Limits, given: Limits) -> dict[str, Any]:
    """The fields that the settings file has changed since it was last read; they win over what an operator set."""
    return {
        name: getattr(given, name)
        for name in _LIMITS
        if name != "version" and getattr(given, name) != getattr(before, name)
    }
