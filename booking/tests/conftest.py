"""A booking site on a free port, a clock that is moved by hand, and keys to make passes with."""

import base64
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from booking.app import create_app
from booking.schedule import to_ms
from booking.settings import Settings
from shared.logs import JsonFormatter
from shared.passes import PassClaims, PassKey, sign
from shared.tests.personal import traces, traces_in_files
from shared.wire import PASS_HEADER, How

# Monday evening, when it all began.
START_MS = to_ms(datetime.fromisoformat("2021-07-19T20:00:00+09:00"))
SECRET = "a secret for tests, thirty-two bytes or more"
CHILD = {"name": "이하늘", "birth_date": "1995-11-30", "phone": "010-2468-1357"}
MOTHER = {"name": "김순자", "birth_date": "1967-05-14", "phone": "010-8765-4321"}
PERSON = {"name": "홍길동", "birth_date": "1968-03-02", "phone": "010-1234-5678"}


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def hmac_jwk(kid: str, fill: bytes = b"k") -> dict[str, str]:
    return {"kty": "oct", "kid": kid, "alg": "HS256", "k": b64url(fill * 32)}


def ed25519_jwks(kid: str) -> tuple[dict[str, str], dict[str, str]]:
    """The signing and the verifying half."""
    private = Ed25519PrivateKey.generate()
    x = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    d = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = {"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": "EdDSA", "x": b64url(x)}
    return public | {"d": b64url(d)}, public


@dataclass
class Clock:
    """Time stands still until a test moves it."""

    now_ms: int = START_MS

    def __call__(self) -> int:
        return self.now_ms

    def forward(self, *, seconds: int) -> None:
        self.now_ms += seconds * 1000


@dataclass
class Passes:
    """Makes passes as the gateway would."""

    clock: Clock
    key: PassKey
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def claims(self, **changes: Any) -> PassClaims:
        number = next(self.numbers)
        now_s = self.clock() // 1000
        values: dict[str, Any] = {
            "room": "vaccine",
            "pass_id": f"pass-{number}",
            "how": How.LINE,
            "epoch": 1,
            "number": number,
            "place": number,
            "rule": None,
            "settings_version": 7,
            "issued_s": now_s,
            "expires_s": now_s + 60,
        }
        return PassClaims(**(values | changes))

    def header(self, **changes: Any) -> dict[str, str]:
        return {PASS_HEADER: sign(self.claims(**changes), self.key)}


@dataclass
class Site:
    """A running site and a client of it."""

    server: TestServer
    client: aiohttp.ClientSession
    clock: Clock
    passes: Passes
    settings: Settings

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, Any, Any]:
        """Status, headers, and the body: parsed if JSON, else text."""
        options.setdefault("allow_redirects", False)
        async with self.client.request(method, self.server.make_url(path), **options) as response:
            body: Any = await response.read()
            is_json = "json" in response.content_type
            return response.status, response.headers, json.loads(body) if is_json else body.decode()

    async def get(self, path: str, **options: Any) -> tuple[int, Any, Any]:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> tuple[int, Any, Any]:
        return await self.request("POST", path, **options)

    async def first_slot(self) -> dict[str, Any]:
        _, _, body = await self.get("/api/slots", headers=self.passes.header())
        slot: dict[str, Any] = body["slots"][0]
        return slot

    async def identify(self, headers: dict[str, str], **changes: Any) -> tuple[int, Any, Any]:
        return await self.post("/api/identity", headers=headers, json={"method": "carrier", **PERSON, **changes})

    async def hold(self, headers: dict[str, str], slot_id: int, **changes: Any) -> tuple[int, Any, Any]:
        status, answered, body = await self.identify(headers, **changes)
        if status != 201:
            return status, answered, body
        return await self.post("/api/holds", headers=headers, json={"slot_id": slot_id, "identity": body["identity"]})

    async def book(self, headers: dict[str, str], slot_id: int, **changes: Any) -> dict[str, Any]:
        status, _, held = await self.hold(headers, slot_id, **changes)
        assert status == 201, held
        booked: dict[str, Any]
        status, _, booked = await self.post(f"/api/holds/{held['hold_id']}/confirm", headers=headers)
        assert status == 201, booked
        return booked

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(self.settings.booking.request_log).read_text().splitlines()]


@pytest.fixture(autouse=True)
def logs_name_nobody(tmp_path, caplog):
    """Whatever a test does: nothing of the people in it is in what was logged, and more is than a program would."""
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.DEBUG, logger="booking")
    yield
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    text = "\n".join(JsonFormatter().format(record) for record in records)
    assert traces(text) == []
    assert traces_in_files(tmp_path, "*.jsonl", "*.log", "*.out") == {}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jwk() -> dict[str, str]:
    return hmac_jwk("k1")


@pytest.fixture
def passes(clock, jwk) -> Passes:
    return Passes(clock, PassKey.from_jwk(jwk))


@pytest.fixture
def make_settings(tmp_path, jwk) -> Callable[..., Settings]:
    def make(**changes: Any) -> Settings:
        keys = tmp_path / "keys.json"
        if not keys.exists():
            keys.write_text(json.dumps({"keys": [jwk]}))
        values = {
            "database": f"sqlite+aiosqlite:///{tmp_path}/booking.db",
            "backend_keys": keys,
            "secret_file": tmp_path / "secret",
            "request_log": str(tmp_path / "requests.jsonl"),
            "rules": "everyone",
            "identity": {"carrier": {"latency_ms": 0}, "certificate": {"latency_ms": 0}},
            **changes,
        }
        return Settings.model_validate({"booking": values})

    return make


@pytest.fixture
async def start(clock, passes, make_settings) -> AsyncIterator[Callable[..., Any]]:
    """Starts sites with changed settings, and stops them at the end."""
    running: list[Site] = []

    async def run(*, provider: Any = None, **changes: Any) -> Site:
        settings = make_settings(**changes)
        server = TestServer(create_app(settings, clock=clock, secret=SECRET, identity=provider))
        await server.start_server(access_log=None)
        client = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        running.append(Site(server, client, clock, passes, settings))
        return running[-1]

    yield run
    for site in running:
        await site.client.close()
        await site.server.close()


@pytest.fixture
async def site(start):
    return await start()
