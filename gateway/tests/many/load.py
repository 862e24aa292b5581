"""The load tester as a process of its own beside a fleet: started, waited for, and its report read."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from gateway.tests.many.fleet import Fleet, Member
from gateway.tests.stand import DidNotHappen

# Beyond the run itself: to begin, to call the roll, to compare the logs.
MARGIN_S: Final = 90


class Load:
    """Visitors at every gateway of the fleet, for at most `max_s`."""

    def __init__(
        self, fleet: Fleet, *, visitors: int, arrive_s: float, max_s: float, seed: int = 1, more: Sequence[str] = ()
    ) -> None:
        self._max_s = max_s
        self._token = fleet.token
        self._report = fleet.folder / "report.json"
        self._log = fleet.folder / "loadtest.log"
        self._command = [
            *(sys.executable, "-m", "loadtest", "--room", fleet.room["name"], "--backend-url", fleet.backend_url),
            *("--visitors", str(visitors), "--arrive-s", str(arrive_s), "--max-s", str(max_s), "--seed", str(seed)),
            *("--request-s", "15", "--json", str(self._report), "--backend-log", str(fleet.backend_log)),
            *(word for member in fleet.members for word in _options(member)),
            *more,
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._begun_s = 0.0

    def __enter__(self) -> Self:
        self._begun_s = time.monotonic()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._log.parent,
                env={**os.environ, "SUNBEON_OPERATOR_TOKEN": self._token},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def at_s(self) -> float:
        """Since it was started, a moment before its own clock."""
        return time.monotonic() - self._begun_s

    @property
    def runs(self) -> bool:
        """Raises `DidNotHappen` if it ended without a report."""
        assert self._process is not None
        if self._process.poll() is None:
            return True
        if not self._report.exists():
            raise DidNotHappen(f"the load tester ended with {self._process.returncode}:\n{self.output()}")
        return False

    def enough(self) -> None:
        """No more visitors: those who wait are asked for their numbers, and what is known is judged."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    def wait(self) -> dict[str, Any]:
        """Its report, when all have come and gone or the time is over."""
        assert self._process is not None
        self._process.wait(self._max_s + MARGIN_S)
        assert not self.runs
        told: dict[str, Any] = json.loads(self._report.read_bytes())
        return told

    def output(self) -> str:
        return self._log.read_text(errors="replace")


def broken(report: dict[str, Any]) -> list[str]:
    """The checks that did not hold, and those that had nothing to look at and should have."""
    return [
        f"{check['invariant']} {check['name']}: {check['verdict']}: {check['evidence']}"
        for check in report["checks"]
        if check["verdict"] == "BROKEN" or (check["required"] and check["verdict"] != "ok")
    ]


def cut_off(report: dict[str, Any], member: Member) -> int:
    """Requests whose connection to this gateway was lost with the answer."""
    kinds = report["summary"]["errors_seen"].get(member.url, {})
    return sum(count for kind, count in kinds.items() if kind != "refused" and not kind[0].isdigit())


def errors_told(summary: Mapping[str, Any]) -> str:
    """How many requests saw an error, by kind and gateway."""
    lines = [f"requests that saw an error: {summary['saw_an_error']} of {summary['asked']}"]
    lines += [f"  {gateway}: {kinds}" for gateway, kinds in summary["errors_seen"].items()]
    return "\n".join([*lines, f'status answers "catching up": {summary["told_to_be_patient"]}'])


def keep_logs(folder: Path, kept: Path) -> None:
    """Copy what tells of a run: logs and report, and no keys."""
    kept.mkdir(parents=True, exist_ok=True)
    for path in (*folder.glob("*.log"), *folder.glob("*.json"), *folder.glob("*.out")):
        if "keys" not in path.name:
            shutil.copy(path, kept)


def _options(member: Member) -> Sequence[str]:
    audit: Path = member.audit_log
    return ("--url", f"{member.url}/", "--operator-url", member.operator_url, "--audit-log", str(audit))
