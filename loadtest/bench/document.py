"""docs/benchmarks.md and the raw rounds behind it. Rows measured again replace their own figures only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtest.bench.report import from_json, into, section
from loadtest.bench.rows import ROWS


def merge(path: Path, measured: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    """Put newly measured rows over those in the file, and return all."""
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": {}}
    raw["about"] = about
    raw["rows"] |= measured
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1), encoding="utf-8")
    return raw


def generated(raw: Mapping[str, Any]) -> str:
    """The generated part: the machine, the versions, every row."""
    about = raw["about"]
    versions = "".join(f"| {name} | {version} |\n" for name, version in about["versions"].items())
    parts = [f"{about['machine']}. {about['cores'].capitalize()}.\n", f"| program | version |\n|---|---|\n{versions}"]
    for name, row in ROWS.items():
        if name in raw["rows"]:
            done = raw["rows"][name]
            when = f"{done['when']}, {done['rounds']} rounds of {done['seconds']:g} s"
            parts.append(section(row, from_json(done["found"]), when))
    return "\n".join(parts)


def write(path: Path, raw: Mapping[str, Any]) -> None:
    """Raises `ValueError` if the document has no place for it."""
    path.write_text(into(path.read_text(encoding="utf-8"), generated(raw)), encoding="utf-8")
