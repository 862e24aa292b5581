"""Centres, days, times, and the waitlist of a full day."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "choose_centre": ("접종센터를 선택해 주세요", "Choose a centre"),
    "search": ("지역, 주소, 센터 이름으로 찾기", "Search by region, address or name"),
    "search_hint": ("예: 부산, 순번로", "e.g. Busan, Sunbeon-ro"),
    "search_button": ("찾기", "Search"),
    "search_found": ("“{q}” 검색 결과 {count}곳", "{count} found for “{q}”"),
    "search_none": ("“{q}”에 맞는 센터가 없습니다.", "No centre matches “{q}”."),
    "search_none_do": (
        "시·도 이름만 넣거나 띄어쓰기를 바꾸어 다시 찾아 보세요.",
        "Try the region alone, or another spelling.",
    ),
    "search_all": ("모든 센터 보기", "Show all centres"),
    "centre_left": ("예약 가능 {left}명", "{left} left"),
    "none_left": ("마감", "Full"),
    "no_centres": ("지금은 예약할 수 있는 센터가 없습니다.", "There is no centre to book at the moment."),
    # The whole site
    "all_gone": ("모든 자리의 예약이 끝났습니다", "Everything is booked"),
    "all_gone_do": (
        "취소되는 자리가 생기면 대기 신청하신 순서대로 예약됩니다. 센터와 날짜를 골라 대기를 신청해 주세요.",
        "When someone cancels, the seat goes to the first on the waitlist. Choose a centre and a day to join it.",
    ),
    "all_held": ("지금 남은 자리가 없습니다", "No seat is free right now"),
    "all_held_do": (
        "다른 분들이 고른 {count}자리가 아직 확정되지 않았습니다. 몇 분 안에 다시 나올 수 있습니다.",
        "{count} seats are chosen but not confirmed yet, and may come free within minutes.",
    ),
    # Days and slots
    "choose_time": ("날짜와 시간을 선택해 주세요", "Choose a date and a time"),
    "days": ("날짜", "Dates"),
    "slots_on": ("{day} 예약 가능 시간", "Times on {day}"),
    "day_left": ("{left}명", "{left} left"),
    "slot_left": ("{left}명 가능", "{left} left"),
    "press_time": (
        "시간을 누르면 그 자리를 {minutes}분 동안 맡아 둡니다.",
        "Press a time and the seat is kept for you for {minutes} minutes.",
    ),
    "press_time_new": (
        "시간을 누르면 본인 확인을 거쳐 그 자리를 맡아 둡니다.",
        "Press a time: you confirm your identity, and the seat is kept for you.",
    ),
    "no_slots": ("이 센터에는 예약할 수 있는 날이 없습니다.", "There is no day to book at this centre."),
    "other_centre": ("다른 센터 선택", "Choose another centre"),
    "vaccine": ("백신", "Vaccine"),
    "just_gone": ("방금 마감되었습니다", "This time has just filled up"),
    "just_gone_do": (
        "{day} {time} 자리가 방금 마감되었습니다. 아래에서 다른 시간을 누르면 바로 이어집니다.",
        "{day}, {time} has just filled up. Press another time below to go on.",
    ),
    "hold": ("이 시간으로 예약 진행", "Book this time"),
    "slot_title": ("선택하신 시간", "The time you chose"),
    # Waitlist
    "full_day": ("이 날은 자리가 모두 찼습니다.", "This day is full."),
    "full_vaccine": ("이 백신은 이 날 자리가 모두 찼습니다.", "This vaccine is full on this day."),
    "full_day_do": (
        "대기를 신청하시면 빈자리가 나는 대로 신청 순서에 따라 자동으로 예약됩니다.",
        "Join the waitlist: as soon as a seat comes free, the first in order is booked automatically.",
    ),
    "wait_any": ("백신 종류와 관계없이 대기 신청", "Join the waitlist for any vaccine"),
    "wait_one": ("{vaccine} 대기 신청", "Join the waitlist for {vaccine}"),
    "wait_title": ("대기를 신청하시겠습니까?", "Join the waitlist?"),
    "wait_button": ("대기 신청", "Join the waitlist"),
    "wait_how": (
        (
            "빈자리가 나면 신청하신 순서대로 자동으로 예약되며, 시간은 빈자리에 따라 정해집니다. "
            "다른 센터를 예약하시면 대기는 끝납니다."
        ),
        (
            "When a seat comes free, the first in order is booked automatically, at the time of that seat. "
            "If you book elsewhere, you leave the waitlist."
        ),
    ),
    "any_vaccine": ("백신 종류 무관", "Any vaccine"),
    "joined": ("대기 신청이 접수되었습니다", "You are on the waitlist"),
    "wait_code": ("대기·예약번호", "Waitlist and booking code"),
    "wait_ahead": ("내 앞", "Ahead of you"),
    "wait_ahead_count": ("{count}명", "{count}"),
    "wait_first": ("없음 (다음 차례입니다)", "Nobody: you are next"),
    "wait_day": ("대기하는 날", "Day"),
    "wait_save": (
        "이 화면을 캡처(사진 저장)해 두세요. 예약번호와 생년월일로 순서를 확인하거나 대기를 취소할 수 있습니다.",
        "Save a screenshot of this page. With the code and the date of birth you can see your place or leave the list.",
    ),
    "wait_same_code": (
        "예약이 되어도 번호는 바뀌지 않습니다.",
        "The code stays the same when you are booked.",
    ),
    "wait_found": ("대기 신청 내역", "Your place on the waitlist"),
    "leave_wait": ("대기 취소", "Leave the waitlist"),
    "leave_wait_warning": (
        "대기를 취소하면 순서를 잃습니다. 다시 신청하시면 맨 뒤로 갑니다.",
        "If you leave, you lose your place. Joining again puts you at the end.",
    ),
    "left_wait": ("대기가 취소되었습니다", "You have left the waitlist"),
    "left_wait_note": (
        "새로 예약하거나 대기를 신청하려면 처음 화면에서 시작해 주세요.",
        "To book or to join again, begin at the start page.",
    ),
}
