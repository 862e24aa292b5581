"""The booking site as a real process, on a port and in a folder of its own, with passes such as the gateway makes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from booking.tests.conftest import PERSON, hmac_jwk
from shared.passes import PassClaims, PassKey, sign
from shared.tests.personal import traces_in_files
from shared.wire import PASS_HEADER, How

# Far more than anything takes: a machine under load must not fail a test.
PATIENCE_S: Final = 30.0
LOOK_S: Final = 0.02
_READY: Final = re.compile(r"booking: (http://\S+)")


class Program:
    """`with Program(folder) as site:` runs `python -m booking run`; leaving it stops it and looks through its logs.

    settings: of the section `[booking]`.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.url = ""
        jwk = hmac_jwk("k1")
        self._key = PassKey.from_jwk(jwk)
        self._numbers = 0
        self._output = folder / "booking.out"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "keys.json").write_text(json.dumps({"keys": [jwk]}))
        values = {
            "listen": "127.0.0.1:0",
            "database": f"sqlite+aiosqlite:///{folder}/booking.db",
            "backend_keys": str(folder / "keys.json"),
            "secret_file": str(folder / "secret"),
            "request_log": str(folder / "requests.log"),
            **settings,
        }
        self._config = folder / "sunbeon.toml"
        self._config.write_text("[booking]\n" + "".join(f"{name} = {_toml(value)}\n" for name, value in values.items()))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.stop()
        told = traces_in_files(self.folder, "*.log", "*.out")
        if error is None and told:
            raise AssertionError(f"people's data in logs: {told}")

    def start(self) -> None:
        begun = self._output.stat().st_size if self._output.exists() else 0
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "booking", "run", "--config", str(self._config)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={name: value for name, value in os.environ.items() if not name.startswith("SUNBEON_")},
            )
        deadline = time.monotonic() + PATIENCE_S
        while True:
            text = self._output.read_bytes()[begun:].decode(errors="replace")
            if ready := _READY.search(text):
                self.url = ready[1]
                return
            assert self._process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(LOOK_S)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                raise
        self._process = None

    def kill(self) -> None:
        """As a power cut would: no signal it could heed."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def sign(self, *, lasts: timedelta = timedelta(minutes=1), **changes: Any) -> str:
        """The pass of a new visitor, or of the one that `changes` names."""
        self._numbers += 1
        now_s = int(time.time())
        values: dict[str, Any] = {
            "room": "vaccine",
            "pass_id": f"pass-{self._numbers}",
            "how": How.LINE,
            "epoch": 1,
            "number": self._numbers,
            "place": self._numbers,
            "rule": None,
            "settings_version": 1,
            "issued_s": now_s,
            "expires_s": now_s + int(lasts.total_seconds()),
        }
        return sign(PassClaims(**(values | changes)), self._key)

    def ask(
        self, method: str, path: str, *, body: Mapping[str, Any] | None = None, visitor: str | None = None
    ) -> tuple[int, bytes]:
        """Status and body. visitor: their pass; None: somebody new."""
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        connection = HTTPConnection(parts.hostname, parts.port, timeout=PATIENCE_S)
        headers = {PASS_HEADER: visitor or self.sign(), "Content-Type": "application/json"}
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def identify(self, person: Mapping[str, str] = PERSON, *, visitor: str | None = None) -> str:
        status, body = self.ask("POST", "/api/identity", body={"method": "carrier", **person}, visitor=visitor)
        assert status == 201, body
        return str(json.loads(body)["identity"])


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + "}"
    return json.dumps(value)
