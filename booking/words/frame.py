"""The frame of every page, and the start page."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "site": ("예방접종 사전예약", "Vaccination booking"),
    "demo_note": (
        "시연용 가상 누리집입니다. 실제 예방접종 예약이 아니니 실제 개인정보를 입력하지 마세요.",
        "A demonstration. Nothing here is a real appointment: please do not enter real personal data.",
    ),
    "skip": ("본문 바로가기", "Skip to content"),
    "switch_language": ("English", "한국어"),
    "home": ("처음 화면", "Start page"),
    "footer": (
        "접종센터와 일정은 모두 지어낸 것입니다. 모든 시각은 한국 표준시입니다.",
        "All centres and times are invented. All times are Korea Standard Time.",
    ),
    "retry": ("다시 시도", "Try again"),
    "steps": ("예약 단계", "Booking steps"),
    "step_identify": ("본인 확인", "Identity"),
    "step_centre": ("접종센터", "Centre"),
    "step_time": ("날짜·시간", "Date and time"),
    "step_confirm": ("예약 확정", "Confirm"),
    # Whom this visit is for
    "visit_self": ("{name} 님의 예약을 진행하고 있습니다.", "You are booking for {name}."),
    "visit_family": (
        "{name} 님의 예약을 {booker} 님이 대신 진행하고 있습니다.",
        "{booker} is booking for {name}.",
    ),
    "start_over": ("입력 내용 지우고 처음부터", "Clear everything and start over"),
    # Start
    "start_title": ("예방접종을 예약합니다", "Book a vaccination"),
    "start_lead": (
        "아래 순서로 진행하며 보통 3분이면 끝납니다.",
        "These are the steps. It usually takes three minutes.",
    ),
    "start_one": (
        "본인 확인: 성명, 생년월일, 휴대전화번호가 필요합니다.",
        "Confirm your identity with your name, date of birth and mobile number.",
    ),
    "start_two": ("접종센터와 날짜·시간을 고릅니다.", "Choose a centre, a date and a time."),
    "start_three": (
        "내용을 확인하고 예약을 확정합니다. 고르신 자리는 {minutes}분 동안 다른 사람에게 넘어가지 않습니다.",
        "Check and confirm. The seat you choose is kept for you for {minutes} minutes.",
    ),
    "start_four": (
        "예약번호가 적힌 화면을 저장합니다.",
        "Save the page with your booking code.",
    ),
    "start_once": (
        "한 사람당 한 건, 한 번 입장하면 한 건만 예약할 수 있습니다.",
        "Each person can have one booking, and each turn makes one booking.",
    ),
    "book_self": ("본인 예약", "Book for myself"),
    "book_self_note": ("본인이 접종받습니다.", "I am the one to be vaccinated."),
    "book_family": ("가족 대신 예약", "Book for a family member"),
    "book_family_note": (
        "부모님 등 가족을 대신하여 예약합니다. 본인 확인은 예약하시는 분이 받습니다.",
        "For a parent or another relative. You confirm your own identity.",
    ),
    "find_link": ("예약 조회·변경·취소", "Find, change or cancel a booking"),
    "find_note": ("예약번호와 생년월일이 필요합니다.", "You need the booking code and the date of birth."),
    "eligibility_link": ("예약 대상인지 먼저 확인하기", "First check whether you can book"),
    "eligibility_note": (
        "생년월일만 입력하면 바로 알려 드립니다.",
        "Enter a date of birth and see at once.",
    ),
    "browse_link": ("접종센터와 남은 자리 보기", "See centres and free seats"),
    "start_what": ("무엇을 하시겠습니까?", "What would you like to do?"),
    "start_how": ("예약 순서", "How booking works"),
    # The end of a visit
    "ended": ("이용을 마쳤습니다", "Your visit has ended"),
    "ended_note": (
        "입력하신 내용을 이 기기에서 지웠고, 자리는 다음 분께 넘겼습니다. 공용 컴퓨터라면 이 창도 꼭 닫아 주세요.",
        (
            "What you entered has been cleared from this device and your turn has passed to the next person. "
            "On a shared computer, close this window, too."
        ),
    ),
    "finish": ("이용 마치기", "End my visit"),
    "finish_note": (
        "더 하실 일이 없으면 이용을 마쳐 주세요. 기다리는 분이 바로 들어올 수 있습니다.",
        "If you are done, please end your visit: the next person in line can then come in at once.",
    ),
}
