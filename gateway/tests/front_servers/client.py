"""A visitor by HTTP/2: the system's curl, which knows nothing of this project."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.edge.tests.tls.certificates import HOST
from gateway.tests.stand import PATIENCE_S
from shared.wire import GATE_HEADER


@dataclass(frozen=True, slots=True)
class Answer:
    """version: of HTTP, between the visitor and the front server. gate: the gate's word, None from the backend."""

    version: str
    status: int
    headers: dict[str, list[str]]
    body: bytes

    @property
    def gate(self) -> str | None:
        return next(iter(self.headers.get(GATE_HEADER.lower(), ())), None)

    def json(self) -> Any:
        return json.loads(self.body)

    def sent(self, name: str) -> list[str]:
        """A header as the backend says that it got it."""
        return [value for found, value in self.json()["headers"] if found == name]


@dataclass(frozen=True, slots=True)
class Browser:
    curl: str
    port: int
    address: str
    jar: Path

    def command(self, target: str, *more: str, scheme: str = "https", port: int | None = None) -> list[str]:
        port = port or self.port
        common = ["--silent", "--show-error", "--insecure", "--path-as-is", "--max-time", f"{PATIENCE_S:g}"]
        where = ["--resolve", f"{HOST}:{port}:127.0.0.1", "--interface", self.address]
        cookies = ["--cookie", str(self.jar), "--cookie-jar", str(self.jar)]
        return [self.curl, *common, *where, *cookies, *more, f"{scheme}://{HOST}:{port}{target}"]

    def leave(self) -> None:
        """Give up the place, or the pass, if there is one."""
        self.ask("/_sunbeon/vaccine/leave", "--request", "POST")

    def ask(self, target: str, *more: str, scheme: str = "https", port: int | None = None) -> Answer:
        """One request; `more` are curl's own options."""
        written = ["--dump-header", str(self.jar.with_suffix(".head")), "--write-out", "%{http_version}"]
        self.jar.touch()
        done = subprocess.run(
            self.command(target, *written, *more, scheme=scheme, port=port), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        blocks = self.jar.with_suffix(".head").read_text("latin-1").replace("\r\n", "\n").rstrip("\n").split("\n\n")
        first, *lines = blocks[-1].split("\n")
        headers: dict[str, list[str]] = {}
        for name, _, value in (line.partition(":") for line in lines):
            headers.setdefault(name.lower(), []).append(value.strip())
        body, version = _split(done.stdout)
        return Answer(version, int(first.split(" ")[1]), headers, body)


def _split(output: bytes) -> tuple[bytes, str]:
    """The body, and the version that curl writes behind it: `2`, `1.1`."""
    for version in ("1.1", "2"):
        if output.endswith(version.encode()):
            return output.removesuffix(version.encode()), version
    raise AssertionError(output[-20:])
