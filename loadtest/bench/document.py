"""docs/benchmarks.md and the raw rounds behind it. Rows measured again replace their own figures only."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from loadtest.bench.report import from_json, into, section
from loadtest.bench.rows import ROWS
from loadtest.bench.targets import costs, judged


def merge(
    path: Path, measured: Mapping[str, Any], failures: Mapping[str, str], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Put newly measured rows over those in the file, and return all. failures: of rows that failed, why."""
    raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": {}}
    raw["about"] = about
    # What was measured of a row before no longer holds if it fails now.
    rows = {**raw["rows"], **measured}
    failed = {**raw.get("failed", {}), **failures}
    raw["rows"] = {name: each for name, each in rows.items() if name not in failures}
    raw["failed"] = {name: each for name, each in failed.items() if name not in measured}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(raw, indent=1), encoding="utf-8")
    return raw


def generated(raw: Mapping[str, Any]) -> str:
    """The generated part: the machine, the versions, every row."""
    about = raw["about"]
    versions = "".join(f"| {name} | {version} |\n" for name, version in about["versions"].items())
    parts = [f"{about['machine']}. {about['cores'].capitalize()}.\n", f"| program | version |\n|---|---|\n{versions}"]
    done = {name: raw["rows"][name] for name in ROWS if name in raw["rows"]}
    found = {name: from_json(each["found"]) for name, each in done.items()}
    parts.append("### What is wanted\n\n" + "\n".join(judged(found)) + "\n")
    parts.append("### By kind of request\n\n" + "\n".join(costs(found, {n: ROWS[n].title for n in found})) + "\n")
    for name, each in done.items():
        when = f"{each['when']}, {each['rounds']} rounds of {each['seconds']:g} s"
        parts.append(section(ROWS[name], found[name], when))
    parts += [f"### {ROWS[name].title}\n\n**Failed: {why}**\n" for name, why in raw.get("failed", {}).items()]
    return "\n".join(parts)


def write(path: Path, raw: Mapping[str, Any]) -> None:
    """Raises `ValueError` if the document has no place for it."""
    path.write_text(into(path.read_text(encoding="utf-8"), generated(raw)), encoding="utf-8")
