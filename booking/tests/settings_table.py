"""Writes the settings into docs/booking.md: `python -m booking.tests.settings_table docs/booking.md`."""

import sys
from pathlib import Path
from typing import Final

from booking.settings import Booking, Identity, SimulatedMethod
from shared.tests.settings_rows import rows

BEGIN: Final = "<!-- settings -->\n"
END: Final = "<!-- end of settings -->\n"


def render() -> str:
    """The tables."""
    return "\n".join(
        [
            "`[booking]`; each also as `SUNBEON_BOOKING__<KEY>`. Changes need a restart.\n",
            rows(Booking),
            "`[booking.identity]`\n",
            rows(Identity),
            "`[booking.identity.carrier]`, `[booking.identity.certificate]`\n",
            rows(SimulatedMethod),
        ]
    )


def insert(page: str) -> str:
    """The page with the tables of today."""
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ValueError("the page has no place for the settings")
    return f"{before}{BEGIN}\n{render()}\n{END}{after}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(insert(path.read_text(encoding="utf-8")), encoding="utf-8")
