"""The open-loop generator and the row made of it: whatever a server does, what was offered is accounted for."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from loadtest.bench.openloop import Generator, Stream, Told
from loadtest.bench.rows_overload import _SHARES, Level, found, rates_at
from loadtest.bench.targets import TARGETS

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nright"
SHED = b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n"
OTHER = b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"
WRONG_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
REQUEST = b"GET / HTTP/1.1\r\n\r\n"


@pytest.fixture
def serve() -> Iterator[Callable[[bytes | None], tuple[str, int]]]:
    """Start a server that says one and the same to every request; nothing for b"", and None: it hangs up."""
    listeners = []

    def talk(made: socket.socket, answer: bytes | None) -> None:
        with made:
            while made.recv(65_536):
                if answer is None:
                    return
                made.sendall(answer)

    def start(answer: bytes | None) -> tuple[str, int]:
        listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        listeners.append(listener)

        def take() -> None:
            while True:
                try:
                    made, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=talk, args=(made, answer), daemon=True).start()

        threading.Thread(target=take, daemon=True).start()
        host, port = listener.getsockname()
        return host, port

    yield start
    for each in listeners:
        each.shutdown(socket.SHUT_RDWR)
        each.close()


def run(address: tuple[str, int], *, kept: bool, patience_s: float = 5.0) -> Told:
    streams = [Stream("one", [REQUEST] * 20, b"right", kept=kept)]
    generator = Generator(address, streams, open_files=500)
    over: list[bool] = []
    try:
        (told,) = generator.run([200], 0.3, patience_s, lambda: over.append(True))
    finally:
        generator.close()
    assert over == [True]
    assert told.offered == told.accounted > 0
    assert told.well == len(told.waits_s) >= told.in_time
    return told


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    ("answer", "became"), [(GOOD, "well"), (SHED, "shed"), (OTHER, "wrong"), (WRONG_BODY, "wrong"), (None, "cut")]
)
def test_what_was_offered_is_accounted_for_by_what_became_of_it(serve, kept, answer, became):
    told = run(serve(answer), kept=kept)
    counts = {"well": told.well, "shed": told.shed, "wrong": told.wrong.total(), "cut": told.cut}
    assert counts.pop(became) > 0
    assert not any(counts.values())
    assert told.lost == 0


def test_who_gets_no_answer_hangs_up_and_asks_nothing_meanwhile(serve):
    told = run(serve(b""), kept=True, patience_s=0.5)
    assert (told.well, told.lost) == (0, 20)
    assert told.unasked == told.offered - 20


def test_a_server_that_is_not_there_refuses():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    assert run(address, kept=False).cut > 0


def test_nobody_asks_again_sooner_than_they_may(serve):
    streams = [Stream("one", [REQUEST], b"right", pause_s=60)]
    generator = Generator(serve(GOOD), streams, open_files=10)
    (told,) = generator.run([100], 0.2, 1.0)
    generator.close()
    assert told.well == 1
    assert told.unasked == told.offered - 1


def test_beyond_the_peak_all_but_those_inside_are_more():
    peak, five = rates_at(1_000, 1), rates_at(1_000, 5)
    assert sum(peak.values()) == pytest.approx(1_000)
    assert sum(five.values()) == pytest.approx(5_000)
    assert peak == pytest.approx({name: share * 1_000 for name, share in _SHARES.items()})
    for name in _SHARES:
        assert (five[name] == peak[name]) is name.startswith("inside")


def level(rate: float, answered: int) -> Level:
    told = {
        name: Told(offered=200, well=answered, in_time=answered, shed=200 - answered, shed_bytes=700, late_s=[0.001])
        for name in _SHARES
    }
    return Level(rate, 10.0, 5.0, 4.0, told)


def test_every_target_of_the_row_finds_its_figure_and_can_be_missed():
    def judged(answered: int) -> list[bool]:
        it = found(
            {each: level(each * 100, answered) for each in (1.0, 2.0, 5.0, 0.5)}, level(100, 200), [1, 2, 1], 9, 3
        )
        assert all(len(line) == len(it.table[0]) for line in it.table)
        return [target.judge(it)[2] for target in TARGETS if target.row == "overload"]

    assert judged(200) == [True] * 4
    assert judged(100) == [False, False, True, False]
