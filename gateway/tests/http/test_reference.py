"""The same bytes through a real nginx: the suite tells what HTTP is, not what Sunbeon does.

Where nginx does otherwise, `differences.py` says so, and why; nothing else may differ, and nothing less.
"""

import os
import re
import subprocess

import pytest

from gateway.edge.tests.backend import PATIENCE_S
from gateway.tests.http.differences import DIFFERENCES, DOC, RECORDED, VERSION, rewritten
from gateway.tests.http.judge import judge
from gateway.tests.http.nginx import PROGRAM, nginx
from gateway.tests.http.play import backend, play
from gateway.tests.http.table import CASES, TITLES

# A difference is often that an answer never ends: that is not worth waiting for long.
DIFFERENCE_PATIENCE_S = 0.5


@pytest.fixture(scope="module")
def the_nginx_we_know():
    found = "none"
    if PROGRAM is not None:
        told = subprocess.run([PROGRAM, "-v"], capture_output=True, text=True, check=True).stderr
        found = re.sub(r"(?s).*nginx/(\d+\.\d+).*", r"\1", told)
    if found != VERSION:
        what = f"NO NGINX {VERSION}, BUT {found}: Sunbeon was not compared with it (Debian 12's package is nginx-light)"
        if os.environ.get("CI") == "true":
            pytest.fail(what)
        pytest.skip(what)


@pytest.mark.parametrize("key", [key for key, case in CASES.items() if not case.ours], ids=TITLES.get)
async def test_nginx_does_the_same_but_for_what_is_recorded(the_nginx_we_know, key, tmp_path):
    case, recorded = CASES[key], RECORDED.get(key)
    patience_s = DIFFERENCE_PATIENCE_S if recorded else PATIENCE_S
    async with backend(case) as behind, nginx(tmp_path, behind.port) as port:
        wrong = judge(case, await play(case, port, behind, patience_s=patience_s))
    if recorded is None:
        assert not wrong, "\n".join(("nginx does otherwise, and differences.py does not say so:", *wrong))
    else:
        assert wrong, f"nginx does the same, but differences.py says that it {recorded.nginx}"


def test_every_recorded_difference_is_about_one_case_that_nginx_is_asked():
    listed = [key for each in DIFFERENCES for key in each.cases]
    assert len(set(listed)) == len(listed)
    assert [key for key in listed if key not in CASES or CASES[key].ours] == []


def test_the_documented_differences_are_the_recorded_ones():
    """docs/http.md is brought up to date by `python -m gateway.tests.http.differences`."""
    assert DOC.read_text() == rewritten(DOC.read_text())
