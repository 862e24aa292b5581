"""Every sentence of the report, in Korean and in English; both tables have the same keys (a test sees to it)."""

from collections.abc import Mapping
from typing import Final

KO: Final[Mapping[str, str]] = {
    "language": "한국어",
    "heading": "접속 대기 운영 결과 보고서",
    "period": "대상 기간",
    "range": "{begins}부터 {ends}까지",
    "made": "작성 시각",
    "room": "대기실",
    "summary": "요약",
    "admitted": "입장",
    "arrivals": "대기 번호 발급",
    "median_wait": "대기 시간 중앙값",
    "p95_wait": "95%가 입장한 대기 시간",
    "most_waiting": "최대 대기 인원",
    "most_inside": "최대 동시 이용 / 한도",
    "refused": "거절된 요청",
    "unqueued": "대기 없이 통과한 요청",
    "no_shows": "호출 후 미입장",
    "log_holds": "감사 기록 검증",
    "holds": "이상 없음",
    "holds_not": "이상 발견",
    "no_log": "기록 없음",
    "unknown": "알 수 없음",
    "no_history": "이 기간의 운영 이력이 없어 그래프와 집계 일부를 표시하지 않았습니다.",
    "course": "시간에 따른 경과",
    "chart_flow": "분당 발급과 입장 (명)",
    "chart_line": "대기 인원 (명)",
    "chart_inside": "동시 이용 인원 (명)",
    "chart_waits": "대기 시간 (분)",
    "chart_lost": "분당 미입장, 만료, 포기 (명)",
    "chart_refused": "분당 거절 및 서버 오류 (건)",
    "chart_latency": "예약 서버 응답 시간 (ms)",
    "line_outflow": "설정된 입장 속도",
    "line_waiting": "번호 기준 대기",
    "line_people": "실제로 기다리는 사람",
    "line_live": "이용 중",
    "line_ceiling": "한도",
    "line_median": "실제 대기 (중앙값)",
    "line_p95": "실제 대기 (95%)",
    "line_told": "마지막 대기자에게 안내한 최대",
    "line_expired": "이용 시간 만료",
    "line_left": "대기 포기",
    "line_backend": "예약 서버 오류",
    "line_latency_p50": "중앙값",
    "line_latency_p95": "95%",
    "chart_said": "{name}: 최대 {most} ({when})",
    "chart_marks": "세로선의 번호는 아래 '설정 변경과 조치'의 번호입니다.",
    "waits": "대기 시간",
    "waits_text": "대기 번호를 받은 때부터 입장할 때까지의 시간입니다. 시작 전에 기다린 시간을 포함하며, "
    "호출 시간이 지난 뒤에 온 사람은 제외하였습니다.",
    "waits_row": "{percent}%가 이 시간 안에 입장",
    "waits_row_all": "가장 오래 기다린 사람",
    "waits_none": "대기 시간이 기록된 입장이 없습니다.",
    "order": "입장 순서",
    "order_text": "함께 호출된 사람들은 각자 화면이 갱신되는 때에 입장하므로 가까운 순번끼리는 "
    "순서가 바뀔 수 있습니다. 그러나 호출은 순번대로 이루어지고 호출 후 정해진 시간 안에만 입장할 수 있으므로, "
    "그 시간 동안 호출된 인원({apart}명)보다 더 뒤에 있던 사람이 먼저 입장하는 일은 없어야 합니다. "
    "호출 시간이 지난 뒤에 온 사람은 따로 집계합니다.",
    "order_measured": "기준 인원은 이 기간에 한 호출 시간 동안 가장 많이 호출된 인원입니다.",
    "order_given": "기준 인원은 보고서를 만들 때 정한 값입니다.",
    "order_admissions": "순서대로 입장한 사람",
    "order_overtaken": "바로 뒤 순번을 포함하여 누군가 먼저 입장한 사람",
    "order_furthest": "가장 크게 바뀐 순번 차이",
    "order_apart": "{apart}명보다 더 뒤에 있던 사람이 먼저 입장한 사람",
    "order_pairs": "위에 해당하는 순서 뒤바뀜(쌍)",
    "how": "입장 경로",
    "direct": "대기 없이 바로 입장",
    "line": "대기 후 순서대로 입장",
    "late_lane": "호출 시간이 지난 뒤 입장",
    "completed": "이용을 마침",
    "expired": "이용 시간 만료",
    "left": "스스로 나감",
    "refusals": "거절 사유",
    "refusals_text": "'집계'는 정확한 횟수이며, '기록'은 감사 기록의 줄 수입니다. "
    "요청이 폭주하면 일부는 기록되지 않습니다.",
    "counted": "집계",
    "logged": "기록",
    "none": "없음",
    "forged": "위조되었거나 손상된 값",
    "old_epoch": "초기화 이전의 번호",
    "closed": "마감 후 접속",
    "sold_out": "수량 소진 후 접속",
    "full": "대기 없이 마감",
    "early": "시작 전 접속",
    "exempt": "대기열을 거치지 않은 통과",
    "exempt_text": "운영자가 정한 예외 규칙, 대기 해제, 또는 저장소 장애 시의 설정에 따른 것입니다. "
    "사람 수가 아니라 요청 수입니다.",
    "passthrough": "대기 해제 (전원 통과)",
    "fail_open": "저장소 장애 중 통과",
    "grace": "저장소 장애 중 기존 이용자의 계속 이용",
    "estimates": "예상 대기 시간의 정확도",
    "estimates_text": "화면에 안내한 예상 시간 가운데 표본을 실제와 비교한 결과입니다. "
    "운영자가 설정을 바꾼 경우는 따로 집계합니다.",
    "within": "안내한 범위 안",
    "earlier": "안내보다 빠름",
    "later": "안내보다 늦음",
    "changed": "설정 변경으로 비교 제외",
    "estimates_rate": "범위 안에 든 비율",
    "changes": "설정 변경과 조치",
    "changes_none": "이 기간에 설정 변경이나 조치가 없었습니다.",
    "changes_more": "이 밖에 {n}건이 더 있습니다.",
    "time": "시각",
    "by": "담당",
    "by_said": "{name} (본인 진술)",
    "what": "내용",
    "event_settings": "설정 변경",
    "event_postponed": "시작 시각 연기",
    "event_reset": "대기열 초기화",
    "event_sold_out": "수량 소진",
    "evidence": "기록의 검증",
    "evidence_text": "입장과 조치의 기록은 앞줄의 해시로 서로 이어져 있어, 고치거나 지우거나 순서를 바꾸면 드러납니다.",
    "log_count": "감사 기록의 입장",
    "counter_count": "집계된 입장",
}

EN: Final[Mapping[str, str]] = {
    "language": "English",
    "heading": "Report on the waiting room",
    "period": "Period",
    "range": "{begins} to {ends}",
    "made": "Made",
    "room": "Room",
    "summary": "Summary",
    "admitted": "Admitted",
    "arrivals": "Numbers issued",
    "median_wait": "Median wait",
    "p95_wait": "95 % were in within",
    "most_waiting": "Most waiting at once",
    "most_inside": "Most inside / ceiling",
    "refused": "Requests refused",
    "unqueued": "Requests past the line",
    "no_shows": "Called, did not come",
    "log_holds": "Audit log",
    "holds": "verified",
    "holds_not": "DOES NOT HOLD",
    "no_log": "none given",
    "unknown": "not known",
    "no_history": "No history was kept of this time: charts and some counts are missing.",
    "course": "The course of it",
    "chart_flow": "Numbers issued and people admitted, a minute",
    "chart_line": "People waiting",
    "chart_inside": "People inside",
    "chart_waits": "Waits, in minutes",
    "chart_lost": "No-shows, expiries, people leaving, a minute",
    "chart_refused": "Refusals and backend errors, a minute",
    "chart_latency": "Backend's response time, ms",
    "line_outflow": "outflow as set",
    "line_waiting": "by numbers",
    "line_people": "still there",
    "line_live": "inside",
    "line_ceiling": "ceiling",
    "line_median": "real wait, median",
    "line_p95": "real wait, 95 %",
    "line_told": "most told to the last in line",
    "line_expired": "sessions expired",
    "line_left": "left",
    "line_backend": "backend errors",
    "line_latency_p50": "median",
    "line_latency_p95": "95 %",
    "chart_said": "{name}: at most {most} ({when})",
    "chart_marks": "Numbers on the vertical lines are those of “Settings and actions” below.",
    "waits": "Waits",
    "waits_text": "From getting the queue number to being let in. Time waited before an opening is part of it; "
    "people who came after their claim window are not in it.",
    "waits_row": "{percent} % were in within",
    "waits_row_all": "The longest wait",
    "waits_none": "No admission has its wait on record.",
    "order": "Order",
    "order_text": "People who are called together come in when their pages ask, so neighbours in the line may "
    "overtake one another. But places are called in order, and can be claimed for a limited time only: nobody may come "
    "in before somebody more than {apart} places in front, which is how many were called in that time. People who "
    "came after their claim window are counted apart.",
    "order_measured": "The distance is the most places called within one claim window in this period.",
    "order_given": "The distance was set when this report was made.",
    "order_admissions": "Admitted in time",
    "order_overtaken": "Overtaken by anybody, the next in line included",
    "order_furthest": "Furthest overtaken, in places",
    "order_apart": "Overtaken by somebody more than {apart} places behind",
    "order_pairs": "Such pairs out of order",
    "how": "How people came in",
    "direct": "at once, nobody was waiting",
    "line": "from the line, in order",
    "late_lane": "after their claim window",
    "completed": "finished",
    "expired": "session expired",
    "left": "left by themselves",
    "refusals": "Refusals",
    "refusals_text": "“Counted” is exact; “logged” are lines of the audit log, which in a flood has not all of them.",
    "counted": "Counted",
    "logged": "Logged",
    "none": "none",
    "forged": "forged or damaged",
    "old_epoch": "from before a reset",
    "closed": "closed",
    "sold_out": "sold out",
    "full": "full, no line",
    "early": "before the opening",
    "exempt": "Past the line",
    "exempt_text": "By a rule of the operators', in passthrough, or as set for an outage of the store. "
    "Requests are counted, not people.",
    "passthrough": "passthrough: everybody goes through",
    "fail_open": "let in while the store was away",
    "grace": "people inside went on while the store was away",
    "estimates": "How good the estimates were",
    "estimates_text": "A sample of the waits shown, against what they turned out to be. "
    "Those that operators changed meanwhile are counted apart.",
    "within": "within the range shown",
    "earlier": "earlier",
    "later": "later",
    "changed": "settings changed meanwhile",
    "estimates_rate": "Within the range",
    "changes": "Settings and actions",
    "changes_none": "Nothing was changed in this period.",
    "changes_more": "… and {n} more.",
    "time": "Time",
    "by": "By",
    "by_said": "{name} (as said)",
    "what": "What",
    "event_settings": "settings",
    "event_postponed": "opening postponed",
    "event_reset": "line begun anew",
    "event_sold_out": "sold out",
    "evidence": "The evidence",
    "evidence_text": "Each line of the log holds the hash of the one before it: "
    "what was altered, dropped or moved shows.",
    "log_count": "Admissions in the audit log",
    "counter_count": "Admissions counted",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {"ko": KO, "en": EN}


def count(number: float | None, language: str) -> str:
    return TEXTS[language]["unknown"] if number is None else f"{round(number):,}"


def short(number: float, language: str) -> str:
    """A number for an axis."""
    units = ((1e8, "억"), (1e4, "만")) if language == "ko" else ((1e6, "M"), (1e3, "k"))
    for size, unit in units:
        if number >= size * (10 if unit == "k" else 1):
            return f"{number / size:,.4g}{unit}"
    return f"{number:,.4g}"


def duration(seconds: float, language: str) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    h, m, s = ("시간", "분", "초") if language == "ko" else (" h", " min", " s")
    if hours:
        return f"{hours:,}{h} {minutes}{m}"
    return f"{minutes}{m} {left}{s}" if minutes else f"{left}{s}"


def percent(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else "-"
