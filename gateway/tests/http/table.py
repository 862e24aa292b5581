"""All cases, by theme and name."""

from typing import Final

from gateway.tests.http import answers, headers, requests, smuggling, targets, upgrades
from gateway.tests.http.case import Case

THEMES: Final = {
    "requests": requests.CASES,
    "targets": targets.CASES,
    "headers": headers.CASES,
    "answers": answers.CASES,
    "smuggling": smuggling.CASES,
    "upgrades": upgrades.CASES,
}
CASES: Final[dict[str, Case]] = {f"{theme}: {case.name}": case for theme, cases in THEMES.items() for case in cases}
TITLES: Final = {key: f"{key} ({case.rfc})" for key, case in CASES.items()}
