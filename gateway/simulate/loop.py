"""An event loop for an evening in which nothing waits: what is meant for a thread is done where it is asked for.

SQLite's store has a thread, so that a gateway can go on while a disk is slow. Here one question is asked at a time, and
handing it to and fro costs more than many an answer.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class AtOnce(asyncio.SelectorEventLoop):
    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002
        func: Callable[[*Ts], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        done: asyncio.Future[T] = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for who asked
            done.set_exception(error)
        return done
