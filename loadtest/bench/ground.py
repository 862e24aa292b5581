"""What a row stands on: a folder, cores, and the programs it started, all of which end with it."""

import resource
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.cores import Cores
from loadtest.bench.program import Program


@dataclass(frozen=True, slots=True)
class Ground:
    """open_files: how many each program may have."""

    folder: Path
    cores: Cores
    stack: ExitStack
    open_files: int

    def start(self, program: Program) -> Program:
        """Wait until it takes connections; end it with the row. Raises `Failed`."""
        return self.stack.enter_context(program)

    def subfolder(self, name: str) -> Path:
        folder = self.folder / name.replace(" ", "-")
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def raise_open_files(wanted: int) -> int:
    """Let this process and those it starts have more open files, as many as it may give itself; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in ((wanted, max(hard, wanted)), (min(wanted, hard), hard)):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, limit)
        except (ValueError, OSError):
            continue
        return limit[0]
    return soft
