"""The metrics of a real gateway with several workers, whichever of them is asked."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics.families import FAMILIES
from gateway.tests import metrics_table
from gateway.tests.stand import Stand, fetch, until

# One gateway for most of them.
pytestmark = pytest.mark.xdist_group("metrics_workers")

ROOT = Path(__file__).parents[2]


def promtool() -> str:
    """Its path. Where it is missing, the test is skipped with a loud line; in CI it fails."""
    found = shutil.which("promtool")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing: apt-get install prometheus")
        pytest.skip("METRICS TESTS SKIPPED: no promtool on this machine (apt-get install prometheus)")
    return found


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """A gateway with two workers, one visitor inside and one waiting."""
    with Stand(tmp_path_factory.mktemp("metrics"), workers=2) as stand:
        stand.visitor().enter()
        stand.visitor().join()
        stand.visitor().ask("GET", "/", headers={"Cookie": "sunbeon_ticket_vaccine=forged"})
        yield stand


def scrape(stand: Stand) -> str:
    status, _, body = fetch(stand.operator_url, "GET", "/metrics", headers={"Authorization": f"Bearer {stand.token}"})
    assert status == 200
    return body.decode()


def values(stand: Stand) -> dict[str, float]:
    lines = (line for line in scrape(stand).splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_what_is_told_is_in_the_table_with_its_kind_and_labels_and_the_other_way_round(crowd):
    families = {family.name: family for family in text_string_to_metric_families(scrape(crowd))}
    assert families.keys() == FAMILIES.keys()
    for name, family in families.items():
        told = FAMILIES[name]
        assert (family.type, family.documentation) == (told.kind, told.text)
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == set(told.labels), sample


def test_the_page_says_of_every_metric_what_it_is():
    """docs/metrics.md is written by `python -m gateway.tests.metrics_table`; it must not fall behind."""
    assert (ROOT / "docs/metrics.md").read_text() == metrics_table.render()


def test_prometheus_own_check_finds_nothing(crowd):
    checked = subprocess.run(
        [promtool(), "check", "metrics"], input=scrape(crowd), capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_requests_are_counted_by_all_workers_and_told_by_any(crowd):
    boards = 'sunbeon_request_duration_seconds_count{kind="board"}'
    for _ in range(20):
        crowd.visitor().ask("GET", "/_sunbeon/vaccine/board")
    until(lambda: values(crowd).get(boards) == 20, "all that was asked is counted")
    assert [values(crowd)[boards] for _ in range(12)] == [20] * 12
    until(lambda: values(crowd)["sunbeon_workers"] == 2, "both are heard")
    found = values(crowd)
    assert found['sunbeon_backend_answers_total{result="2xx"}'] >= 1
    assert found['sunbeon_request_duration_seconds_count{kind="refused"}'] >= 1
    assert found['sunbeon_store_call_duration_seconds_count{operation="claim"}'] >= 1
    assert found['sunbeon_audit_lines_total{result="chained"}'] >= 2


def test_when_a_worker_is_killed_no_counter_goes_back(crowd):
    monotone = ("_total", "_count", "_bucket")
    before = values(crowd)
    (victim, *_) = crowd.worker_pids()
    os.kill(victim, signal.SIGKILL)

    def replaced() -> bool:
        nonlocal before
        try:
            found = values(crowd)
        except OSError:
            return False  # asked of the one that was dying
        back = [name for name in before if name.partition("{")[0].endswith(monotone) and found[name] < before[name]]
        assert back == []
        before = found
        return (found["sunbeon_workers"], found["sunbeon_worker_restarts_total"]) == (2, 1)

    until(replaced, "another took its place")


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_no_folder_is_left_of_a_gateway_however_it_ends(tmp_path, ending):
    def folders() -> set[Path]:
        return {found for place in (Path("/dev/shm"), Path("/tmp")) for found in place.glob("sunbeon-*")}

    others = folders()
    with Stand(tmp_path) as stand:
        own = next(found for found in folders() - others if f"pid-{stand.gateway_pid}-" in found.name)
        assert own.stat().st_mode & 0o777 == 0o700
        os.kill(stand.gateway_pid, ending)
        until(lambda: not own.exists(), "the folder is gone")
