"""How an evening is going, while it is played: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gateway.room.model import Snapshot
from gateway.simulate.evening import Watch

LINE_EVERY_S: Final = 10.0


@contextmanager
def progress(console: Console, name: str, ends_ms: int) -> Iterator[Watch]:
    """What to hand to `play` as `watch`."""
    if not console.is_terminal:
        yield _lines(console, name, ends_ms)
        return
    columns = (
        TextColumn(name),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[now]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(name, total=ends_ms, now="")

        def watch(at_ms: int, room: Snapshot) -> None:
            bar.update(task, completed=at_ms, now=_now(room))

        yield watch


def _lines(console: Console, name: str, ends_ms: int) -> Watch:
    next_s = time.monotonic() + LINE_EVERY_S

    def watch(at_ms: int, room: Snapshot) -> None:
        nonlocal next_s
        if time.monotonic() >= next_s or at_ms == ends_ms:
            next_s = time.monotonic() + LINE_EVERY_S
            console.print(f"{name}: {at_ms / ends_ms:4.0%}  {_now(room)}", highlight=False)

    return watch


def _now(room: Snapshot) -> str:
    return f"waiting {room.waiting:,}  inside {room.live:,}  called {room.serving:,}"
