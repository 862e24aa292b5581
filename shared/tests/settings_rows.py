"""Settings as a table in Markdown, from the settings themselves: a page cannot fall behind."""

from collections.abc import Container
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel


def rows(model: type[BaseModel], *, left_out: Container[str] = ()) -> str:
    """A row for each setting: name, default, description."""
    lines = ["| setting | default | |", "|---|---|---|"]
    for name, info in model.model_fields.items():
        if name not in left_out:
            default = "required" if info.is_required() else f"`{_toml(info.get_default(call_default_factory=True))}`"
            lines.append(f"| `{name}` | {default} | {info.description or ''} |")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case Enum():
            return f'"{value.value}"'
        case str() | Path():
            return f'"{value}"'
        case tuple() | list():
            return "[" + ", ".join(_toml(each) for each in value) + "]"
        case dict() | BaseModel():
            return "{}"
        case _:
            return str(value)
