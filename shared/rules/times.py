"""Local times of a zone, and moments."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
# Outside, a zone's rules are unknown or the arithmetic of `datetime` ends.
_YEARS: Final = range(1970, 9_000)


def find_zone(name: str) -> ZoneInfo:
    """Raises `ValueError` with what is wrong: no such zone, or no zones at all."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        pass
    try:
        ZoneInfo("UTC")
    except ZoneInfoNotFoundError:
        raise ValueError("this system has no time zone database: install the package tzdata") from None
    raise ValueError(f'there is no zone "{name}": write one of the IANA database, like "Asia/Seoul"')


def to_ms(moment: datetime, zone: ZoneInfo) -> int:
    """Milliseconds since 1970 of a time as clocks in the zone show it; an offset, if it has one, must be the zone's.

    Raises `ValueError` if there is no such moment, or more than one.
    """
    if moment.year not in _YEARS:
        raise ValueError(f"{_show(moment)} is not in the years {_YEARS.start} to {_YEARS.stop - 1}")
    if moment.microsecond % 1000:
        raise ValueError(f"{moment.isoformat()} is finer than a millisecond")
    if moment.tzinfo is None:
        candidates = {moment.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
        moments = [each for each in candidates if each.astimezone(zone).replace(tzinfo=None) == moment]
        if not moments:
            raise ValueError(
                f"{_show(moment)} does not exist in {zone.key}: clocks leave it out when summer time begins"
            )
        if len(moments) > 1:
            ways = " or ".join(_show(each.astimezone(zone)) for each in sorted(moments))
            raise ValueError(f"{_show(moment)} exists twice in {zone.key}: write {ways}")
        (moment,) = moments
    elif moment.utcoffset() != moment.astimezone(zone).utcoffset():
        right = _show(moment.astimezone(zone))
        raise ValueError(f"{_show(moment)} has not the offset of {zone.key} at that moment: write {right}")
    return instant_ms(moment)


def instant_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of a time with an offset, whatever zone that is of."""
    return (moment - _EPOCH) // _MS


def to_local(moment_ms: int, zone: ZoneInfo) -> datetime:
    """The moment as clocks in the zone show it."""
    return (_EPOCH + moment_ms * _MS).astimezone(zone)


def _show(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
