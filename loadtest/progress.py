"""How a run is going, while it goes: a bar on a terminal, plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from loadtest.runner import Watcher
from loadtest.visitor import Gauge

LINE_EVERY_S: Final = 5.0


@contextmanager
def progress(console: Console, visitors: int) -> Iterator[Watcher]:
    """What to hand to `run` as `watch`."""
    if not console.is_terminal:
        yield _lines(console, visitors)
        return
    columns = (
        TextColumn("visitors"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[now]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("visitors", total=visitors, now="")

        def watch(gauge: Gauge, _elapsed_s: float) -> None:
            bar.update(task, completed=gauge.done, now=_now(gauge))

        yield watch


def _lines(console: Console, visitors: int) -> Watcher:
    next_s = 0.0

    def watch(gauge: Gauge, elapsed_s: float) -> None:
        nonlocal next_s
        if elapsed_s >= next_s or gauge.done == visitors:
            next_s = elapsed_s + LINE_EVERY_S
            console.print(f"{elapsed_s:6.1f} s  {gauge.done} of {visitors} done, {_now(gauge)}", highlight=False)

    return watch


def _now(gauge: Gauge) -> str:
    return f"waiting {gauge.waiting}  inside {gauge.inside}  booked {gauge.booked}"
