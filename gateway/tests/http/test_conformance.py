"""Sunbeon carries HTTP as the standard says: every case of the table, on the event loop that workers run on."""

import asyncio
import re

import pytest
import uvloop

from gateway.edge.tests.backend import Backend
from gateway.edge.tests.front import front
from gateway.tests.http.judge import judge
from gateway.tests.http.play import SWITCHED, Outcome, backend, play
from gateway.tests.http.requests import LIMIT
from gateway.tests.http.table import CASES, THEMES, TITLES

ROOM = {"name": "vaccine", "paths": ["/room"], "state": "passthrough"}


def test_the_table_is_what_it_says():
    cases = [case for theme in THEMES.values() for case in theme]
    assert len(cases) >= 150
    assert len(CASES) == len(cases), "two cases have the same name"
    assert [case.name for case in cases if not re.fullmatch(r"RFC \d{4} \d+(\.\d+)*", case.rfc)] == []


@pytest.mark.parametrize("key", CASES, ids=TITLES.get)
def test_it_is_carried_as_the_standard_says(key, tmp_path):
    case = CASES[key]
    edge = {"max_body_bytes": LIMIT, "trusted_proxies": ["127.0.0.0/8"] if case.trusted else []}

    async def carry() -> Outcome:
        async with (
            backend(case) as behind,
            front(tmp_path, [Backend(port=behind.port)], rooms=[ROOM], edge=edge) as site,
        ):
            return await play(case, site.port, behind)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(carry())
    wrong = judge(case, outcome)
    assert not wrong, "\n".join(wrong)
    # Said once, if need be by whoever passes an answer on; nginx leaves that to its settings.
    undated = [
        answer.start for answer in outcome.answers if answer.status != SWITCHED and len(answer.all(b"Date")) != 1
    ]
    assert undated == [], "RFC 9110 6.6.1"
