import sys
from itertools import pairwise

import pytest

from gateway.store.tests.contend import contend


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_that_join_at_once_share_the_numbers_and_none_starves(shared_url, capsys, processes):
    found = contend(shared_url, processes=processes, seconds=1.0, batch=8)
    with capsys.disabled():
        sys.stdout.write(f"\n  {found.report()}\n")
    together = sorted(number for own in found.numbers for number in own)
    assert together == list(range(1, len(together) + 1))
    for own in found.numbers:
        assert all(earlier < later for earlier, later in pairwise(own))
        assert len(own) > len(together) / processes / 10
