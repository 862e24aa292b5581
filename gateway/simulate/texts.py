"""Every sentence of a simulated evening's report, in Korean and in English; both tables have the same keys."""

from collections.abc import Mapping
from typing import Final

KO: Final[Mapping[str, str]] = {
    "language": "한국어",
    "heading": "2021년 7월 19일 가상 재현 보고서",
    "about": "실제 운영 규칙과 실제 저장소({store})로 가상 시간에서 재현한 결과입니다. 방문자는 모형이며, "
    "시각별 접속자 수와 이용 시간 등은 가정한 값입니다. 게이트웨이 {gateways}대, 한 단계 {step}ms.",
    "holds": "모든 점검 항목 이상 없음",
    "broken": "{when}에 점검 항목 '{check}' 위반: {told}",
    "course": "시간에 따른 경과",
    "marks": "세로선: 1 시작(20:00), 2 장애 및 연기(20:48), 3 재개(22:00). 배속 실행에서는 시각이 다를 수 있습니다.",
    "chart_line": "대기 인원 (명)",
    "chart_inside": "동시 이용 인원 (명)",
    "chart_flow": "분당 입장 (명)",
    "chart_polls": "초당 상태 확인 요청 (건)",
    "chart_waits": "안내한 대기 시간과 실제 대기 시간, 중앙값 (분)",
    "line_waiting": "번호 기준 대기",
    "line_present": "화면을 열어 둔 사람",
    "line_live": "이용 중",
    "line_ceiling": "한도",
    "line_admitted": "입장",
    "line_outflow": "설정된 입장 속도",
    "line_polls": "안내한 간격대로",
    "line_sampled": "표본으로 추정",
    "line_fixed": "5초마다 확인한다면",
    "line_low": "안내한 최소",
    "line_high": "안내한 최대",
    "line_true": "실제",
    "said": "{name}: 최대 {most} ({when})",
    "totals": "집계",
    "estimates": "대기 시간 안내의 정확도 (표본)",
    "cheats": "우회 시도 (모두 차단)",
    "cheats_stopped": "차단한 단계",
    "polls_by_wait": "안내한 대기 시간별 상태 확인 요청",
    "checks": "매 단계 점검한 항목과 횟수",
    "budget": "줄 길이에 따른 초당 상태 확인 요청",
    "budget_text": "입장 유효 시간이 5분인 경우, 간격은 예상 대기 시간의 8분의 1입니다. 대기 시간이 가장 긴 "
    "간격의 8배({horizon})를 넘지 않는 줄에서는 요청 수가 줄 길이의 로그에 비례하고(결정계수 {r2}), 그보다 뒤의 "
    "사람은 {longest}초에 한 번씩 확인하므로 그 인원에 비례하여 늘어납니다.",
    "budget_head": "분당 입장|대기 인원|초당 요청|5초마다라면|비율",
    "hasty": "안내를 무시하고 0.1초마다 확인하는 프로그램",
    "hasty_text": "표마다 초당 {rate}건까지만 답하고 나머지는 짧게 거절(429)합니다. 순번은 그대로입니다.",
    "hasty_head": "프로그램 수|초당 요청|답하는 요청|모두 답할 때 코어|코어",
    "capacity": "대기 인원별 필요 규모",
    "capacity_text": "가장 바쁜 1초의 요청 수에 요청 한 건의 비용을 곱하고 {headroom:g}배의 여유를 두었습니다. "
    "게이트웨이는 {cores}코어 기준이며 예비 {spare}대를 포함합니다. 저장소는 한 코어의 {part:.0%}까지 쓰는 것을 "
    "기준으로 합니다. 비용의 출처: {source}",
    "capacity_head": "대기 인원|상태 확인/초|번호 발급/초|전달/초|코어|게이트웨이|저장소 코어",
    "spent": "소요: {wall}초 (프로그램 CPU {program}초, 저장소 서버 CPU {server}초). 결과 요약값 {digest}",
}

EN: Final[Mapping[str, str]] = {
    "language": "English",
    "heading": "19 July 2021, played in virtual time",
    "about": "The real policy before a real store ({store}), in virtual time. The crowd is a model: how many came in "
    "which minute and how long they stayed is assumed. {gateways} gateways, steps of {step} ms.",
    "holds": "every check held",
    "broken": "at {when} the check '{check}' was broken: {told}",
    "course": "Course",
    "marks": "Lines across: 1 the opening, 2 the failure and the postponement, 3 it opens again.",
    "chart_line": "In line (people)",
    "chart_inside": "Inside (people)",
    "chart_flow": "Admitted per minute (people)",
    "chart_polls": "Polls per second",
    "chart_waits": "Wait as told and as it was, medians (minutes)",
    "line_waiting": "waiting, by numbers",
    "line_present": "with the page still open",
    "line_live": "inside",
    "line_ceiling": "ceiling",
    "line_admitted": "admitted",
    "line_outflow": "outflow as set",
    "line_polls": "as told",
    "line_sampled": "by the sample",
    "line_fixed": "every five seconds",
    "line_low": "told, at least",
    "line_high": "told, at most",
    "line_true": "as it was",
    "said": "{name}: at most {most} ({when})",
    "totals": "Totals",
    "estimates": "Estimates shown, in the sample",
    "cheats": "Tricks tried; none of them got in",
    "cheats_stopped": "Stopped by",
    "polls_by_wait": "Polls by the wait that was told",
    "checks": "Checks, and how often they were made",
    "budget": "Polls per second by the length of the line",
    "budget_text": "The pause is an eighth of the wait. As long as that is no longer than eight of the longest "
    "pauses, with a claim window of five minutes ({horizon}), polls grow with the logarithm of the line (r2 {r2}); "
    "everyone behind that asks every {longest} s, so that from there they grow with the people.",
    "budget_head": "outflow/min|waiting|polls/s|every 5 s|of that",
    "hasty": "Programs that ask every 100 ms, whatever they are told",
    "hasty_text": "Each ticket is answered {rate} times a second in the long run; the rest is told off (429). No place "
    "is lost.",
    "hasty_head": "programs|asks/s|answered/s|cores if all were|cores",
    "capacity": "What a line takes",
    "capacity_text": "The fullest second of each kind of request, times what one costs, times {headroom:g} for "
    "headroom. Gateways of {cores} cores, with {spare} to spare. The store is one core, of which a room should take "
    "{part:.0%} at most. Costs: {source}",
    "capacity_head": "waiting|polls/s|joins/s|forwards/s|cores|gateways|store's core",
    "spent": "Took {wall} s (processors: {program} s the program, {server} s the store's server). Digest {digest}",
}

TEXTS: Final[Mapping[str, Mapping[str, str]]] = {"ko": KO, "en": EN}
