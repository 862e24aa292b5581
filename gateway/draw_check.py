"""Recomputes a draw from what was published of it. Pure.

The recipe (docs/draw.md) is written down here a second time, apart from `room/draw.py` by which the gateway draws: a
fault in one of them shows as a difference. It is made for all numbers at once: as a half of the network has few values,
its round function is computed once for each of them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.errors import SunbeonError
from shared.wire import DRAW_RECIPE

ROUNDS: Final = 10
LEAST_BITS: Final = 6

# Beyond it, a size is a mistake or malice: the check has a byte for each number.
MOST_NUMBERS: Final = 100_000_000

# So many places that do not fit are told one by one.
WRONG_SHOWN: Final = 10


class Unreadable(SunbeonError):
    """What was given is not the page of a draw, or no list of places; says why."""


class Page(BaseModel):
    """What `GET /_sunbeon/{room}/draw` said, whatever else it held. secret: hex; with `size` None before the draw.

    base: lots were drawn among the numbers after it.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    # What a settings file may call a room: what comes from an address is shown on a terminal.
    # Behind "~": the wave of it that drew lots.
    room: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}(~[A-Za-z0-9=][A-Za-z0-9_.:=-]{0,127})?$")]
    epoch: Annotated[int, Field(ge=0, lt=2**63)]
    method: str
    recipe: str | None
    commitment: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    base: Annotated[int, Field(ge=0, lt=2**53)] | None = None
    size: Annotated[int, Field(ge=0, le=MOST_NUMBERS)] | None
    secret: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. holds: None for what only has to be known."""

    holds: bool | None
    says: str


def read_page(text: bytes, name: str) -> Page:
    """The page of a room that draws lots. name: where it came from, for `Unreadable`."""
    try:
        page = Page.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(map(str, first["loc"])) or "the page"
        raise Unreadable(f"{name}: {field}: {first['msg']}") from None
    if page.method != "draw" or page.commitment is None:
        raise Unreadable(f"{name}: room {page.room} draws no lots")
    if page.recipe != DRAW_RECIPE:
        raise Unreadable(f"{name}: the recipe is {page.recipe!r}; this program knows {DRAW_RECIPE}")
    if (page.size is None) != (page.secret is None):
        raise Unreadable(f"{name}: size and secret are published together, or neither is")
    return page


class Order:
    """Who has which place, of `size` early numbers, which follow `base`."""

    def __init__(self, secret: bytes, size: int, room: str, epoch: int, base: int = 0) -> None:
        self.size = size
        self.base = base
        key = sha256(secret + size.to_bytes(8, "big") + epoch.to_bytes(8, "big") + room.encode()).digest()
        bits = max((size - 1).bit_length(), LEAST_BITS)
        narrow = bits // 2
        self._wide = wide = bits - narrow
        # Of two rounds the first changes the left half by the right one, the second the right half by the left.
        self._rounds = [(_mixed(key, r, wide, narrow), _mixed(key, r + 1, narrow, wide)) for r in range(0, ROUNDS, 2)]

    def place(self, number: int) -> int:
        """The place of a number; of one that came after the draw, the number."""
        early = number - self.base
        return self.base + next(self._places(range(early - 1, early))) if 1 <= early <= self.size else number

    def __iter__(self) -> Iterator[int]:
        """The places of the numbers base + 1..base + size, in order, less `base`."""
        return self._places(range(self.size))

    def _places(self, starts: Iterable[int]) -> Iterator[int]:
        size, wide, rounds = self.size, self._wide, self._rounds
        low = (1 << wide) - 1
        for start in starts:
            x = start
            while True:
                left, right = x >> wide, x & low
                for by_right, by_left in rounds:
                    left ^= by_right[right]
                    right ^= by_left[left]
                x = left << wide | right
                if x < size:
                    break
            yield x + 1


def _mixed(key: bytes, r: int, bits_in: int, bits_out: int) -> list[int]:
    """F(r, x) mod 2^bits_out for every x of `bits_in` bits."""
    head, low = key + bytes([r]), (1 << bits_out) - 1
    hashed = (sha256(head + x.to_bytes(8, "big")).digest()[:8] for x in range(1 << bits_in))
    return [int.from_bytes(each, "big") & low for each in hashed]


def verify(
    page: Page,
    *,
    earlier: Mapping[str, Page],
    commitment: str | None,
    numbers: Sequence[int] = (),
    places: Iterable[tuple[int, int]] | None = None,
) -> Iterator[Finding]:
    """Everything that can be checked, in order; places only if the page itself holds.

    earlier: pages saved before, by name. commitment: as it was noted before, in hex. numbers: whose place is wanted.
    places: (number, place) as visitors were told.
    """
    held = True
    for finding in _check_page(page, earlier, commitment):
        held = held and finding.holds is not False
        yield finding
    if not held or page.secret is None or page.size is None:
        return
    base = page.base or 0
    order = Order(bytes.fromhex(page.secret), page.size, page.room, page.epoch, base)
    if is_permutation(order):
        places_told = f"{base + 1} to {base + page.size}"
        yield Finding(True, f"each of the {page.size} early numbers has another of the places {places_told}")
    else:
        yield Finding(False, "two numbers have the same place: this program is at fault")
    for number in numbers:
        yield Finding(None, f"number {number} has place {order.place(number)}")
    if places is not None:
        yield from _check_places(order, places)


def is_permutation(order: Order) -> bool:
    """Whether no place is given twice, and none beyond the last: so each is given once."""
    given = bytearray(order.size + 1)
    for place in order:
        if given[place]:
            return False
        given[place] = 1
    return True


def _check_page(page: Page, earlier: Mapping[str, Page], commitment: str | None) -> Iterator[Finding]:
    for name, before in earlier.items():
        yield from _compare(page, before, name)
    if commitment is not None:
        same = page.commitment == commitment
        yield Finding(same, "the commitment is the one given" if same else f"the commitment is {page.commitment}")
    elif not earlier:
        yield Finding(None, "no commitment from before the opening was given: this secret may be a later one")
    if page.secret is None:
        yield Finding(False, "lots are not drawn yet")
        return
    found = sha256(bytes.fromhex(page.secret)).hexdigest()
    fits = found == page.commitment
    yield Finding(fits, f"the secret {'fits' if fits else 'does not fit'} the commitment {page.commitment}")


def _compare(page: Page, before: Page, name: str) -> Iterator[Finding]:
    fields = ["room", "epoch", "commitment"]
    if before.secret is not None:
        fields += ["size", "secret"] if before.base is None else ["base", "size", "secret"]
    changed = [field for field in fields if getattr(page, field) != getattr(before, field)]
    for field in changed:
        yield Finding(False, f"the {field} is {getattr(page, field)}, but was {getattr(before, field)} in {name}")
    if not changed:
        yield Finding(True, f"{', '.join(fields)}: as in {name}")


def _check_places(order: Order, places: Iterable[tuple[int, int]]) -> Iterator[Finding]:
    checked = drawn = wrong = 0
    for number, told in places:
        checked += 1
        drawn += 1 <= number - order.base <= order.size
        place = order.place(number)
        if place != told:
            wrong += 1
            if wrong <= WRONG_SHOWN:
                yield Finding(False, f"number {number} has place {place}, not {told}")
    if wrong > WRONG_SHOWN:
        yield Finding(False, f"and {wrong - WRONG_SHOWN} more: {wrong} of {checked} places do not fit")
    if wrong > max(drawn // 2, 1):
        yield Finding(None, "where most do not fit, the size was changed, or room or epoch, rather than the places")
    if not wrong:
        yield Finding(True, f"all {checked} places fit")
