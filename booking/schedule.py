"""Which appointments there are and until when they can be booked. Pure: time comes in as an argument.

This is the demo's schedule, all of it invented. Who may book when is `shared.rules`.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Final

from booking.model import Centre, Vaccine

# Korea has had one offset since 1988 and no summer time, so no time zone database is needed.
KST: Final = timezone(timedelta(hours=9), "KST")

DAY_MS: Final = 86_400_000
DAYS_AHEAD: Final = 7
# Hours at which appointments start; noon is for lunch.
HOURS: Final = (9, 10, 11, 13, 14, 15, 16, 17)
# A centre prints its list half an hour before each appointment.
CLOSES_BEFORE_START_MS: Final = 30 * 60_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

DEMO_CENTRES: Final = (
    Centre("seoul", "서울", "Seoul", "서울 가온 예방접종센터", "Seoul Gaon Vaccination Centre",
           "서울특별시 가온구 순번로 12", "12 Sunbeon-ro, Gaon-gu, Seoul"),
    Centre("busan", "부산", "Busan", "부산 물결 예방접종센터", "Busan Mulgyeol Vaccination Centre",
           "부산광역시 물결구 바다로 34", "34 Bada-ro, Mulgyeol-gu, Busan"),
    Centre("daegu", "대구", "Daegu", "대구 햇살 예방접종센터", "Daegu Haessal Vaccination Centre",
           "대구광역시 햇살구 사과로 56", "56 Sagwa-ro, Haessal-gu, Daegu"),
    Centre("gwangju", "광주", "Gwangju", "광주 누리 예방접종센터", "Gwangju Nuri Vaccination Centre",
           "광주광역시 누리구 무등길 78", "78 Mudeung-gil, Nuri-gu, Gwangju"),
    Centre("daejeon", "대전", "Daejeon", "대전 한별 예방접종센터", "Daejeon Hanbyeol Vaccination Centre",
           "대전광역시 한별구 과학길 90", "90 Gwahak-gil, Hanbyeol-gu, Daejeon"),
    Centre("jeju", "제주", "Jeju", "제주 다솜 예방접종센터", "Jeju Dasom Vaccination Centre",
           "제주특별자치도 다솜시 바람길 21", "21 Baram-gil, Dasom-si, Jeju"),
)  # fmt: skip
DEMO_VACCINES: Final = (
    Vaccine("gaon", "가온백신", "Gaon vaccine"),
    Vaccine("nuri", "누리백신", "Nuri vaccine"),
)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def in_korea(moment_ms: int) -> datetime:
    """The moment as a Korean clock and calendar show it."""
    return (_EPOCH + timedelta(milliseconds=moment_ms)).astimezone(KST)


def day_bounds(day: date) -> tuple[int, int]:
    """First millisecond of a Korean calendar day, and of the next."""
    start = to_ms(datetime(day.year, day.month, day.day, tzinfo=KST))
    return start, start + DAY_MS


def bookable_from(now_ms: int) -> int:
    """The earliest start of an appointment that can still be booked at `now_ms`."""
    return now_ms + CLOSES_BEFORE_START_MS


def demo_slots(now_ms: int, *, capacity: int) -> Iterator[tuple[str, str, int, int]]:
    """Centre, vaccine, start and capacity of every appointment of the next `DAYS_AHEAD` days, from tomorrow on."""
    today = in_korea(now_ms).replace(hour=0, minute=0, second=0, microsecond=0)
    for centre in DEMO_CENTRES:
        for ahead in range(1, DAYS_AHEAD + 1):
            for hour in HOURS:
                for vaccine in DEMO_VACCINES:
                    yield centre.id, vaccine.id, to_ms(today + timedelta(days=ahead, hours=hour)), capacity
