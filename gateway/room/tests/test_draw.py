"""Every early number gets another place, every place is as likely, and nothing but the secret and M decides it."""

from collections import Counter
from hashlib import sha256
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.room.draw import ROUNDS, Draw, commitment

secrets = st.binary(min_size=32, max_size=32)
sizes = st.integers(1, 40) | st.integers(1, 10_000_000)


def by_the_recipe(secret: bytes, size: int, room: str, epoch: int, number: int) -> int:
    """The recipe of the module's docstring, step by step."""
    key = sha256(secret + size.to_bytes(8, "big") + epoch.to_bytes(8, "big") + room.encode()).digest()
    bits = max((size - 1).bit_length(), 6)
    x = number - 1
    while True:
        left, right = divmod(x, 2 ** (bits - bits // 2))
        widths = [bits // 2, bits - bits // 2]
        for r in range(ROUNDS):
            mixed = int.from_bytes(sha256(key + bytes([r]) + right.to_bytes(8, "big")).digest()[:8], "big")
            left, right = right, left ^ mixed % 2 ** widths[0]
            widths.reverse()
        x = left * 2 ** (bits - bits // 2) + right
        if x < size:
            return int(x + 1)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 255, 256, 257, 1000, 4097])
def test_all_early_numbers_share_the_early_places(size):
    draw = Draw(b"s" * 32, size, "hall", 1)
    places = list(draw)
    assert sorted(places) == list(range(1, size + 1))
    assert [draw.number(place) for place in places] == list(range(1, size + 1))


@given(secret=secrets, size=sizes, data=st.data())
def test_a_place_leads_back_to_its_number_and_follows_the_recipe(secret, size, data):
    draw = Draw(secret, size, "hall", 7)
    number = data.draw(st.integers(1, size))
    place = draw.place(number)
    assert 1 <= place <= size
    assert draw.number(place) == number
    assert place == by_the_recipe(secret, size, "hall", 7, number)


@given(secret=secrets, size=st.integers(0, 10_000), later=st.integers(1, 10**9))
def test_who_came_after_the_draw_keeps_the_number_as_place(secret, size, later):
    draw = Draw(secret, size, "hall", 1)
    assert draw.place(size + later) == draw.number(size + later) == size + later
    assert draw.place(0) == 0


def test_secret_size_room_and_epoch_each_make_another_order():
    orders = {
        tuple(Draw(secret, size, room, epoch))[:200]
        for secret, size, room, epoch in [
            (b"s" * 32, 300, "hall", 1),
            (b"t" * 32, 300, "hall", 1),
            (b"s" * 32, 301, "hall", 1),
            (b"s" * 32, 300, "hall2", 1),
            (b"s" * 32, 300, "hall", 2),
        ]
    }
    assert len(orders) == 5


def test_the_commitment_is_the_hash_of_the_secret():
    assert commitment(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


# Upper 0.1 % points of chi-square. The secrets are fixed: this either holds or does not.
@pytest.mark.parametrize(("size", "limit"), [(2, 10.8), (3, 18.5), (5, 39.3), (8, 85.4), (13, 200.6)])
def test_every_number_is_as_likely_to_get_every_place(size, limit):
    seeds = 2_000
    cells: Counter[tuple[int, int]] = Counter()
    for seed in range(seeds):
        draw = Draw(seed.to_bytes(32, "big"), size, "hall", 1)
        cells.update((number, draw.place(number)) for number in range(1, size + 1))
    fair = seeds / size
    chi_square = sum((cells[n, p] - fair) ** 2 / fair for n in range(1, size + 1) for p in range(1, size + 1))
    assert chi_square < limit


def test_every_order_of_a_few_is_as_likely():
    seeds = 2_400
    orders = Counter(tuple(Draw(seed.to_bytes(32, "big"), 4, "hall", 1)) for seed in range(seeds))
    fair = seeds / 24
    chi_square = sum((orders[order] - fair) ** 2 / fair for order in permutations(range(1, 5)))
    assert chi_square < 49.7


def test_neighbours_in_line_do_not_stay_neighbours():
    draw = Draw(b"n" * 32, 100_000, "hall", 1)
    near = sum(abs(draw.place(n) - draw.place(n + 1)) <= 10 for n in range(1, 20_001))
    # By chance about 20,000 * 20 / 100,000 = 4.
    assert near < 16
