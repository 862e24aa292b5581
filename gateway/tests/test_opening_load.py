"""An opening with 400 visitors (more: `OPENING_VISITORS`), half of them early. The load tester is the judge."""

import json
import os
import subprocess
import sys

import pytest

from gateway.tests.stand import Stand

VISITORS = int(os.environ.get("OPENING_VISITORS", "400"))


@pytest.mark.slow
@pytest.mark.xdist_group("load")
@pytest.mark.parametrize("method", ["draw", "fifo"])
def test_early_and_later_visitors_are_served_in_their_order_and_the_opening_is_no_stampede(tmp_path, method):
    room = {"total_active_users": 100, "new_users_per_minute": 60}
    with Stand(tmp_path, room=room) as stand:
        report = tmp_path / "report.json"
        command = [
            *(sys.executable, "-m", "loadtest", "--url", stand.url + "/", "--operator-url", stand.operator_url),
            *("--scenario", "opening", "--queueing-method", method, "--visitors", str(VISITORS), "--arrive-s", "3"),
            *("--opens-in-s", "6", "--stay-s", "0.1", "--max-s", "240", "--audit-log", str(tmp_path / "audit.log")),
            *("--total-active-users", "200", "--new-users-per-minute", "6000", "--json", str(report)),
        ]
        environ = {**os.environ, "SUNBEON_OPERATOR_TOKEN": stand.token}
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(report.read_text())
        assert {"opened on time, by the server's clock", "no stampede at the opening"} <= {
            check["name"] for check in told["checks"] if check["verdict"] == "ok"
        }
        assert told["summary"]["admitted"] > VISITORS / 2
        assert told["summary"]["opening"]["first_10_s_per_s"] > 0
        assert (stand.room()["draw_size"] is not None) == (method == "draw")
        # The operators' own settings are as they were.
        settings = stand.room()["settings"]
        assert (settings["opens_at"], settings["queueing_method"], settings["new_users_per_minute"]) == (
            None,
            "fifo",
            60,
        )
