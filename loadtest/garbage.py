"""Python's search for garbage, which stops everything for the longer the more there is."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """Meanwhile, do not look for it.

    Among the objects of 40,000 visitors one look takes seconds, in which all of them are late. What a run makes it
    keeps for its report, and the rest is gone without a look, as it does not refer to itself.
    """
    gc.collect()
    gc.freeze()
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was_on:
            gc.enable()
