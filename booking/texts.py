"""Every sentence a visitor may read, Korean and English side by side, and how dates and times are written."""

from collections.abc import Mapping
from typing import Final

from booking import schedule
from booking.settings import Language

LANGUAGES: Final[tuple[Language, ...]] = ("ko", "en")

_WEEKDAYS_KO: Final = "월화수목금토일"
_WEEKDAYS_EN: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS_EN: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NOON: Final = 12

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    # The frame of every page
    "site": ("예방접종 사전예약", "Vaccination booking"),
    "demo_note": (
        "시연용 가상 누리집입니다. 실제 예방접종 예약이 아니니 실제 개인정보를 입력하지 마세요.",
        "A demonstration. Nothing here is a real appointment: please do not enter real personal data.",
    ),
    "skip": ("본문 바로가기", "Skip to content"),
    "switch_language": ("English", "한국어"),
    "home": ("처음으로", "Start page"),
    "footer": (
        "센터와 일정은 모두 지어낸 것입니다. 시각은 한국 표준시입니다.",
        "All centres and times are invented. Times are Korea Standard Time.",
    ),
    "steps": ("예약 단계", "Booking steps"),
    "step_centre": ("접종센터", "Centre"),
    "step_time": ("날짜·시간", "Date and time"),
    "step_person": ("예약자 정보", "Your details"),
    "step_confirm": ("확인", "Confirm"),
    # Start and centres
    "intro": (
        "접종센터와 시간을 고르고 예약자 정보를 입력하면 예약이 끝납니다. 보통 3분이면 됩니다.",
        "Choose a centre and a time, then enter your details. It usually takes three minutes.",
    ),
    "intro_one": ("한 사람당 한 건만 예약할 수 있습니다.", "Each person can have one booking."),
    "intro_hold": (
        "고르신 자리는 확정하실 때까지 {minutes}분 동안 다른 사람에게 넘어가지 않습니다.",
        "The seat you choose is kept for you for {minutes} minutes.",
    ),
    "intro_family": (
        "가족을 대신하여 예약할 때에는 접종받으실 분의 정보를 입력해 주세요.",
        "Booking for a relative? Enter the details of the person to be vaccinated.",
    ),
    "find_link": ("예약 조회·취소", "Find or cancel a booking"),
    "choose_centre": ("접종센터를 선택해 주세요", "Choose a centre"),
    "centre_left": ("예약 가능 {left}명", "{left} left"),
    "none_left": ("마감", "Full"),
    "no_centres": ("지금은 예약할 수 있는 센터가 없습니다.", "There is no centre to book at the moment."),
    # Days and slots
    "choose_time": ("날짜와 시간을 선택해 주세요", "Choose a date and time"),
    "days": ("날짜", "Dates"),
    "slots_on": ("{day} 예약 가능 시간", "Times on {day}"),
    "day_left": ("{left}명", "{left} left"),
    "slot_left": ("{left}명 가능", "{left} left"),
    "no_slots": ("이 날짜에는 예약할 수 있는 시간이 없습니다.", "There is no time left to book on this date."),
    "other_centre": ("다른 센터 선택", "Choose another centre"),
    # Person
    "enter_person": ("접종받으실 분의 정보를 입력해 주세요", "Who is to be vaccinated?"),
    "appointment": ("선택하신 일정", "Your choice"),
    "when": ("일시", "When"),
    "where": ("장소", "Where"),
    "change": ("변경", "Change"),
    "name": ("성명", "Name"),
    "name_hint": ("신분증에 적힌 대로 입력해 주세요. 예: 홍길동", "As on the identity card, e.g. Hong Gildong"),
    "birth_date": ("생년월일", "Date of birth"),
    "birth_hint": ("숫자 8자리로 입력해 주세요. 예: 19680302", "Year, month, day, e.g. 19680302 for 2 March 1968"),
    "phone": ("휴대전화번호", "Mobile phone"),
    "phone_hint": ("예: 010-1234-5678", "e.g. 010-1234-5678"),
    "privacy": (
        (
            "입력하신 성명·생년월일·전화번호는 그대로 저장하지 않습니다. 중복 예약을 막기 위한 암호화된 값과 "
            "일부를 가린 성명(홍*동)만 보관합니다."
        ),
        (
            "Your name, date of birth and phone number are not stored as typed. We keep only a keyed hash, to see that "
            "nobody books twice, and a masked name (K** M****)."
        ),
    ),
    "hold": ("다음", "Continue"),
    "errors_title": ("다음 항목을 확인해 주세요", "Please check the following"),
    "other_times": (
        "방금 이 시간이 마감되었습니다. 입력하신 정보는 그대로 있습니다. 다른 시간을 누르면 바로 이어집니다.",
        "This time has just filled up. What you typed is still here: pick another time to go on.",
    ),
    # Confirm
    "review": ("예약 내용을 확인해 주세요", "Check your booking"),
    "not_yet": ("아직 예약이 확정되지 않았습니다.", "Your booking is not confirmed yet."),
    "held_until": (
        "{time}까지 자리를 맡아 두었습니다. 그 전에 아래 단추를 눌러 주세요.",
        "Your seat is kept until {time}. Press the button below before then.",
    ),
    "time_left": ("남은 시간", "Time left"),
    "hold_over": (
        "맡아 둔 시간이 지났습니다. 시간을 다시 선택해 주세요.",
        "The time is over. Please choose a time again.",
    ),
    "confirm": ("예약 확정", "Confirm booking"),
    # Card
    "done": ("예약이 완료되었습니다", "You are booked"),
    "code": ("예약번호", "Booking code"),
    "save_card": (
        "이 화면을 꼭 캡처(사진 저장)해 두세요. 예약이 끝나면 이용 순서도 끝나므로, 이 화면은 다시 열 수 없습니다.",
        (
            "Save a screenshot of this page now. Your turn has ended with this booking, "
            "so the page cannot be opened again."
        ),
    ),
    "bring": (
        "접종일에 신분증을 가지고 오세요. 취소하려면 예약번호와 생년월일이 필요합니다.",
        "Bring an identity card on the day. To cancel you need the booking code and the date of birth.",
    ),
    "queue_number": ("대기 순번", "Queue number"),
    "no_number": ("대기 없이 입장", "Entered without a queue number"),
    # Find and cancel
    "find": ("예약 조회·취소", "Find or cancel a booking"),
    "code_hint": ("10자리. 예: 7K3M9-XQ2AT", "10 characters, e.g. 7K3M9-XQ2AT"),
    "find_button": ("조회", "Find"),
    "found": ("예약 내역", "Your booking"),
    "cancel": ("예약 취소", "Cancel booking"),
    "cancel_warning": (
        "취소하면 자리는 바로 다른 분에게 돌아가며 되돌릴 수 없습니다.",
        "If you cancel, the seat goes to someone else at once. This cannot be undone.",
    ),
    "cancelled": ("예약이 취소되었습니다", "The booking is cancelled"),
    "cancelled_note": ("새로 예약하려면 처음 화면에서 다시 시작해 주세요.", "To book again, begin at the start page."),
    "status": ("상태", "Status"),
    "status_live": ("예약됨", "Booked"),
    "status_cancelled": ("취소됨", "Cancelled"),
    "retry": ("다시 시도", "Try again"),
    # What is wrong with a field
    "field_missing": ("필수 항목입니다.", "This field is missing."),
    "field_bad": ("값의 형식이 올바르지 않습니다.", "This value is of the wrong kind."),
    "field_unknown": ("알 수 없는 항목입니다.", "There is no such field."),
    "name_missing": ("성명을 입력해 주세요.", "Enter the name."),
    "name_bad": ("성명은 60자 이내의 글자로 입력해 주세요.", "Enter the name in letters, 60 at most."),
    "birth_missing": ("생년월일을 입력해 주세요.", "Enter the date of birth."),
    "birth_bad": (
        "생년월일이 올바르지 않습니다. 19680302처럼 8자리로 입력해 주세요.",
        "This is not a date. Write year, month and day, like 1968-03-02.",
    ),
    "birth_range": ("생년월일의 연도를 확인해 주세요.", "Check the year of birth."),
    "phone_missing": ("휴대전화번호를 입력해 주세요.", "Enter the phone number."),
    "phone_bad": (
        "전화번호가 올바르지 않습니다. 010-1234-5678처럼 입력해 주세요.",
        "This is not a phone number. Write it like 010-1234-5678.",
    ),
    "code_missing": ("예약번호를 입력해 주세요.", "Enter the booking code."),
    "day_bad": ("날짜를 YYYY-MM-DD 형식으로 적어 주세요.", "Write the date as YYYY-MM-DD."),
    # Problems: a title by code, and what to do
    "sold_out": ("마감된 시간입니다", "This time is full"),
    "sold_out_do": ("다른 시간을 선택해 주세요.", "Please choose another time."),
    "slot_closed": ("예약이 마감된 시간입니다", "This time can no longer be booked"),
    "slot_closed_do": (
        "접종 30분 전까지만 예약할 수 있습니다. 다른 시간을 선택해 주세요.",
        "Booking ends 30 minutes before. Please choose another time.",
    ),
    "already_booked": ("이미 예약이 있습니다", "This person already has a booking"),
    "already_booked_do": (
        "한 사람당 한 건만 예약할 수 있습니다. 바꾸려면 먼저 기존 예약을 취소해 주세요.",
        "Each person can have one booking. To change it, cancel it first.",
    ),
    "pass_used": ("이번 입장으로 이미 예약하셨습니다", "This turn has already made a booking"),
    "pass_used_do": (
        "한 번 입장하면 한 건만 예약할 수 있습니다. 다른 분의 예약은 새로 순서를 받아 주세요.",
        "Each turn allows one booking. To book for another person, join the line again.",
    ),
    "other_pass": ("이 자리는 더 이상 회원님 앞으로 맡아 두고 있지 않습니다", "This seat is no longer kept for you"),
    "other_pass_do": ("시간을 다시 선택해 주세요.", "Please choose a time again."),
    "hold_expired": ("맡아 둔 시간이 지났습니다", "The seat is no longer kept for you"),
    "hold_expired_do": (
        "예약은 되지 않았습니다. 시간을 다시 선택해 주세요.",
        "Nothing was booked. Please choose a time again.",
    ),
    "too_late": ("취소할 수 있는 시간이 지났습니다", "It is too late to cancel"),
    "too_late_do": ("접종 시각이 지난 예약은 취소할 수 없습니다.", "The appointment has already begun."),
    "no_such_centre": ("센터를 찾을 수 없습니다", "There is no such centre"),
    "no_such_centre_do": ("목록에서 센터를 선택해 주세요.", "Please choose a centre from the list."),
    "no_such_slot": ("시간을 찾을 수 없습니다", "There is no such time"),
    "no_such_slot_do": ("목록에서 시간을 선택해 주세요.", "Please choose a time from the list."),
    "no_such_booking": ("예약을 찾을 수 없습니다", "No booking found"),
    "no_such_booking_do": (
        "예약번호와 생년월일을 다시 확인해 주세요.",
        "Check the booking code and the date of birth.",
    ),
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
        "일시적인 문제로 요청이 처리되지 않았습니다. 기존 예약은 안전합니다. 잠시 후 다시 시도해 주세요.",
        "Because of a passing fault nothing was done. Existing bookings are safe. Please try again in a moment.",
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


def say(key: str, language: Language, **values: object) -> str:
    """The text in this language. Raises `KeyError` for a key there is not."""
    text = TEXTS[key][LANGUAGES.index(language)]
    return text.format(**values) if values else text


def say_day(moment_ms: int, language: Language) -> str:
    """`7월 19일(월)`, `Mon 19 Jul`."""
    day = schedule.in_korea(moment_ms)
    if language == "ko":
        return f"{day.month}월 {day.day}일({_WEEKDAYS_KO[day.weekday()]})"
    return f"{_WEEKDAYS_EN[day.weekday()]} {day.day} {_MONTHS_EN[day.month - 1]}"


def say_time(moment_ms: int, language: Language) -> str:
    """`오후 8:00`, `8:00 pm`."""
    moment = schedule.in_korea(moment_ms)
    clock = f"{(moment.hour - 1) % _NOON + 1}:{moment.minute:02}"
    if language == "ko":
        return f"{'오전' if moment.hour < _NOON else '오후'} {clock}"
    return f"{clock} {'am' if moment.hour < _NOON else 'pm'}"


def pick_language(wanted: str | None, accept: str, default: Language) -> Language:
    """The language asked for by the switch, else the browser's first choice of ours (RFC 9110, 12.5.4)."""
    for language in LANGUAGES:
        if wanted == language:
            return language
    best: tuple[float, Language] | None = None
    for part in accept.split(","):
        tag, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        for language in LANGUAGES:
            if tag.lower().split("-")[0] == language and quality > 0 and (best is None or quality > best[0]):
                best = (quality, language)
    return best[1] if best else default


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
