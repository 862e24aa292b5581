"""Starting a program on cores of its own, waiting until it answers, and ending it and nothing else."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from loadtest.bench import cores, spent
from loadtest.bench.wire import Address

PATIENCE_S: Final = 30.0
_LOOK_S: Final = 0.005
_LOG_TAIL: Final = 4_000


class Failed(Exception):
    """A program ended, did not begin to serve in time, or gave a wrong answer. Says which and how."""


class Program:
    """One of the contestants, or what they need. What it prints goes into a file beside its settings."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        address: Address,
        on: frozenset[int],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """address: where it will take connections. on: its cores."""
        self.name = name
        self.address = address
        self._output = folder / "output"
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("SUNBEON_")}
        self.begun_s = time.monotonic()
        with self._output.open("wb") as output, cores.on(on):
            self._process = subprocess.Popen(  # noqa: S603 - our own
                command,
                cwd=folder,
                env={**inherited, **(environ or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def session(self) -> int:
        """By which `spent` finds its processes."""
        return self._process.pid

    def check(self) -> None:
        """Raises `Failed` if it has ended."""
        if self._process.poll() is not None:
            raise Failed(f"{self.name} ended with code {self._process.returncode}:\n{self.output()}")

    def output(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL:]

    def stop(self) -> None:
        """Ask it to end; after a while make it. Its children, too."""
        if self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PATIENCE_S / 2)
        deadline = time.monotonic() + PATIENCE_S
        while (left := spent.pids(self.session)) and time.monotonic() < deadline:
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_LOOK_S)
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self.check()
            with suppress(OSError), socket.create_connection(self.address, timeout=1):
                return
            time.sleep(_LOOK_S)
        raise Failed(f"{self.name} takes no connections after {PATIENCE_S:g} s:\n{self.output()}")


def unused() -> Address:
    """A port of loopback's that nobody listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        host, port = probe.getsockname()
        return host, port
