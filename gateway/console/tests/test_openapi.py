"""The OpenAPI document says what the operator API does: seen by a program that was made to find where such ones lie."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import pytest

from gateway.console.api import OPERATIONS, create_app
from gateway.console.tests.test_allowing import at
from gateway.console.tests.test_api import ask
from gateway.edge.tests.front import TOKEN
from gateway.tokens import Tokens

# Of data that fit the schema, these too are honest answers: a moment that has passed (409, 422), a place without a pass
# (404), a version that is not the newest (412) cannot be told from good ones by any schema.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 403, 404, 409, 412, 422, 428]
[checks.missing_required_header]
expected-statuses = [400, 401, 403, 406, 415, 422, 428]
[checks.negative_data_rejection]
expected-statuses = [400, 403, 404, 405, 409, 412, 413, 415, 422, 428]
"""
ROOT = Path(__file__).parents[3]
# More than the usual: `FUZZ_EXAMPLES=40 pytest gateway/console/tests/test_openapi.py`.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
PATIENCE_S = 400


async def test_every_route_is_described_and_every_operation_is_served(site):
    told = (await ask(site, "GET", "/api/openapi.json")).json()
    described = {(method.upper(), path) for path, each in told["paths"].items() for method in each}
    routes = create_app([], Tokens(None, "first")).router.routes()
    served = {(route.method, route.resource.canonical) for route in routes if route.resource is not None}
    assert described == {key for key in served if key[0] != "HEAD"}


async def test_it_names_the_rooms_there_are_and_the_role_that_each_operation_takes(site):
    told = (await ask(site, "GET", "/api/openapi.json")).json()
    reset = told["paths"]["/api/rooms/{room}/reset"]["post"]
    assert (reset["parameters"][0]["schema"]["enum"], reset["x-role"]) == (["north", "south"], "admin")
    assert "security" not in reset
    assert told["paths"]["/healthz"]["get"]["security"] == []


def test_the_manual_has_every_operation_with_its_role():
    manual = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([A-Z]+ /[^`]*)` \| (\w+) \|", manual, re.MULTILINE))
    assert told == {(f"{one.method} {one.path}", one.role or "open") for one in OPERATIONS}


def test_operations_have_names_of_their_own():
    names = [one.handler.__name__ for one in OPERATIONS]
    assert sorted(set(names)) == sorted(names)
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


@pytest.mark.slow
async def test_a_fuzzer_of_apis_finds_nothing(site, tmp_path, monkeypatch):
    """Schemathesis: examples, boundaries, wrong data, random data and sequences, all of its checks, as an admin."""
    # It tries without a token, and with wrong ones, more often than anybody types.
    monkeypatch.setattr("gateway.console.auth.FAILURES", 10**6)
    # It waits for the end of every answer.
    monkeypatch.setattr("gateway.console.events.ENDLESS", 1)
    monkeypatch.setattr("gateway.console.events.Feed.until_next_s", lambda _: 0)
    visitors = [site.visitor(room=room) for room in ("north", "south") for _ in range(5)]
    for visitor in visitors:
        await visitor.get("/n" if visitor.room == "north" else "/s")
        await visitor.status()
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps((await ask(site, "GET", "/api/openapi.json")).json()))
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    fuzzer = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "run", str(document)),
        *("--url", f"http://127.0.0.1:{site.operator_port}", "--header", f"Authorization: Bearer {TOKEN}"),
        *("--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "1907", "--no-color"),
        *("--generation-database", "none", "--continue-on-failure"),
        cwd=tmp_path,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "gateway.console.tests.api_hooks",
            "CONSOLE_TICKET": visitors[1].cookies["sunbeon_ticket_north"],
            "CONSOLE_LATER": at(days=20),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(PATIENCE_S):
            told = (await fuzzer.communicate())[0].decode()
    finally:
        if fuzzer.returncode is None:
            fuzzer.kill()
            await fuzzer.wait()
    assert fuzzer.returncode == 0, told[-20_000:]
    # A run that tested nothing would end well too.
    tested = re.search(r"(\d+) generated", told)
    assert tested, told[-2_000:]
    assert int(tested[1]) > 500
