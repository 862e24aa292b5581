"""Real front servers, run with the configurations we ship. Only addresses, ports and the certificate are put in."""

import getpass
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import pytest

from gateway.edge.tests.tls.certificates import HOST
from gateway.tests.stand import PATIENCE_S, DidNotHappen, until

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
REQUIRED: Final = bool(os.environ.get("CI"))


def program(name: str, *more: str) -> str:
    """The path of a program. Where it is missing, the test is skipped with a loud line; in CI it fails."""
    found = shutil.which(name) or next((path for path in more if Path(path).exists()), None)
    if found is None:
        if REQUIRED:
            pytest.fail(f"{name} is missing: apt-get install {name}")
        pytest.skip(f"FRONT SERVER TESTS SKIPPED: no {name} on this machine (apt-get install {name})")
    return found


class FrontServer:
    """A front server before the gateway at `url`, in a folder with `cert.pem` and `key.pem`; serves while in a `with`.

    port: where visitors come by HTTPS; plain_port: by HTTP.
    """

    name: str

    def __init__(self, folder: Path, url: str) -> None:
        self._program = self._find()
        self._folder = folder
        self._gateway = urlsplit(url).netloc
        self.port, self.plain_port = _free_port(), _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._write()
        with (self._folder / f"{self.name}.out").open("wb") as output:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self._folder,
                env=self._environ(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        process = self._process

        def serves() -> bool:
            if process.poll() is not None:
                raise DidNotHappen(f"{self.name} ended with code {process.returncode}:\n{self.output()}")
            return _answers(self.port) and _answers(self.plain_port)

        try:
            until(serves, f"{self.name} serves")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def output(self) -> str:
        return (self._folder / f"{self.name}.out").read_text(errors="replace")

    def check(self) -> subprocess.CompletedProcess[str]:
        """What the server itself says of its configuration."""
        self._write()
        return subprocess.run(
            self._checking(), cwd=self._folder, env=self._environ(), capture_output=True, text=True, check=False
        )

    def _environ(self) -> dict[str, str]:
        # Caddy keeps its state below the home folder.
        return {"PATH": os.environ["PATH"], "HOME": str(self._folder)}

    def _find(self) -> str:
        raise NotImplementedError

    def _write(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def _checking(self) -> list[str]:
        raise NotImplementedError


class Nginx(FrontServer):
    name = "nginx"

    def _find(self) -> str:
        return program("nginx", "/usr/sbin/nginx")

    def _write(self) -> None:
        text = (DEPLOY / "nginx" / "sunbeon.conf").read_text()
        for pattern, ours in (
            (r"server 127\.0\.0\.1:8080 ", f"server {self._gateway} "),
            (r"listen 80;", f"listen 127.0.0.1:{self.plain_port};"),
            (r"listen 443 ", f"listen 127.0.0.1:{self.port} "),
            (r"listen \[::\]:[^;]+;", ""),
            (r"server_name site\.example;", f"server_name {HOST};"),
            (r"/etc/letsencrypt/live/site\.example/fullchain\.pem", f"{self._folder}/cert.pem"),
            (r"/etc/letsencrypt/live/site\.example/privkey\.pem", f"{self._folder}/key.pem"),
        ):
            text = _put(text, pattern, ours)
        (self._folder / "sunbeon.conf").write_text(text)
        temporary = "".join(
            f"{kind}_temp_path {self._folder}/temp;\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        # What Debian's own nginx.conf has around it, as far as it matters.
        (self._folder / "nginx.conf").write_text(
            f"user {getpass.getuser()};\ndaemon off;\npid {self._folder}/nginx.pid;\nerror_log stderr;\n"
            f"events {{ worker_connections 512; }}\nhttp {{\naccess_log off;\ngzip on;\n{temporary}"
            f"include {self._folder}/sunbeon.conf;\n}}\n"
        )

    def _command(self) -> list[str]:
        return [self._program, "-p", str(self._folder), "-e", "stderr", "-c", str(self._folder / "nginx.conf")]

    def _checking(self) -> list[str]:
        return [*self._command(), "-t"]


class Caddy(FrontServer):
    name = "caddy"

    def _find(self) -> str:
        return program("caddy")

    def _write(self) -> None:
        text = (DEPLOY / "caddy" / "Caddyfile").read_text()
        ports = f"admin off\n\thttp_port {self.plain_port}\n\thttps_port {self.port}\n\tdefault_bind 127.0.0.1"
        for pattern, ours in (
            (r"reverse_proxy 127\.0\.0\.1:8080 ", f"reverse_proxy {self._gateway} "),
            (r"\nsite\.example \{", f"\n{HOST} {{\n\ttls {self._folder}/cert.pem {self._folder}/key.pem"),
            (r"\n\{\n\tservers", f"\n{{\n\t{ports}\n\tservers"),
        ):
            text = _put(text, pattern, ours)
        (self._folder / "Caddyfile").write_text(text)

    def _command(self) -> list[str]:
        return [self._program, "run", *self._arguments()]

    def _checking(self) -> list[str]:
        return [self._program, "validate", *self._arguments()]

    def _arguments(self) -> list[str]:
        return ["--config", str(self._folder / "Caddyfile"), "--adapter", "caddyfile"]


def _put(text: str, pattern: str, ours: str) -> str:
    """Replace what must be there: a shipped file that has changed its shape must not be tested half."""
    changed, count = re.subn(pattern, lambda _: ours, text)
    assert count, f"the shipped configuration has no {pattern!r}"
    return changed


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
