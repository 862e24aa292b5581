"""What one worker draws by chance, another does not."""

import multiprocessing
from multiprocessing.connection import Connection

from gateway.edge.chance import CHANCE


def draw(pipe: Connection) -> None:
    pipe.send(CHANCE.getrandbits(64))


def test_two_workers_of_one_supervisor_draw_otherwise_than_each_other_and_than_it():
    context = multiprocessing.get_context("fork")
    drawn = []
    for _ in range(2):
        ours, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=draw, args=(theirs,))
        worker.start()
        drawn.append(ours.recv())
        worker.join()
    assert len({*drawn, CHANCE.getrandbits(64)}) == 3
