"""kill -9 amid visitors: of one worker, then of everything. The load tester is the judge.

With thousands: `KILL_VISITORS=2000 pytest gateway/tests/test_kill.py`.
"""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from gateway.tests.stand import Stand, until

VISITORS = int(os.environ.get("KILL_VISITORS", "500"))


@pytest.mark.slow
@pytest.mark.xdist_group("load")
def test_nobody_loses_a_place_or_a_pass_when_workers_are_killed(tmp_path):
    room = {"total_active_users": 200, "new_users_per_minute": 6_000}
    with Stand(tmp_path, workers=2, room=room, booking={"slot_capacity": 1_000}) as stand:
        report = tmp_path / "report.json"
        command = [
            *(sys.executable, "-m", "loadtest", "--url", stand.url + "/", "--operator-url", stand.operator_url),
            *("--backend-url", stand.backend_url, "--max-s", "240"),
            *("--visitors", str(VISITORS), "--arrive-s", str(VISITORS / 100)),
            *("--total-active-users", "200", "--new-users-per-minute", "6000", "--json", str(report)),
        ]
        with (tmp_path / "loadtest.log").open("wb") as log:
            load = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, "SUNBEON_OPERATOR_TOKEN": stand.token}
            )
        try:
            until(lambda: stand.room()["waiting"] > 50, "a line has formed")
            victim = stand.worker_pids()[0]
            os.kill(victim, signal.SIGKILL)
            until(lambda: len(stand.worker_pids()) == 2 and victim not in stand.worker_pids(), "a new worker runs")
            before = stand.room()
            time.sleep(2)  # some more visitors, between the two blows
            stand.kill_gateway()
            stand.start_gateway()
            after = stand.room()
            assert after["epoch"] == before["epoch"]
            assert after["tail"] >= before["tail"]
            assert after["serving"] >= before["serving"]
            assert load.wait(270) == 0, (tmp_path / "loadtest.log").read_text()
        finally:
            load.kill()
            load.wait()
        print((tmp_path / "loadtest.log").read_text())
        told = json.loads(report.read_text())
        assert told["summary"]["reconnects"] > 0, "the blows were not felt: the test proved nothing"
        allowed = {entry.pass_id for entry in stand.admissions()}
        assert {seen.pass_id for seen in stand.requests() if seen.verdict == "ok"} <= allowed
