"""The primary killed amid visitors at several gateways, in small. In full: `python -m gateway.tests.many.failover`."""

import pytest

from gateway.tests.many.failover import Plan, run

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("load")]

SMALL = Plan(visitors=250, arrive_s=8, kills=1, calm_s=2, per_minute=600, ceiling=100, max_s=60)


def test_a_primary_killed_amid_visitors_doubles_no_number_and_no_pass_and_admission_resumes(tmp_path):
    result = run(SMALL, tmp_path)
    assert result.offences == [], result.output
    assert result.report["summary"]["store_counters_grown"]["store_repairs"] >= 1, "the blow was not felt"
