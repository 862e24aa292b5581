"""Any aiohttp application is closed to whoever did not come through the gate, by three lines of its own."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from shared.admission import CLAIMS, require_pass
from shared.passes import KeyFileError, PassClaims, PassKey, sign
from shared.wire import PASS_HEADER, PROBLEM_JSON, How

NOW_S = 1_626_692_400
JWK = {"kty": "oct", "kid": "k1", "alg": "HS256", "k": "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s"}
OTHER = {**JWK, "k": "eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHg"}


def header(jwk: Any = JWK, **changes: Any) -> dict[str, str]:
    values: dict[str, Any] = {
        "room": "vaccine",
        "pass_id": "p1",
        "how": How.LINE,
        "epoch": 1,
        "number": 7,
        "place": 7,
        "rule": None,
        "settings_version": 1,
        "issued_s": NOW_S,
        "expires_s": NOW_S + 60,
    }
    return {PASS_HEADER: sign(PassClaims(**(values | changes)), PassKey.from_jwk(jwk))}


async def hello(request: web.Request) -> web.Response:
    return web.json_response({"number": request[CLAIMS].number} if CLAIMS in request else {})


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "backend-keys.json"
    path.write_text(json.dumps({"keys": [JWK]}))
    return path


@pytest.fixture
async def client(keys: Path) -> AsyncIterator[TestClient[Any, Any]]:
    guard = require_pass(keys, rooms=["vaccine"], clock=lambda: NOW_S * 1000)
    app = web.Application(middlewares=[guard])
    app.add_routes([web.get("/healthz", hello), web.get("/{rest:.*}", hello)])
    async with TestClient(TestServer(app)) as client:
        yield client


async def test_a_live_pass_gets_in_and_says_who_it_is(client):
    async with client.get("/book", headers=header()) as answer:
        assert (answer.status, await answer.json()) == (200, {"number": 7})


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({}, "missing"),
        ({PASS_HEADER: "x"}, "malformed"),
        (header(OTHER), "forged"),
        (header(expires_s=NOW_S - 10, issued_s=NOW_S - 70), "expired"),
        (header(issued_s=NOW_S + 30), "forged"),
        (header(room="other"), "wrong_room"),
    ],
)
@pytest.mark.parametrize("path", ["/book", "/", "/healthz/", "/nowhere", "/healthz%2F..%2Fbook"])
async def test_nobody_else_does(client, headers, kind, path):
    async with client.get(path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (403, PROBLEM_JSON)
        assert (await answer.json())["kind"] == kind


async def test_of_two_passes_none_counts(client):
    """Should the request have come around the gate, the second could be another visitor's."""
    good = header()[PASS_HEADER]
    async with client.get("/book", headers=[(PASS_HEADER, good), (PASS_HEADER, good)]) as answer:
        assert answer.status == 403


async def test_only_the_open_path_needs_no_pass(client):
    async with client.get("/healthz") as answer:
        assert (answer.status, await answer.json()) == (200, {})
    async with client.post("/healthz") as answer:
        assert answer.status == 403


async def test_new_keys_count_without_a_restart(client, keys):
    keys.write_text(json.dumps({"keys": [JWK, {**OTHER, "kid": "k2"}]}))
    async with client.get("/book", headers=header({**OTHER, "kid": "k2"})) as answer:
        assert answer.status == 200


def test_without_keys_an_application_does_not_start(tmp_path):
    with pytest.raises(KeyFileError):
        require_pass(tmp_path / "none.json")


async def test_an_application_may_answer_in_its_own_way(keys, tmp_path):
    async def refuse(_request: web.Request, error: Exception) -> web.StreamResponse:
        return web.Response(status=401, text=type(error).__name__)

    app = web.Application(middlewares=[require_pass(keys, refuse=refuse)])
    async with TestClient(TestServer(app)) as client, client.get("/") as answer:
        assert isinstance(answer, aiohttp.ClientResponse)
        assert (answer.status, await answer.text()) == (401, "PassMissing")
