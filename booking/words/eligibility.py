"""May this person book, when, and by which rule."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "eligibility": ("예약 대상 확인", "Check who can book"),
    "eligibility_lead": (
        "접종받으실 분의 생년월일을 입력해 주세요. 입력하신 생년월일은 저장하지 않습니다.",
        "Enter the date of birth of the person to be vaccinated. It is not stored.",
    ),
    "eligibility_check": ("확인", "Check"),
    "eligibility_again": ("다른 생년월일 확인", "Check another date of birth"),
    # The answer first
    "verdict_eligible": ("지금 예약하실 수 있습니다", "You can book now"),
    "verdict_eligible_until": ("{closes}까지 예약하실 수 있습니다.", "You can book until {closes}."),
    "verdict_not_yet": ("{opens}부터 예약하실 수 있습니다", "You can book from {opens}"),
    "verdict_not_yet_note": (
        "그 전에는 예약 화면에 들어오셔도 예약되지 않습니다.",
        "Before then no booking can be made, however you open the pages.",
    ),
    "verdict_paused": ("지금은 잠시 쉬는 시간입니다", "Booking is paused at the moment"),
    "verdict_paused_until": ("{opens}부터 다시 예약하실 수 있습니다.", "You can book again from {opens}."),
    "verdict_over": ("예약 기간이 끝났습니다", "The booking period is over"),
    "verdict_over_at": ("{closes}에 마감되었습니다.", "It ended at {closes}."),
    "verdict_not_eligible": ("이번 예약 대상이 아닙니다", "You are not in a group that can book this time"),
    "verdict_not_eligible_note": (
        "{birth} 출생자는 아래 대상에 들어 있지 않습니다.",
        "People born on {birth} are in none of the groups below.",
    ),
    # Then why
    "why": ("판정 근거", "Why"),
    "asked_birth": ("생년월일", "Date of birth"),
    "rule": ("적용 대상", "Group"),
    "rule_version": ("규칙 {rule} {version}판", "Rule {rule}, version {version}"),
    "window": ("예약 기간", "Booking period"),
    "from_to": ("{opens}부터 {closes} 전까지", "From {opens} until just before {closes}"),
    "earlier": ("바뀐 일정", "Changed"),
    "earlier_start": (
        "시작이 {before}에서 {after}로 바뀌었습니다.",
        "The start moved from {before} to {after}.",
    ),
    "earlier_end": (
        "마감이 {before}에서 {after}로 바뀌었습니다.",
        "The end moved from {before} to {after}.",
    ),
    "earlier_when": ("({when} 변경)", "(changed {when})"),
    "reason": ("사유", "Reason"),
    "judged_at": ("판정 시각", "Judged at"),
    "server_clock": (
        "휴대전화나 컴퓨터의 시계가 아니라 예약 서버의 시계로 판정합니다. 기기의 시계를 바꾸어도 결과는 같습니다.",
        "The booking server's clock decides, not your phone's or computer's. Changing yours changes nothing.",
    ),
    "calendar_version": ("예약 일정표: {title}, {version}판", "Booking calendar: {title}, version {version}"),
    # All windows
    "windows": ("대상별 예약 기간", "Who can book when"),
    "group": ("대상", "Group"),
    "window_now": ("진행 중", "Open now"),
    "window_past": ("마감", "Over"),
    "window_next": ("예정", "To come"),
    "state": ("상태", "Status"),
}
