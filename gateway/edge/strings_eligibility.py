"""What is said about who may book when: (Korean, English), as in `strings`, which has them too."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    # The waiting page of somebody whose own window is still to open.
    "head_window": ("아직 나의 예약 시간 전입니다", "Your booking time has not come yet"),
    "lead_window": (
        "나의 예약 시간이 되면 순서대로 입장합니다. 이 화면을 그대로 두시면 됩니다.",
        "When your own time comes, people go in by turn. Just leave this page open.",
    ),
    "window_paused_lead": (
        "나의 예약 시간이 다시 시작되면 순서대로 입장합니다. 이 화면을 그대로 두시면 됩니다.",
        "When booking goes on for your group, people go in by turn. Just leave this page open.",
    ),
    # What whoever lines up for a later window has: it joins the line behind all who are in it by then.
    "kept_wave": (
        (
            "지금 번호는 이 시간을 함께 기다리는 분들 사이의 번호이며, 그 순서는 유지됩니다. "
            "예약 시간이 되면 이미 대기 중인 분들 다음의 번호를 새로 받습니다."
        ),
        (
            "Your number is one among those who wait for this time, and your place among them is kept. When it comes, "
            "you get a new number, behind everyone already in line."
        ),
    ),
    "kept_wave_draw": (
        "지금 번호는 접수 번호이며 입장 순서가 아닙니다. 예약 시간이 되면 번호를 새로 받습니다.",
        "Your number is no place in line. When your time comes, you get a new one.",
    ),
    # Of who waits, but for longer than their own window lasts.
    "late_certain": (
        "현재 예상으로는 나의 예약 기간({closes}까지) 안에 순서가 오지 않습니다.",
        "As it looks now, your turn will not come within your window (until {closes}).",
    ),
    "late_maybe": (
        "현재 예상으로는 나의 예약 기간({closes}까지) 안에 순서가 오지 않을 수 있습니다.",
        "As it looks now, your turn may not come within your window (until {closes}).",
    ),
    "window_label": ("나의 예약 기간", "Your booking period"),
    "window_other": ("다른 생년월일로 확인", "Check another date of birth"),
    # The question.
    "ask_title": ("생년월일을 확인합니다", "Your date of birth, please"),
    "ask_reason": (
        "이번 예약은 대상별로 예약 시간이 다릅니다. 줄을 서시기 전에 지금 예약하실 수 있는지 먼저 알려 드립니다.",
        "Each group has its own booking time. Before you wait in line, we tell you whether it is your turn.",
    ),
    "ask_unsent": (
        "방금 보내신 내용은 접수되지 않았습니다. 입장하신 뒤 다시 입력해 주시기 바랍니다.",
        "What you just sent was not received. Please enter it again when you are in.",
    ),
    "ask_kept": (
        "대기 순서는 그대로 유지됩니다.",
        "Your place is kept.",
    ),
    "birth_label": ("예약하실 분의 생년월일", "Date of birth of the person who gets the booking"),
    "birth_hint": (
        "숫자 8자리로 입력해 주십시오. 예: 19680115",
        "Eight digits: year, month and day. For example 19680115",
    ),
    "birth_privacy": (
        "입력하신 생년월일은 확인하는 데만 쓰고 저장하지 않습니다.",
        "It is used for this answer only and is not stored.",
    ),
    "birth_missing": ("생년월일을 입력해 주십시오.", "Please enter a date of birth."),
    "birth_bad": (
        "달력에 없는 날짜입니다. 연도 4자리, 월 2자리, 일 2자리로 다시 입력해 주십시오.",
        "There is no such date. Please enter four digits for the year, two for the month and two for the day.",
    ),
    "birth_range": (
        "오늘 이후의 날짜이거나 너무 오래된 날짜입니다. 연도를 다시 확인해 주십시오.",
        "That date is in the future or too long ago. Please check the year.",
    ),
    "birth_button": ("확인", "Check"),
    "birth_again": ("다른 분의 예약이신가요?", "Booking for somebody else?"),
    "birth_again_reason": (
        "가족 등 다른 분을 대신하여 예약하시거나 생년월일을 잘못 입력하셨다면 다시 입력해 주십시오.",
        "If you book for a family member, or mistyped the date, enter the date of birth again.",
    ),
    # The answers.
    "verdict_eligible": ("지금 예약하실 수 있습니다", "You can book now"),
    "verdict_eligible_reason": ("아래 단추를 눌러 계속하십시오.", "Please go on with the button below."),
    "verdict_not_yet": ("{opens}부터 예약하실 수 있습니다", "You can book from {opens}"),
    "verdict_not_yet_reason": (
        "그 전에는 예약되지 않으므로 지금 줄을 서지 않으셔도 됩니다.",
        "Before then no booking can be made, so there is no need to wait in line now.",
    ),
    "verdict_paused": ("지금은 예약을 잠시 쉬는 시간입니다", "Booking is paused for your group"),
    "verdict_paused_reason": ("{opens}부터 다시 예약하실 수 있습니다.", "You can book again from {opens}."),
    "verdict_over": ("예약 기간이 끝났습니다", "The booking period is over"),
    "verdict_over_reason": (
        "{closes}에 마감되었으므로 더 기다리지 않으셔도 됩니다.",
        "It ended at {closes}. There is no need to wait any longer.",
    ),
    "verdict_not_eligible": ("이번 예약 대상이 아닙니다", "Not in a group that can book this time"),
    "verdict_not_eligible_reason": (
        "입력하신 생년월일은 아래 대상에 들어 있지 않으므로 기다리지 않으셔도 됩니다.",
        "The date of birth you entered is in none of the groups below, so there is no need to wait.",
    ),
    "verdict_place_kept": (
        "받으신 대기 순서는 취소하실 때까지 그대로 유지됩니다. 예약 일정이 바뀌면 그 순서로 입장하실 수 있습니다.",
        "Your place in line is kept until you give it up. Should the booking times change, you go in by it.",
    ),
    "verdict_kept": (
        "처음에 확인하신 분의 대기 순서는 그대로 유지됩니다.",
        "The place in line of the person you asked about first is kept.",
    ),
    "joins_from": (
        "{joins}부터 이 주소에서 미리 줄을 서실 수 있습니다.",
        "You can line up at this address from {joins}.",
    ),
    "joins_at_opening": ("그 시각에 이 주소로 다시 접속해 주십시오.", "Please come back to this address at that time."),
    "verdict_go_on": ("계속하기", "Go on"),
    "verdict_again": ("다시 확인", "Check again"),
    # Why.
    "why": ("판정 근거", "Why"),
    "why_group": ("적용 대상", "Group"),
    "why_rule": ("규칙 {rule}, {version}판", "Rule {rule}, version {version}"),
    "why_window": ("예약 기간", "Booking period"),
    "why_changed": ("바뀐 일정", "Changed"),
    "why_reason": ("사유", "Reason"),
    "why_judged": ("판정 시각(서버 시각)", "Judged at (server's clock)"),
    "from_to": ("{opens}부터 {closes} 전까지", "From {opens} until just before {closes}"),
    "moved_start": ("시작이 {before}에서 {after}로 바뀌었습니다.", "The start moved from {before} to {after}."),
    "moved_end": ("마감이 {before}에서 {after}로 바뀌었습니다.", "The end moved from {before} to {after}."),
    "why_pause": ("{span} 예약을 쉽니다. {reason}", "Paused: {span}. {reason}"),
    "moved_when": ("({when} 변경)", "(changed {when})"),
    # Everybody's windows.
    "windows": ("대상별 예약 기간", "Who can book when"),
    "windows_group": ("대상", "Group"),
    "windows_state": ("상태", "Status"),
    "window_now": ("진행 중", "Open now"),
    "window_paused": ("{until}까지 쉼", "Paused until {until}"),
    "window_past": ("마감", "Over"),
    "window_next": ("예정", "To come"),
    "calendar_version": ("예약 일정표: {title}, {version}판", "Booking calendar: {title}, version {version}"),
}
