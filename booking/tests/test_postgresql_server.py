"""The tests' own PostgreSQL server leaves nothing behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from booking.tests import postgresql

PATIENCE_S = 60
RUN = """
import threading
from booking.tests.postgresql import Server
server = Server()
# Entered in a thread that ends: the server must outlive that, but not the run.
starting = threading.Thread(target=server.__enter__)
starting.start()
starting.join()
print(server.sql("SHOW data_directory").strip(), flush=True)
threading.Event().wait()
"""


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A zombie waits for nobody but its parent, which may be whatever runs as the first process.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def test_a_test_run_that_is_killed_takes_its_server_and_its_folder_along():
    postgresql.programs()
    # A group of its own, all of which is killed, as a terminal or a CI job does it.
    with subprocess.Popen([sys.executable, "-c", RUN], stdout=subprocess.PIPE, start_new_session=True) as run:
        try:
            assert run.stdout is not None
            data = Path(run.stdout.readline().decode().strip())
            pid = int((data / "postmaster.pid").read_text().split()[0])
            assert not is_gone(pid)
        finally:
            os.killpg(run.pid, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE_S
    while data.parent.exists() or not is_gone(pid):
        assert time.monotonic() < deadline, "the server goes on"
        time.sleep(0.05)


def test_a_server_that_is_left_is_gone_with_all_it_had():
    with postgresql.Server() as server:
        data = Path(server.sql("SHOW data_directory").strip())
        pid = int((data / "postmaster.pid").read_text().split()[0])
        server.kill()
        server.start()
    assert not data.parent.exists()
    assert is_gone(pid)
