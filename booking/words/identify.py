"""Who is booking, and for whom."""

from collections.abc import Mapping
from typing import Final

TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "identify": ("본인 확인", "Confirm your identity"),
    "identify_family": ("가족 대신 예약하기", "Book for a family member"),
    "identify_lead": (
        "접종받으실 본인의 정보를 입력해 주세요.",
        "Enter your own details. You are the one to be vaccinated.",
    ),
    "identify_family_lead": (
        "본인 확인은 예약하시는 분이 받습니다. 접종받으실 분은 기다리거나 인증하지 않으셔도 됩니다.",
        "You confirm your own identity. The person to be vaccinated need not wait or confirm anything.",
    ),
    "to_family": ("가족을 대신하여 예약하시나요?", "Booking for a family member?"),
    "to_self": ("본인이 접종받으시나요?", "Are you the one to be vaccinated?"),
    "method": ("본인 확인 수단", "How to confirm your identity"),
    "method_hint": (
        "“혼잡”이나 “장애”이면 다른 수단을 골라 주세요.",
        "If one is busy or out of order, choose another.",
    ),
    "method_carrier": ("휴대전화 (통신사)", "Mobile carrier"),
    "method_certificate": ("인증서", "Certificate"),
    "light_free": ("원활", "Running well"),
    "light_busy": ("혼잡", "Busy"),
    "light_down": ("장애", "Out of order"),
    "group_booker": ("1. 예약하시는 분 (본인)", "1. You, who are booking"),
    "group_person": ("2. 접종받으실 분 (가족)", "2. The person to be vaccinated"),
    "group_consent": ("3. 동의 확인", "3. Consent"),
    "name": ("성명", "Name"),
    "name_hint": ("신분증에 적힌 대로 입력해 주세요. 예: 홍길동", "As on the identity card, e.g. Hong Gildong"),
    "birth_date": ("생년월일", "Date of birth"),
    "birth_hint": ("숫자 8자리. 예: 19680302", "Year, month, day, e.g. 19680302 for 2 March 1968"),
    "phone": ("휴대전화번호", "Mobile phone"),
    "phone_hint": ("예: 010-1234-5678", "e.g. 010-1234-5678"),
    "for_name": ("접종받으실 분의 성명", "Their name"),
    "for_birth_date": ("접종받으실 분의 생년월일", "Their date of birth"),
    "for_phone": ("접종받으실 분의 휴대전화번호", "Their mobile phone"),
    "for_phone_hint": (
        "접종받으실 분이 쓰시는 번호를 입력해 주세요. 한 분이 두 번 예약되지 않도록 확인하는 데 쓰입니다.",
        "The number they use themselves. It serves to see that nobody is booked twice.",
    ),
    "consent": ("동의", "Consent"),
    "consent_text": (
        (
            "접종받으실 분에게서 예약을 부탁받았으며, 예약에 필요한 성명·생년월일·휴대전화번호의 이용에 "
            "그분이 동의하였음을 확인합니다."
        ),
        (
            "I confirm that the person to be vaccinated asked me to book, and agrees to the use of their name, date of "
            "birth and phone number for this booking."
        ),
    ),
    "consent_check": ("위 내용을 확인하였습니다.", "I confirm this."),
    "consent_version": ("동의서 {version}", "Statement {version}"),
    "proxy_limit_note": (
        "한 분이 대신 예약할 수 있는 가족은 {limit}명까지입니다.",
        "One person can book for {limit} others at most.",
    ),
    "privacy": (
        (
            "입력하신 정보는 암호화하여 이 기기의 쿠키에만 담아 두며, 예약하시면 중복 예약을 막기 위한 암호화된 값, "
            "일부를 가린 성명(홍*동), 안내용 전화번호(암호화)만 보관합니다."
        ),
        (
            "What you enter is kept encrypted in a cookie on this device only. When you book, we store a keyed hash to "
            "see that nobody books twice, a masked name (K** M****) and an encrypted phone number for notices."
        ),
    ),
    "identify_button": ("확인하고 계속", "Confirm and continue"),
    "identify_wait": (
        "확인에는 몇 초가 걸릴 수 있습니다. 단추는 한 번만 눌러 주세요.",
        "This may take some seconds. Please press the button once.",
    ),
    "chosen": ("선택하신 일정", "Your choice"),
    "chosen_wait": ("대기 신청하실 날", "The day you want to wait for"),
    "kept": (
        "이 창에 입력하셨던 내용을 되살렸습니다. 확인하고 계속해 주세요.",
        "What you typed in this window has been filled in again. Please check it and go on.",
    ),
    "kept_by_browser": (
        "입력하시던 중에 대기실에 다녀오셨다면, 브라우저의 “뒤로”를 누르시면 입력하셨던 내용이 보통 그대로 있습니다.",
        "If the waiting room came in between, your browser's “back” usually brings back what you had typed.",
    ),
    "session_over": (
        "시간이 지나 본인 확인이 끝났습니다. 다시 확인해 주세요.",
        "Your identity confirmation has ended. Please confirm again.",
    ),
    # What is wrong with a field
    "errors_title": ("다음 항목을 확인해 주세요", "Please check the following"),
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
    "method_unknown": ("목록에 있는 본인 확인 수단을 선택해 주세요.", "Choose one of the ways listed."),
    "same_person": (
        "예약하시는 분과 같은 분입니다. 본인이 접종받으시면 “본인 예약”을 이용해 주세요.",
        "This is the person who books. To book for yourself, use “Book for myself”.",
    ),
    "consent_missing": (
        "접종받으실 분의 동의를 확인해 주세요.",
        "Confirm that the person to be vaccinated agrees.",
    ),
    "code_missing": ("예약번호를 입력해 주세요.", "Enter the booking code."),
    "day_bad": ("날짜를 YYYY-MM-DD 형식으로 적어 주세요.", "Write the date as YYYY-MM-DD."),
}
