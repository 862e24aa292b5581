"""Where a room's counters live. One contract (`base`), one file per backend."""
