"""Writes docs/settings.md from the settings themselves: `python -m gateway.tests.settings_table > docs/settings.md`."""

from pydantic import BaseModel

from gateway.settings import Bypass, Gateway, LimitChange, Live, OpeningWindow, Room, Upstream
from shared.tests.settings_rows import rows

HEAD = """# Settings

Settings come from `sunbeon.toml`, then from the environment (`SUNBEON_<SECTION>__<KEY>`, as in
`SUNBEON_GATEWAY__WORKERS=4`), then from flags; each later one wins. `sunbeon check FILE` tells every problem at once:
an unknown key is one. Relative paths are taken from the directory the program is started in.

`SUNBEON_CONFIG` names the file where `--config` is not given. Secrets have variables of their own:
`SUNBEON_OPERATOR_TOKEN` (instead of `operator_token_file`), `SUNBEON_STORE_PASSWORD` and
`SUNBEON_STORE_SENTINEL_PASSWORD` (instead of their files) and `SUNBEON_BOOKING_SECRET` (instead of the booking site's
`secret_file`).

Rooms are lists and have no variables; set them in the file. The booking site's own section, `[booking]`, is described
in [booking.md](booking.md).
"""

LIVE_TEXT = """In the same table. These can be changed while the room runs (`PATCH /api/rooms/{room}`); the store keeps
what was changed. At a start, a key whose value in the file differs from the last start's takes effect; the others stay
as the operators left them."""

BYPASS_TEXT = """Requests that need no turn. All conditions given must hold; a user agent alone is refused, because
anyone can send it. Requests let through are counted apart (`exempt.<name>`) and say so in `Sunbeon-Pass`."""

WINDOWS_TEXT = """Times after `opens_at` and `closes_at` in which the room is open again, in order. Places are kept from
one to the next."""

TIMETABLE_TEXT = """Limits that change by themselves, in order of time. Each line holds until one after it says
otherwise, and goes before what `new_users_per_minute` and `total_active_users` say."""

SECTIONS: tuple[tuple[str, str, type[BaseModel], frozenset[str]], ...] = (
    ("`[gateway]`", "This process and its files. Changes need a restart.", Gateway, frozenset()),
    ("`[upstream]`", "The booking site behind. Changes need a restart.", Upstream, frozenset()),
    ("`[[room]]`", "One protected area. Changes need a restart.", Room, frozenset(Live.model_fields)),
    ("`[[room]]`, live", LIVE_TEXT, Live, frozenset()),
    ("`[[room.more_windows]]`", WINDOWS_TEXT, OpeningWindow, frozenset()),
    ("`[[room.timetable]]`", TIMETABLE_TEXT, LimitChange, frozenset()),
    ("`[[room.bypass]]`", BYPASS_TEXT, Bypass, frozenset()),
)


def render() -> str:
    """The page."""
    parts = [HEAD]
    for title, text, model, left_out in SECTIONS:
        parts.append(f"## {title}\n\n{text}\n")
        parts.append(rows(model, left_out=left_out))
    return "\n".join(parts)


if __name__ == "__main__":
    print(render(), end="")
