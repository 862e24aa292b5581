"""What went wrong, a title for each code of `booking.errors`, and (`_do`) what to do about it."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "sold_out": ("마감된 시간입니다", "This time is full"),
    "sold_out_do": (
        "예약되지 않았습니다. 다른 시간을 선택해 주세요.",
        "Nothing was booked. Please choose another time.",
    ),
    "slot_closed": ("예약이 마감된 시간입니다", "This time can no longer be booked"),
    "slot_closed_do": (
        "접종 30분 전까지만 예약할 수 있습니다. 다른 시간을 선택해 주세요.",
        "Booking ends 30 minutes before. Please choose another time.",
    ),
    "already_booked": ("이미 예약이 있습니다", "This person already has a booking"),
    "already_booked_do": (
        "한 사람당 한 건만 예약할 수 있습니다. 시간이나 장소를 바꾸려면 예약번호와 생년월일로 조회하여 변경해 주세요.",
        "Each person can have one booking. To move it, find it with the booking code and the date of birth.",
    ),
    "already_booked_self": (
        "접종받으실 분이 직접 하신 예약입니다.",
        "The person to be vaccinated made that booking.",
    ),
    "already_booked_proxy": (
        "가족 등 다른 분이 대신 하신 예약입니다. 예약번호는 그분에게 확인해 주세요.",
        "Somebody else made that booking for this person. Please ask them for the code.",
    ),
    "already_waiting": ("이미 대기 신청이 있습니다", "This person is already on a waitlist"),
    "already_waiting_do": (
        "한 사람당 한 곳에서만 대기할 수 있습니다. 다른 날에 신청하려면 먼저 조회하여 대기를 취소해 주세요.",
        "Each person can wait in one place. To wait for another day, find the entry and leave it first.",
    ),
    "booking_cancelled": ("취소된 예약입니다", "This booking is cancelled"),
    "booking_cancelled_do": (
        "취소된 예약은 변경할 수 없습니다. 처음 화면에서 새로 예약해 주세요.",
        "It cannot be changed any more. Begin at the start page to book again.",
    ),
    "proxy_limit": (
        "대신 예약할 수 있는 인원을 넘었습니다",
        "You have booked for as many others as you may",
    ),
    "proxy_limit_do": (
        "한 분이 대신 예약할 수 있는 인원이 정해져 있습니다. 다른 가족이 대신 예약하거나 본인이 직접 예약해 주세요.",
        "There is a limit to how many others one person books for. Another relative, or the person, can book.",
    ),
    "pass_used": ("이번 입장으로 이미 예약하셨습니다", "This turn has already made a booking"),
    "pass_used_do": (
        "한 번 입장하면 한 건만 예약할 수 있습니다. 다른 분의 예약은 새로 순서를 받아 주세요.",
        "Each turn allows one booking. To book for another person, join the line again.",
    ),
    "other_pass": ("이 자리는 더 이상 맡아 두고 있지 않습니다", "This seat is no longer kept for you"),
    "other_pass_do": (
        "“예약 확정”을 이미 누르셨다면 예약번호와 생년월일로 조회해 주세요. 아니면 시간을 다시 선택해 주세요.",
        "If you had pressed “Confirm booking”, look it up with the code. If not, please choose a time again.",
    ),
    "hold_expired": ("이 자리를 더 이상 맡아 두고 있지 않습니다", "The seat is no longer kept for you"),
    "hold_expired_do": (
        (
            "“예약 확정”을 이미 누르셨다면 예약은 그대로 있습니다. 예약번호와 생년월일로 조회해 주세요. "
            "아니면 맡아 둔 시간이 지났거나 이분의 예약이 다른 곳에서 확정된 것이니 시간을 다시 선택해 주세요."
        ),
        (
            "The time is over, or this person has been booked meanwhile. If you had pressed “Confirm booking”, "
            "look it up with the code. If not, please choose a time again."
        ),
    ),
    "too_late": ("변경·취소할 수 있는 시간이 지났습니다", "It is too late to change or cancel"),
    "too_late_do": (
        "접종 시각이 지난 예약은 변경하거나 취소할 수 없습니다.",
        "The appointment has already begun.",
    ),
    "seats_left": ("아직 예약할 수 있는 자리가 있습니다", "There are still seats on this day"),
    "seats_left_do": (
        "대기하지 않아도 됩니다. 그 날의 시간을 바로 선택해 주세요.",
        "There is no need to wait: choose a time on that day.",
    ),
    "no_such_centre": ("센터를 찾을 수 없습니다", "There is no such centre"),
    "no_such_centre_do": ("목록에서 센터를 선택해 주세요.", "Please choose a centre from the list."),
    "no_such_vaccine": ("백신을 찾을 수 없습니다", "There is no such vaccine"),
    "no_such_vaccine_do": ("목록에서 백신을 선택해 주세요.", "Please choose a vaccine from the list."),
    "no_such_slot": ("시간을 찾을 수 없습니다", "There is no such time"),
    "no_such_slot_do": ("목록에서 시간을 선택해 주세요.", "Please choose a time from the list."),
    "no_such_booking": ("예약을 찾을 수 없습니다", "No booking found"),
    "no_such_booking_do": (
        "예약번호와 접종받으실 분의 생년월일을 다시 확인해 주세요.",
        "Check the booking code and the date of birth of the person to be vaccinated.",
    ),
    # Identity and eligibility
    "not_identified": ("본인 확인이 필요합니다", "Please confirm your identity first"),
    "not_identified_do": (
        "본인 확인을 하지 않았거나 확인한 지 오래되었습니다. 다시 확인해 주세요.",
        "It was not confirmed, or too long ago. Please confirm it again.",
    ),
    "identity_refused": ("본인 확인이 되지 않았습니다", "Your identity could not be confirmed"),
    "identity_refused_do": (
        "성명, 생년월일, 휴대전화번호가 가입하신 정보와 같은지 확인해 주세요. 같다면 다른 수단으로 다시 시도해 주세요.",
        "Check that name, date of birth and phone number are those you registered. If so, try the other way.",
    ),
    "identity_unavailable": (
        "본인 확인 서비스가 응답하지 않습니다",
        "The identity check is not answering",
    ),
    "identity_unavailable_do": (
        "입력하신 내용은 그대로 있습니다. 잠시 후 다시 시도하거나 “원활”인 다른 수단을 선택해 주세요.",
        "What you typed is still here. Try again in a moment, or choose another way that is running well.",
    ),
    "too_many_attempts": ("본인 확인을 너무 여러 번 시도하셨습니다", "Too many identity checks"),
    "too_many_attempts_do": (
        "이번 입장에서는 더 확인할 수 없습니다. 정보를 다시 확인하신 뒤 새로 순서를 받아 주세요.",
        "No more can be made in this turn. Check your details, and join the line again.",
    ),
    "too_many_guesses": ("예약번호와 생년월일이 여러 번 맞지 않았습니다", "Too many wrong codes or dates of birth"),
    "too_many_guesses_do": (
        "예약을 보호하기 위해 한 시간 동안 조회할 수 없습니다. 예약번호와 생년월일을 확인하신 뒤 다시 이용해 주세요.",
        "To protect bookings, no more can be tried for an hour. Check the code and the date of birth, and come again.",
    ),
    "not_eligible": ("지금은 예약하실 수 없습니다", "This person cannot book now"),
    "not_eligible_do": (
        "예약 대상이 아니거나 예약 기간이 아닙니다. “예약 대상 확인”에서 기간을 확인해 주세요.",
        "They are not in a group that can book now. See “Check who can book” for the periods.",
    ),
    # The request itself
    "invalid": ("입력 내용을 확인해 주세요", "Some fields are wrong"),
    "invalid_do": ("표시된 항목을 고쳐 다시 보내 주세요.", "Correct the fields named and send again."),
    "bad_body": ("요청을 읽을 수 없습니다", "The request cannot be read"),
    "bad_body_do": ("이전 화면으로 돌아가 다시 시도해 주세요.", "Go back and try again."),
    "wrong_content_type": ("지원하지 않는 형식입니다", "Wrong content type"),
    "wrong_content_type_do": (
        "이 누리집의 화면이나 application/json으로 보내 주세요.",
        "Send it from a page of this site, or as application/json.",
    ),
    "too_large": ("요청이 너무 큽니다", "The request is too large"),
    "too_large_do": ("입력 내용을 줄여 다시 보내 주세요.", "Please send less."),
    "cross_site": ("다른 누리집에서 온 요청입니다", "This form came from another site"),
    "cross_site_do": ("이 누리집의 화면에서 다시 시도해 주세요.", "Please use the pages of this site."),
    "unavailable": ("지금은 처리할 수 없습니다", "This cannot be done right now"),
    "unavailable_do": (
        "일시적인 문제로 처리하지 못했습니다. 잠시 후 다시 시도해 주세요. 다시 시도하셔도 두 번 예약되지 않습니다.",
        "A passing fault got in the way. Please try again in a moment: nothing can be booked twice.",
    ),
    "not_found": ("화면을 찾을 수 없습니다", "There is no such page"),
    "not_found_do": (
        "주소를 확인하거나 처음 화면에서 다시 시작해 주세요.",
        "Check the address or begin at the start page.",
    ),
    "method_not_allowed": ("허용되지 않는 요청입니다", "This is not allowed here"),
    "method_not_allowed_do": ("처음 화면에서 다시 시작해 주세요.", "Please begin at the start page."),
    "failed": ("오류가 발생했습니다", "Something went wrong"),
    "failed_do": (
        "처리되지 않았습니다. 잠시 후 다시 시도해 주세요.",
        "Nothing was done. Please try again in a moment.",
    ),
    "no_pass": ("대기실을 거쳐 입장해 주세요", "Please enter through the waiting room"),
    "no_pass_do": (
        "이 누리집은 대기실을 거쳐서만 이용할 수 있습니다. 공식 주소로 다시 접속하시면 순서에 따라 안내해 드립니다.",
        "This site is entered through the waiting room only. Open its public address and you will be let in in turn.",
    ),
}
