"""The logs of many gateways, compared: what must be found in them, and what must not."""

import json
from pathlib import Path
from typing import Any

from loadtest.evidence import Evidence, Finding, Trick, Verdict
from loadtest.logs import LogFiles, check_logs
from loadtest.scenario import Cheat
from loadtest.tests.test_checks import entered, journey, sample, visitors

ROOM = "main"
ONE_PASS = "a place yields one pass, by all audit logs"
WRITTEN = "everyone inside is in an audit log"
NUMBERS = "one number per place, by all audit logs"
PAST = "the backend counted who went past the gate"
SERVED = "the backend served granted passes only"


def admitted(place: int, pass_id: str, **changes: Any) -> dict[str, Any]:
    usual = {"event": "admitted", "room": ROOM, "epoch": 1, "number": place, "place": place, "pass_id": pass_id}
    return usual | changes


def served(pass_id: str | None, how: str = "line", verdict: str = "ok") -> dict[str, Any]:
    return {"verdict": verdict, "pass_id": pass_id, "how": how}


def write(path: Path, *lines: dict[str, Any], torn: str = "") -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + torn)
    return path


def look(audits: list[Path], backends: list[Path], evidence: Evidence) -> dict[str, Finding]:
    files = LogFiles(audits, [])
    files._backends = dict.fromkeys(backends, 0)
    return {finding.name: finding for finding in check_logs(evidence, files.read(ROOM))}


def verdicts(audits: list[Path], backends: list[Path], evidence: Evidence) -> dict[str, Verdict]:
    return {name: finding.verdict for name, finding in look(audits, backends, evidence).items()}


def test_one_pass_told_by_two_gateways_is_one_and_two_passes_are_found(tmp_path: Path) -> None:
    first = write(tmp_path / "a", admitted(1, "x"), admitted(2, "y"), torn='{"event": "adm')
    again = write(tmp_path / "b", admitted(1, "x", again=True), {"event": "refused", "room": ROOM})
    second = write(tmp_path / "c", admitted(1, "z"))
    other = write(tmp_path / "d", admitted(1, "z", epoch=2), admitted(1, "q", room="other"))
    evidence = visitors(entered(1, 0, 1), samples=(sample(0),))
    assert verdicts([first, again, other], [], evidence)[ONE_PASS] is Verdict.OK
    assert verdicts([first, again, second], [], evidence)[ONE_PASS] is Verdict.BROKEN


def test_who_is_inside_without_an_admission_in_any_log_is_found(tmp_path: Path) -> None:
    log = write(tmp_path / "a", admitted(1, "x"), admitted(2, "y", epoch=7))
    samples = (sample(0),)
    assert verdicts([log], [], visitors(entered(1, 0, 1), samples=samples))[WRITTEN] is Verdict.OK
    assert verdicts([log], [], visitors(entered(2, 0, 1), samples=samples))[WRITTEN] is Verdict.BROKEN


def test_a_number_with_two_places_and_a_place_with_two_numbers_are_found(tmp_path: Path) -> None:
    for second, expected in ((admitted(2, "y"), Verdict.OK), (admitted(2, "y", number=1), Verdict.BROKEN)):
        log = write(tmp_path / "a", admitted(1, "x"), second)
        assert verdicts([log], [], visitors())[NUMBERS] is expected
    log = write(tmp_path / "a", admitted(1, "x"), admitted(1, "x", number=2))
    assert verdicts([log], [], visitors())[NUMBERS] is Verdict.BROKEN


def test_a_request_the_backend_served_without_a_granted_pass_is_found(tmp_path: Path) -> None:
    log = write(tmp_path / "a", admitted(1, "x"))
    for line, expected in (
        (served("x"), Verdict.OK),
        (served(None, how="exempt"), Verdict.OK),
        (served("z", verdict="expired"), Verdict.UNCHECKED),
        (served("z"), Verdict.BROKEN),
        (served(None, how="fail_open"), Verdict.BROKEN),
    ):
        backend = write(tmp_path / "backend", line)
        assert verdicts([log], [backend], visitors())[SERVED] is expected, line


def test_a_backend_that_does_not_count_who_went_past_the_gate_is_found(tmp_path: Path) -> None:
    log = write(tmp_path / "a", admitted(1, "x"))
    backend = write(tmp_path / "b", *[served(None, verdict="missing")] * 3, served("x"))
    for tried, expected in ((3, Verdict.OK), (4, Verdict.BROKEN), (2, Verdict.BROKEN), (0, Verdict.UNCHECKED)):
        cheat = journey(0, entered(1, 0, 1))
        cheat.trick = Trick(Cheat.BACKEND_DIRECT, tried=tried)
        assert verdicts([log], [backend], Evidence([cheat], (sample(0),)))[PAST] is expected


def test_what_the_backend_served_before_the_run_is_not_this_runs(tmp_path: Path) -> None:
    backend = write(tmp_path / "backend", served("of-yesterday"))
    files = LogFiles([], [backend])
    write(backend, served("of-yesterday"), served("x"))
    logs = files.read(ROOM)
    assert logs is not None
    assert list(logs.served) == [("x", "line")]


def test_logs_that_were_named_and_hold_nothing_prove_nothing(tmp_path: Path) -> None:
    findings = look([tmp_path / "none"], [write(tmp_path / "backend")], visitors())
    assert {finding.verdict for finding in findings.values()} == {Verdict.UNCHECKED}
    # Nobody need have gone past the gate.
    assert [finding.name for finding in findings.values() if not finding.required] == [PAST]


def test_without_logs_nothing_is_said_of_them() -> None:
    assert check_logs(visitors(), LogFiles([], []).read(ROOM)) == ()
