"""Gateways come, go, die and are upgraded amid a line, in small. In full: `python -m gateway.tests.many.rolling`."""

import pytest

from gateway.tests.many.rolling import Plan, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

SMALL = Plan(visitors=300, arrive_s=5, gateways=2, waiting=150, per_minute=60, calm_s=0.5, max_s=180)


def test_nobody_loses_a_place_and_no_request_is_cut_while_gateways_come_and_go(tmp_path):
    result = run(SMALL, tmp_path)
    assert result.offences == [], result.output
    still = [check for check in result.report["checks"] if check["name"] == "who still waits has the same number"]
    assert still[0]["verdict"] == "ok", "nobody was left waiting: it proved less than it says"
