"""Live settings as stores keep them: JSON, which other versions of the program can read."""

from collections.abc import Mapping
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, Final

import orjson

from gateway.room.model import Limits, Mode, QueueingMethod
from gateway.room.schedule import Change, Window
from gateway.store.base import StoreError

_LIMITS: Final = tuple(field.name for field in fields(Limits))


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
        if "queueing_method" in values:
            values["queueing_method"] = QueueingMethod(values["queueing_method"])
        for name, kind in (("more_windows", Window), ("timetable", Change)):
            if name in values:
                values[name] = tuple(kind(**each) if isinstance(each, Mapping) else each for each in values[name])
    except (ValueError, TypeError) as error:
        raise StoreError(str(error)) from None
    return replace(limits, **values)


def changed_in_file(before: Limits, given: Limits) -> dict[str, Any]:
    """The fields that the settings file has changed since it was last read; they win over what an operator set."""
    return {
        name: getattr(given, name)
        for name in _LIMITS
        if name != "version" and getattr(given, name) != getattr(before, name)
    }
