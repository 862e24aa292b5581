"""Which processor core is whose. A server that shares its core with its load is measured together with it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cores:
    """Disjoint sets of cores, but that backend and generator share one where there are only two, and all where one."""

    server: frozenset[int]
    backend: frozenset[int]
    generator: frozenset[int]

    def told(self) -> str:
        """In words, for the report."""
        if self.server == self.generator:
            return "one core for everything: server, backend and generator take it from each other"
        where = f"server on core {_list(self.server)}, generator (wrk) on {_list(self.generator)}"
        if self.backend == self.generator:
            return f"{where}, which it shares with the backend (there are only two)"
        return f"{where}, backend on {_list(self.backend)}"


def split(available: frozenset[int]) -> Cores:
    """One core for the server, one for the backend, the rest for the generator."""
    first, *others = sorted(available)
    server = frozenset({first})
    if not others:
        return Cores(server, server, server)
    if len(others) == 1:
        return Cores(server, frozenset(others), frozenset(others))
    return Cores(server, frozenset(others[:1]), frozenset(others[1:]))


def available() -> frozenset[int]:
    """Those this process may run on."""
    return frozenset(os.sched_getaffinity(0))


@contextmanager
def on(cores: frozenset[int]) -> Iterator[None]:
    """What is started within runs on these cores, from its first instruction on, and so do its children."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _list(cores: frozenset[int]) -> str:
    return ", ".join(str(core) for core in sorted(cores))
