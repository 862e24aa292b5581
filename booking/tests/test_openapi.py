"""The OpenAPI document says what the API does: seen by a program that was made to find where such documents lie."""

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from booking.routes import api
from booking.routes.problems import STATUS
from booking.tests.program import Program

# Of data that fit the schema, these too are honest answers: a birth date in the future, a name without a letter (422)
# and a hold that is over (410) cannot be told from good ones by any schema.
CONFIG = """
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 403, 404, 409, 410, 422, 429]
[checks.negative_data_rejection]
expected-statuses = [400, 403, 404, 405, 409, 410, 413, 415, 422, 429]
"""
# More than the usual: `FUZZ_EXAMPLES=60 pytest booking/tests/test_openapi.py`.
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "25"))
PATIENCE_S = 240


def test_every_route_of_the_api_is_in_it_and_every_operation_is_served():
    told = json.loads(api.openapi_bytes())
    described = {(method.upper(), path) for path, each in told["paths"].items() for method in each}
    served = {(route.method, route.path) for route in api.routes()} - {("GET", "/api/openapi.json")}
    assert described == served


def test_it_names_only_errors_there_are_and_their_status():
    told = json.loads(api.openapi_bytes())
    codes = {error.code: status for error, status in STATUS.items()} | {"no_pass": 403, "too_large": 413}
    seen = 0
    for path in told["paths"].values():
        for operation in path.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    for code in re.findall(r"`(\w+)`", answer["description"]):
                        assert codes[code] == int(status)
                        seen += 1
    assert seen > 50


@pytest.mark.slow
def test_a_fuzzer_of_apis_finds_nothing(tmp_path: Path):
    """Schemathesis: examples, boundaries, wrong data, random data and sequences, all of its checks."""
    with Program(tmp_path, identity={"carrier": {"latency_ms": 0}, "attempts_per_pass": 1_000}) as site:
        identity = site.identify()
        document = tmp_path / "openapi.json"
        document.write_bytes(site.ask("GET", "/api/openapi.json")[1])
        (tmp_path / "schemathesis.toml").write_text(CONFIG)
        found = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "run", str(document)),
                *("--url", site.url, "--header", f"Sunbeon-Pass: {site.sign(lasts=timedelta(hours=1))}"),
                *("--checks", "all", "--max-examples", str(EXAMPLES), "--seed", "1907", "--no-color"),
                *("--generation-database", "none", "--continue-on-failure"),
            ],
            cwd=tmp_path,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "booking.tests.api_hooks", "BOOKING_IDENTITY": identity},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert found.returncode == 0, found.stdout[-20_000:] + found.stderr[-4_000:]
    # A run that tested nothing would end well too.
    tested = re.search(r"(\d+) generated", found.stdout)
    assert tested, found.stdout[-2_000:]
    assert int(tested[1]) > 500
