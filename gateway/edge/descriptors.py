"""How many connections a worker can hold: each is an open file, and the system bounds those."""

import resource
from typing import Final

# For the store, logs, keys, operators, and what Python itself holds open.
RESERVED: Final = 256


def raise_limit() -> int:
    """Have this process be allowed as many open files as the system lets it without asking; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard != resource.RLIM_INFINITY else 1 << 30


def most_connections(wanted: int, *, upstream: int, files: int) -> int:
    """Of visitors, where as many as `upstream` may go to the backend beside them; where files are few, half of them."""
    return max(1, min(wanted, max(files - RESERVED - upstream, files // 2)))
