"""Review, card, and what can be done with a booking afterwards."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "when": ("일시", "When"),
    "where": ("장소", "Where"),
    "person": ("접종받으실 분", "Person"),
    "booker": ("예약하신 분", "Booked by"),
    "code": ("예약번호", "Booking code"),
    # Review
    "review": ("예약 내용을 확인해 주세요", "Check your booking"),
    "unconfirmed": ("아직 예약이 확정되지 않았습니다.", "Your booking is not confirmed yet."),
    "held_until": (
        "{time}까지 자리를 맡아 두었습니다. 그 전에 “예약 확정”을 눌러 주세요.",
        "Your seat is kept until {time}. Press “Confirm booking” before then.",
    ),
    "time_left": ("남은 시간", "Time left"),
    "hold_over": (
        "맡아 둔 시간이 지났습니다. 시간을 다시 선택해 주세요.",
        "The time is over. Please choose a time again.",
    ),
    "code_early": (
        "아직 확정 전의 번호입니다. 연결이 끊길 때를 대비해 적어 두세요. 확정하시면 이 번호로 조회할 수 있습니다.",
        (
            "Not confirmed yet. Note it down in case the connection breaks: once confirmed, the booking is found "
            "with it."
        ),
    ),
    "confirm": ("예약 확정", "Confirm booking"),
    "drop": ("이 자리 포기하기", "Give up this seat"),
    "dropped": (
        "맡아 둔 자리를 돌려드렸습니다. 다른 시간을 골라 주세요.",
        "The seat has been given back. Please choose another time.",
    ),
    "choose_again": ("시간 다시 선택", "Choose another time"),
    # Card
    "done": ("예약이 완료되었습니다", "You are booked"),
    "save_card": (
        "이 화면을 꼭 캡처(사진 저장)하거나 인쇄해 두세요. 예약과 함께 이용 순서가 끝나 이 화면은 다시 열 수 없습니다.",
        (
            "Save a screenshot or print this page now. Your turn has ended with this booking, "
            "so the page cannot be opened again."
        ),
    ),
    "bring": (
        "접종일에 접종받으실 분의 신분증을 가지고 오세요.",
        "On the day, bring the identity card of the person to be vaccinated.",
    ),
    "later": (
        "조회·변경·취소는 처음 화면에서 예약번호와 생년월일로 하실 수 있습니다.",
        "To find, change or cancel it, use the booking code and the date of birth at the start page.",
    ),
    "print": ("인쇄", "Print"),
    "queue_number": ("대기 순번", "Queue number"),
    "no_number": ("번호 없음", "None"),
    "how": ("입장 방법", "How you came in"),
    "how_direct": ("대기 없이 바로 입장", "Straight in, nobody was waiting"),
    "how_line": ("순서를 기다려 입장", "Waited in line"),
    "how_late_lane": ("차례가 지난 뒤 다시 입장", "Came back after the turn was called"),
    "how_exempt": ("운영자 예외 규칙으로 입장", "By an operator's exemption"),
    "how_passthrough": ("대기실 미운영 시간에 입장", "While the waiting room was switched off"),
    "how_fail_open": ("대기실 장애 중에 입장", "While the waiting room was out of order"),
    # Find and manage
    "find": ("예약 조회·변경·취소", "Find, change or cancel a booking"),
    "find_lead": (
        "예약번호와 접종받으실 분의 생년월일을 입력해 주세요. 대기 신청도 여기에서 조회합니다.",
        "Enter the code and the date of birth of the person to be vaccinated. Waitlist entries are found here, too.",
    ),
    "code_hint": ("10자리. 예: 7K3M9-XQ2AT", "10 characters, e.g. 7K3M9-XQ2AT"),
    "find_button": ("조회", "Find"),
    "find_first": ("먼저 예약을 조회해 주세요.", "Please find your booking first."),
    "found": ("예약 내역", "Your booking"),
    "own_found": (
        "이미 예약이 있어 그 내역을 보여 드립니다. 새로 예약하려면 먼저 취소해 주세요.",
        "You already have this booking. To make another, cancel it first.",
    ),
    "status": ("상태", "Status"),
    "status_live": ("예약됨", "Booked"),
    "status_cancelled": ("취소됨", "Cancelled"),
    "cancel": ("예약 취소", "Cancel booking"),
    "cancel_warning": (
        "취소하면 자리는 바로 다른 분에게 돌아가며 되돌릴 수 없습니다.",
        "If you cancel, the seat goes to someone else at once. This cannot be undone.",
    ),
    "cancel_ask": ("이 예약을 취소하시겠습니까?", "Cancel this booking?"),
    "cancel_other": (
        "아직 취소되지 않았습니다. 앞에서 확인하신 예약과 내용이 다르니 다시 확인해 주세요.",
        "Nothing has been cancelled yet. This is not what you were asked about before: please check again.",
    ),
    "cancel_yes": ("네, 취소합니다", "Yes, cancel"),
    "cancel_keep": ("예약 유지하기", "Keep the booking"),
    "cancelled": ("예약이 취소되었습니다", "The booking is cancelled"),
    "cancelled_note": (
        "새로 예약하려면 처음 화면에서 다시 시작해 주세요.",
        "To book again, begin at the start page.",
    ),
    # Change
    "change": ("일정 변경", "Change the appointment"),
    "change_note": (
        "새 시간을 확정하실 때까지 지금 예약은 그대로 있습니다.",
        "Your present booking stays until you confirm a new time.",
    ),
    "changing": ("변경 중", "Changing"),
    "changing_from": ("지금 예약: {day} {time}", "Now: {day}, {time}"),
    "change_stop": ("변경하지 않고 돌아가기", "Go back without changing"),
    "change_choose": ("새로 방문하실 센터를 선택해 주세요", "Choose the new centre"),
    "change_time": ("새 날짜와 시간을 선택해 주세요", "Choose the new date and time"),
    "change_review": ("이렇게 변경하시겠습니까?", "Change to this?"),
    "change_old": ("지금 예약", "Now"),
    "change_new": ("새 일정", "New"),
    "change_confirm": ("변경 확정", "Confirm the change"),
    "changed": ("예약이 변경되었습니다", "Your booking has been changed"),
    "changed_note": ("예약번호는 그대로입니다.", "The booking code stays the same."),
}
