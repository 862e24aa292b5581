"""An evening with cheats of every kind: every booking is proven, every false token counted, a forged booking named.

More than the usual: `EVENING_VISITORS=2000 pytest -s gateway/tests/test_reconciled_evening.py`.
"""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.tests.stand import Stand
from loadtest.scenario import Cheat

VISITORS = int(os.environ.get("EVENING_VISITORS", "240"))


def reconcile(stand: Stand) -> tuple[int, dict[str, Any]]:
    command = [
        *(sys.executable, "-m", "gateway", "reconcile", "--database", "--config", str(stand.config)),
        *("--audit", str(stand.folder / "audit.log"), "--json"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.stderr == ""
    told: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, told


def forge_one(database: Path) -> str:
    """Copy a booking under the name of a pass that there never was, as whoever has the database can."""
    connection = sqlite3.connect(database)
    try:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(bookings)")]
        row = dict(zip(columns, connection.execute("SELECT * FROM bookings LIMIT 1").fetchone(), strict=True))
        gone = dict.fromkeys(("person_key", "birth_check", "masked_name", "contact", "booker_key", "booker_seat"))
        row |= {**gone, "booker_masked_name": None, "code": "FORGED", "hold_id": "forged", "pass_id": "forged-pass"}
        marks = ", ".join("?" for _ in columns)
        with connection:
            connection.execute(f"INSERT INTO bookings VALUES ({marks})", [row[name] for name in columns])
    finally:
        connection.close()
    return "no line of the log admits its pass"


@pytest.mark.slow
@pytest.mark.xdist_group("load")
def test_every_booking_is_proven_and_a_forged_one_named(tmp_path):
    with Stand(tmp_path, room={"total_active_users": 60, "new_users_per_minute": 3_000}) as stand:
        report = tmp_path / "report.json"
        command = [
            *(sys.executable, "-m", "loadtest", "--url", stand.url + "/", "--operator-url", stand.operator_url),
            *("--backend-url", stand.backend_url, "--visitors", str(VISITORS), "--arrive-s", str(VISITORS / 60)),
            *("--cheat", "0.05", "--stay-s", "0.3", "--max-s", "400", "--audit-log", str(tmp_path / "audit.log")),
            *("--backend-log", str(tmp_path / "requests.log"), "--json", str(report)),
        ]
        environ = {**os.environ, "SUNBEON_OPERATOR_TOKEN": stand.token}
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=500, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        told = json.loads(report.read_text())
        assert {trick["kind"] for trick in told["tricks"]} == {*Cheat}
        held = {check["name"]: check["evidence"] for check in told["checks"] if check["verdict"] == "ok"}
        assert {"every false token is counted", "the backend counted who went past the gate"} <= set(held)
        code, found = reconcile(stand)
        print(held["every false token is counted"], found)
        assert (code, found["suspects"], found["logs_hold"]) == (0, [], True)
        assert found["bookings"] == told["summary"]["endings"]["booked"] > VISITORS // 2
        why = forge_one(tmp_path / "booking.db")
        code, found = reconcile(stand)
        assert (code, [each["why"] for each in found["suspects"]]) == (1, [why])
        assert found["classes"]["unproven"] == 1
