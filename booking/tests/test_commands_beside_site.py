"""The commands as an operator runs them, beside a site that serves from the same database."""

import json
import os
import subprocess
import sys

import pytest

from booking.tests.conftest import CHILD, MOTHER
from booking.tests.postgresql import Server
from booking.tests.program import Program
from shared.tests.personal import traces

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("store_commands")]

BOOKING = ("-m", "booking")
# The same as `sunbeon booking`, whose own parser comes first.
SUNBEON = ("-c", "import sys; from gateway.cli import main; sys.exit(main(sys.argv[1:]))", "booking")


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request, tmp_path):
    identity = {"carrier": {"latency_ms": 0}}
    if request.param == "sqlite":
        with Program(tmp_path, identity=identity, slot_capacity=1) as running:
            yield running
        return
    with (
        Server() as server,
        Program(tmp_path, identity=identity, slot_capacity=1, database=server.database()) as running,
    ):
        yield running


def order(site, *words, typed=None, program=BOOKING):
    """Exit code, standard output and error of a process of its own."""
    command = [sys.executable, *program, *words, "--config", str(site.folder / "sunbeon.toml")]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("SUNBEON_")}
    # A terminal of another encoding must not matter.
    environ |= {"PYTHONIOENCODING": "ascii"} if words[-1] == "export" else {}
    done = subprocess.run(command, env=environ, input=json.dumps(typed).encode(), capture_output=True, check=False)
    assert traces(done.stderr.decode()) == []
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def book(site, slot_id):
    """The child books for the mother."""
    visitor = site.sign()
    status, body = site.ask(
        "POST",
        "/api/identity",
        body={"method": "carrier", **CHILD, "for": MOTHER, "consent": True},
        visitor=visitor,
    )
    assert status == 201, body
    asked = {"identity": json.loads(body)["identity"], "slot_id": slot_id}
    status, body = site.ask("POST", "/api/holds", body=asked, visitor=visitor)
    if status != 201:
        return status, json.loads(body)
    status, body = site.ask("POST", f"/api/holds/{json.loads(body)['hold_id']}/confirm", visitor=visitor)
    return status, json.loads(body)


def test_an_operator_forgets_a_person_while_the_site_serves(site):
    slot_id = json.loads(site.ask("GET", "/api/slots")[1])["slots"][0]["id"]
    status, card = book(site, slot_id)
    assert status == 201
    mine = {"code": card["code"], "birth_date": MOTHER["birth_date"]}

    for words, out in (
        (["migrate"], ": up to date\n"),
        (["check"], "sound\n"),
        (["purge", "--older-than-days", "0"], "forgot the people of 0 booking(s) and 0 waitlist entry(s) from before "),
    ):
        code, told, errors = order(site, *words)
        assert (code, errors) == (0, "")
        assert out in told
        assert traces(told) == []

    code, told, errors = order(site, "person", "export", typed=MOTHER)
    assert (code, errors) == (0, "")
    (booking,) = json.loads(told)["bookings"]
    assert (booking["code"], booking["masked_name"], booking["phone"]) == (card["code"], "김*자", "01087654321")
    assert "2468" not in told, "the child's number is not the mother's to be given"
    assert site.ask("POST", "/api/bookings/find", body=mine)[0] == 200

    code, told, errors = order(site, "person", "erase", typed=MOTHER)
    assert (code, errors) == (0, "")
    assert json.loads(told)["cancelled"] == 1
    assert traces(told) == []
    # While the site has the files open: nothing waits for it to close them.
    files = b"".join(path.read_bytes() for path in site.folder.glob("booking.db*"))
    assert "김*자".encode() not in files

    assert site.ask("POST", "/api/bookings/find", body=mine)[0] == 404
    assert order(site, "check") == (0, "sound\n", "")
    # The one seat of this appointment is free again, and the person as good as new.
    assert book(site, slot_id)[0] == 201
    code, told, errors = order(site, "person", "erase", typed=MOTHER)
    assert json.loads(told)["bookings"] == 1
    code, told, errors = order(site, "person", "erase", typed=MOTHER)
    assert (code, errors) == (0, "booking: nothing is kept of this person\n")
    assert set(json.loads(told).values()) == {0}


@pytest.mark.parametrize("site", ["sqlite"], indirect=True)
@pytest.mark.parametrize("program", [BOOKING, SUNBEON], ids=["booking", "sunbeon"])
def test_wrong_input_ends_a_process_with_2_and_a_line_for_each_field(site, program):
    wrong = {**MOTHER, "name": "", "phone": "1"}
    code, told, errors = order(site, "person", "erase", typed=wrong, program=program)

    assert (code, told) == (2, "")
    assert [line.split(":")[0] for line in errors.splitlines()] == ["name", "phone"]
