"""Sunbeon carries HTTP as the standard says: every case of the table."""

import re

import pytest

from gateway.edge.tests.backend import Backend
from gateway.edge.tests.front import front
from gateway.tests.http.judge import judge
from gateway.tests.http.play import backend, play
from gateway.tests.http.requests import LIMIT
from gateway.tests.http.table import CASES, THEMES, TITLES

ROOM = {"name": "vaccine", "paths": ["/room"], "state": "passthrough"}


def test_the_table_is_what_it_says():
    cases = [case for theme in THEMES.values() for case in theme]
    assert len(cases) >= 150
    assert len(CASES) == len(cases), "two cases have the same name"
    assert [case.name for case in cases if not re.fullmatch(r"RFC \d{4} \d+(\.\d+)*", case.rfc)] == []


@pytest.mark.parametrize("key", CASES, ids=TITLES.get)
async def test_it_is_carried_as_the_standard_says(key, tmp_path):
    case = CASES[key]
    edge = {"max_body_bytes": LIMIT, "trusted_proxies": ["127.0.0.0/8"] if case.trusted else []}
    async with (
        backend(case) as behind,
        front(tmp_path, [Backend(port=behind.port)], rooms=[ROOM], edge=edge) as site,
    ):
        wrong = judge(case, await play(case, site.port, behind))
    assert not wrong, "\n".join(wrong)
