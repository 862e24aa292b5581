"""The process that starts the workers, starts them again when they die, and ends with them.

Workers share the visitors' and the operators' port (SO_REUSEPORT). The supervisor holds both ports bound, without
listening, so that a port is either all ours or refused at the start. Each worker holds one end of a pipe: it says
"ready", or what is in its way, and a worker whose supervisor is gone (even by kill -9) sees the pipe close and stops.

Workers are forked: most of a start is imports, which are done once, and whoever takes the place of a dead worker serves
at once. So the supervisor has no threads, no event loop and no store open, and a worker begins by letting go of what
is the supervisor's.
"""

import asyncio
import gc
import logging
import multiprocessing
import os
import secrets
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Final

import uvloop

from gateway.app import serve
from gateway.metrics import Seat
from gateway.metrics.folder import metrics_folder
from gateway.private_file import alone
from gateway.settings import Settings
from shared import logs
from shared.errors import SettingsError, SunbeonError

_LOG: Final = logging.getLogger(__name__)
# A request makes a hundred objects and leaves no cycles: at Python's own thresholds a worker under load spends a tenth
# of its time looking for some.
GARBAGE: Final = (20_000, 20, 20)
# How long a thread that wants Python may have to wait for it. The store's thread gives it up at every statement of
# SQLite's, and beside an event loop that has work without end it waited Python's own 5 ms to have it back: 2,000
# statements took 0.74 s, and take 0.08.
SWITCH_S: Final = 0.0005

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
READY: Final = "ready"
ALIVE: Final = "alive"
# A worker says so this often; one that was silent for this long hangs, with its share of the visitors, and is replaced.
ALIVE_EVERY_S: Final = 2.0
SILENT_S: Final = 15.0
# A worker that dies at once is started again after this, twice as long each time.
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 5.0
# A worker that lived this long is taken to have been healthy.
HEALTHY_S: Final = 10.0
# Beyond delay and drain: how long a worker may take to go before it is killed.
GRACE_S: Final = 5.0


class CannotStart(SunbeonError):
    """A port is taken, or a worker says why it cannot begin."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why a worker cannot begin. settings: the problems, if it is settings that no waiting mends."""

    why: str
    settings: tuple[str, ...] = ()


@dataclass(slots=True)
class Worker:
    process: ForkProcess
    pipe: Connection
    started_s: float
    pause_s: float
    heard_s: float
    ready: bool = False


def reserve(address: str) -> socket.socket:
    """Bind an address without listening. Raises `CannotStart` if somebody else has it."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        if int(port):
            # With SO_REUSEPORT a second gateway would quietly take half the visitors: look first without it.
            with socket.socket(family) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((host, int(port)))
        sock = _shared_socket(family)
        sock.bind((host, int(port)))
    except OSError as error:
        raise CannotStart(f"cannot listen on {address}: {error.strerror}") from None
    return sock


def _shared_socket(family: int) -> socket.socket:
    sock = socket.socket(family)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    return sock


def operator_token(path: Path, environ: Mapping[str, str]) -> str:
    """The operators' token: from the environment, else from its file, which is made (0600) on the first start."""
    given = environ.get("SUNBEON_OPERATOR_TOKEN", "").strip()
    if given:
        return given
    # Gateways that start at once would else find the file of the one that makes it empty.
    with alone(path):
        return _token_in(path)


def _token_in(path: Path) -> str:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if path.stat().st_mode & 0o077:
            raise CannotStart(f"{path}: others may read it; make its mode 600") from None
        token = path.read_text(encoding="utf-8").strip()
        if not token:
            raise CannotStart(f"{path}: is empty; remove it to have a new token made") from None
        return token
    with os.fdopen(descriptor, "w") as file:
        token = secrets.token_urlsafe(24)
        file.write(token + "\n")
    return token


class Supervisor:
    """Runs `settings.gateway.workers` workers until SIGINT or SIGTERM."""

    def __init__(self, settings: Settings, token: str) -> None:
        self._settings = settings
        self._token = token
        self._context = multiprocessing.get_context("fork")
        self._workers: dict[int, Worker] = {}
        self._stopping = False

    def run(self, on_ready: Callable[[tuple[str, int], tuple[str, int]], None]) -> None:
        """Block until stopped. on_ready: called with the visitors' and operators' addresses when all workers serve.

        Raises `CannotStart`, or `SettingsError` if a worker finds settings that cannot be. Both before the first start
        only: later, a worker that cannot begin is said and started again.
        """
        gateway = self._settings.gateway
        with (
            reserve(gateway.listen) as visitors,
            reserve(gateway.operator_listen) as ops,
            metrics_folder() as self._folder,
        ):
            self._reserved = (visitors, ops)
            self._addresses = (visitors.getsockname()[:2], ops.getsockname()[:2])
            wake_read, wake_write = os.pipe()
            os.set_blocking(wake_write, False)
            for number in SIGNALS:
                signal.signal(number, self._on_signal)
            signal.set_wakeup_fd(wake_write)
            # What is there by now is for all workers, in the same memory, as long as none of them looks through it.
            gc.collect()
            gc.freeze()
            try:
                for index in range(gateway.workers):
                    self._start(index, FIRST_PAUSE_S)
                self._await_all_ready(wake_read)
                if not self._stopping:
                    on_ready(*self._addresses)
                while not self._stopping:
                    self._look(wake_read)
            finally:
                self._stop_all()
                signal.set_wakeup_fd(-1)
                os.close(wake_read)
                os.close(wake_write)

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._stopping = True

    def _start(self, index: int, pause_s: float) -> None:
        ours, theirs = self._context.Pipe()
        seat = Seat(self._folder, index)
        not_its_own = (ours, *(worker.pipe for worker in self._workers.values()), *self._reserved)
        process = self._context.Process(
            target=worker_main,
            args=(self._settings, self._token, *self._addresses, theirs, seat, not_its_own),
            name=f"worker-{index}",
        )
        with _signals_held_back():
            process.start()
        theirs.close()
        now_s = time.monotonic()
        self._workers[index] = Worker(process, ours, now_s, pause_s, heard_s=now_s)

    def _await_all_ready(self, wake: int) -> None:
        while not self._stopping and not all(worker.ready for worker in self._workers.values()):
            for worker in self._wait(wake):
                # A worker that cannot begin says why; one that dies without a word is told by its exit code.
                try:
                    said = worker.pipe.recv()
                except EOFError:
                    worker.process.join()
                    raise CannotStart(f"a worker ended with code {worker.process.exitcode} at its start") from None
                if isinstance(said, Obstacle):
                    raise SettingsError(said.settings) if said.settings else CannotStart(said.why)
                worker.ready = worker.ready or said == READY
                worker.heard_s = time.monotonic()

    def _look(self, wake: int) -> None:
        """Wait for something to happen; kill workers that hang, start dead ones again."""
        self._wait(wake, ALIVE_EVERY_S)
        for index, worker in list(self._workers.items()):
            try:
                while worker.pipe.poll():
                    said = worker.pipe.recv()
                    worker.heard_s = time.monotonic()
                    if isinstance(said, Obstacle):
                        _LOG.error("a worker could not start", extra={"why": said.why})
            except EOFError:
                self._replace(index, worker)
                continue
            if time.monotonic() - worker.heard_s > SILENT_S:
                _LOG.error("a worker hangs and is killed", extra={"pid": worker.process.pid})
                worker.process.kill()
                worker.heard_s = time.monotonic()

    def _replace(self, index: int, worker: Worker) -> None:
        worker.pipe.close()
        worker.process.join()
        if self._stopping:
            return
        lived_s = time.monotonic() - worker.started_s
        pause_s = FIRST_PAUSE_S if lived_s > HEALTHY_S else min(worker.pause_s * 2, LONGEST_PAUSE_S)
        _LOG.error(
            "a worker died; starting another", extra={"exit_code": worker.process.exitcode, "pid": worker.process.pid}
        )
        time.sleep(worker.pause_s if lived_s <= HEALTHY_S else 0)
        self._start(index, pause_s)

    def _wait(self, wake: int, longest_s: float | None = None) -> list[Worker]:
        """Block until a signal came, a worker's pipe has news, or the time is up; the workers that have news."""
        by_pipe = {worker.pipe: worker for worker in self._workers.values() if not worker.pipe.closed}
        found = wait([*by_pipe, wake], longest_s)
        if wake in found:
            os.read(wake, 64)
        return [by_pipe[pipe] for pipe in found if isinstance(pipe, Connection)]

    def _stop_all(self) -> None:
        living = [worker for worker in self._workers.values() if worker.process.is_alive()]
        for worker in living:
            worker.process.terminate()
        gateway = self._settings.gateway
        deadline = time.monotonic() + gateway.drain_delay_s + gateway.drain_s + GRACE_S
        for worker in living:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                _LOG.error("a worker did not stop in time and was killed", extra={"pid": worker.process.pid})
                worker.process.kill()
                worker.process.join()


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """None is lost between a fork and what the new process wants done with it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def worker_main(
    settings: Settings,
    token: str,
    visitors: tuple[str, int],
    operators: tuple[str, int],
    pipe: Connection,
    seat: Seat,
    not_its_own: Iterable[Connection | socket.socket],
) -> None:
    """A worker process, from beginning to end. not_its_own: what the supervisor alone is to keep open."""
    _let_go(not_its_own)
    logs.configure(json=settings.gateway.log_json, level=settings.gateway.log_level)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_work(settings, token, visitors, operators, pipe, seat))
    except (SunbeonError, OSError) as error:
        _say(pipe, Obstacle(str(error), error.problems if isinstance(error, SettingsError) else ()))
        raise SystemExit(1) from None
    finally:
        parent = multiprocessing.parent_process()
        if parent is not None and parent.pid != os.getppid():
            # Killed, it could not take the folder along.
            shutil.rmtree(seat.folder, ignore_errors=True)


def _let_go(not_its_own: Iterable[Connection | socket.socket]) -> None:
    """Become a process of its own: signals come to this one, and no pipe or port stays open because of it."""
    for each in not_its_own:
        each.close()
    signal.set_wakeup_fd(-1)
    # The terminal's ctrl-C goes to everyone; the supervisor passes it on as SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _get_ready(pipe: Connection) -> None:
    """Say so; what is there by now stays, and need not be looked through for garbage again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
    sys.setswitchinterval(SWITCH_S)
    _say(pipe, READY)


async def _work(
    settings: Settings, token: str, visitors: tuple[str, int], operators: tuple[str, int], pipe: Connection, seat: Seat
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    stop_without_supervisor(pipe, stop)
    heartbeat = loop.create_task(_say_alive(pipe), name="heartbeat")
    sockets = []
    for address in (visitors, operators):
        sock = _shared_socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
        sock.bind(address)
        sock.setblocking(False)
        sockets.append(sock)
    try:
        tell_ready = partial(_get_ready, pipe)
        await serve(settings, *sockets, operator_token=token, ready=tell_ready, stop=stop, seat=seat)
    finally:
        heartbeat.cancel()
        loop.remove_reader(pipe.fileno())


def stop_without_supervisor(pipe: Connection, stop: asyncio.Event) -> None:
    """Set `stop`, once, when the other end of the pipe is gone; from inside the event loop."""
    loop = asyncio.get_running_loop()

    def gone() -> None:
        # A closed pipe stays readable: left in, this would be called without end while the worker drains.
        loop.remove_reader(pipe.fileno())
        stop.set()

    # Nothing is ever sent to a worker: readable means that the supervisor is gone.
    loop.add_reader(pipe.fileno(), gone)


async def _say_alive(pipe: Connection) -> None:
    """From inside the event loop, so that it stops when that does."""
    while True:
        await asyncio.sleep(ALIVE_EVERY_S)
        # A supervisor that hangs must not make a worker hang on a full pipe.
        if select.select((), (pipe,), (), 0)[1]:
            _say(pipe, ALIVE)


def _say(pipe: Connection, what: str | Obstacle) -> None:
    try:
        pipe.send(what)
    except OSError:
        _LOG.warning("the supervisor is gone")
