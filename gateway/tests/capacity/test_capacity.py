"""In small, what `python -m gateway.tests.capacity` measures in full: who waits costs a bit, who is inside bytes."""

import pytest

from gateway.tests.capacity import memory

WAITING = 400_000
INSIDE = 20_000
KNOCKS = 20_000
# A bit for each, as a string that grows has room to grow; and the scripts, as they are first used.
BITS_EACH = 2
ONCE = 60_000
# Of few, a little more than of many: knocks lie in as many small hashes, and tables grow by doubling.
BYTES_INSIDE = 250
BYTES_KNOCK = 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["redis", "valkey"])
async def test_who_waits_costs_the_store_a_bit_and_who_is_inside_some_bytes(kind):
    found = await memory.measure(kind, waiting=WAITING, passes=INSIDE, knocks=KNOCKS)
    print(f"\n{found.report()}")
    assert found.scripts < ONCE
    assert found.waiting - found.scripts < (WAITING + INSIDE) * BITS_EACH / 8
    assert found.passes - found.waiting < INSIDE * BYTES_INSIDE
    assert found.knocks < KNOCKS * BYTES_KNOCK + ONCE
