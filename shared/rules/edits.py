"""Which parts of a calendar were edited, whether or not anybody is answered otherwise by it."""

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from shared.rules.births import BirthIndex
from shared.rules.calendar import Calendar
from shared.rules.groups import group
from shared.rules.model import Births, Cohort, Earlier, Pause, Rule, Text
from shared.rules.times import find_zone, to_local

_Fields = dict[str, str]


@dataclass(frozen=True, slots=True)
class Edit:
    """part: `rule 53-54`. field: "" if the part is new or gone as a whole. old, new: as text; None: there is none."""

    part: str
    field: str
    old: str | None
    new: str | None


def edits(old: Calendar, new: Calendar) -> tuple[Edit, ...]:
    """Every part that is new or gone, and every field of the others that changed, in the order of the new calendar."""
    before, after = _parts(old), _parts(new)
    found = []
    for part in (*after, *(part for part in before if part not in after)):
        if part in before and part in after:
            one, other = before[part], after[part]
            found += [Edit(part, name, one[name], other[name]) for name in other if one[name] != other[name]]
        else:
            found.append(Edit(part, "", _whole(before.get(part)), _whole(after.get(part))))
    return tuple(found)


def _whole(fields: _Fields | None) -> str | None:
    return None if fields is None else "; ".join(f"{name} {value}" for name, value in fields.items() if value)


def not_versioned(old: Calendar, new: Calendar) -> tuple[str, ...]:
    """The parts that say something else under a version they had before: `calendar`, `rule 53-54`."""
    found = ["calendar"] if edits(old, new) and new.version <= old.version else []
    before = {rule.id: rule for rule in old.rules}
    for rule in new.rules:
        earlier = before.get(rule.id)
        if earlier is not None and earlier != rule and rule.version <= earlier.version:
            found.append(f"rule {rule.id}")
    return tuple(found)


def _parts(calendar: Calendar) -> dict[str, _Fields]:
    zone = find_zone(calendar.zone)
    parts = {"calendar": {"version": str(calendar.version), "title": _text(calendar.title), "zone": calendar.zone}}
    parts |= {f"cohort {cohort.id}": _cohort(cohort) for cohort in calendar.cohorts}
    parts |= {f"rule {rule.id}": _rule(rule, zone) for rule in calendar.rules}
    parts |= {f"closed {pause.id}": _pause(pause, zone) for pause in calendar.pauses}
    for number, hole in enumerate(calendar.holes, start=1):
        parts[f"hole {number}"] = {"births": births_text(hole.births), "reason": _text(hole.reason)}
    return parts


def births_text(births: Births) -> str:
    """`1967-1968`."""
    classes = list(BirthIndex([births]).classes())
    wanted = [each for each, mask in classes if mask]
    return "; ".join(str(each) for each in group(wanted, [each for each, _ in classes]))


def _cohort(cohort: Cohort) -> _Fields:
    shown = "; ".join(f"{name} = {' or '.join(map(repr, values))}" for name, values in cohort.attributes)
    return {"label": _text(cohort.label), "births": births_text(cohort.births), "attributes": shown}


def _rule(rule: Rule, zone: ZoneInfo) -> _Fields:
    return {
        "version": str(rule.version),
        "cohorts": ", ".join(rule.cohorts),
        "opens": _moment(rule.opens_ms, zone),
        "closes": _moment(rule.closes_ms, zone),
        "reason": _text(rule.reason),
        "note": _text(rule.note),
        "earlier": "; ".join(_earlier(rule.earlier, zone)),
    }


def _earlier(earlier: tuple[Earlier, ...], zone: ZoneInfo) -> Iterator[str]:
    for each in earlier:
        times = [_moment(moment, zone) for moment in (each.opens_ms, each.closes_ms, each.replaced_ms)]
        why = f": {_text(each.reason)}" if each.reason else ""
        yield f"version {each.version}, {times[0]} to {times[1]}, replaced {times[2]}{why}"


def _pause(pause: Pause, zone: ZoneInfo) -> _Fields:
    return {
        "cohorts": ", ".join(pause.cohorts),
        "from": _moment(pause.from_ms, zone),
        "until": _moment(pause.until_ms, zone),
        "reason": _text(pause.reason),
    }


def _moment(moment_ms: int, zone: ZoneInfo) -> str:
    return to_local(moment_ms, zone).isoformat()


def _text(text: Text | None) -> str:
    return f"{text.ko} / {text.en}" if text else ""
