"""The choice of a server: fair by share and turn, and never a worse one while a better one is left."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.proxy.balance import Candidate, LeastConnections, RoundRobin, Standing
from gateway.edge.proxy.health import LEAST_SHARE, Health, Verdict
from gateway.settings import Upstream

shares = st.floats(LEAST_SHARE, 1.0)
candidates = st.lists(st.tuples(st.sampled_from(Standing), st.integers(0, 50), shares), min_size=1, max_size=8).map(
    lambda rows: [Candidate(number, *row) for number, row in enumerate(rows)]
)
ways = pytest.mark.parametrize("way", [LeastConnections, RoundRobin])


def ready(*in_flight: int) -> list[Candidate]:
    return [Candidate(number, Standing.READY, each, 1.0) for number, each in enumerate(in_flight)]


@ways
@given(rounds=st.lists(candidates, min_size=1, max_size=5))
def test_no_worse_server_is_chosen_while_a_better_one_is_left(way, rounds):
    balance = way()
    for offered in rounds:
        assert balance.choose(offered).standing is min(each.standing for each in offered)


@ways
@given(count=st.integers(1, 8), rounds=st.integers(1, 5))
def test_equal_servers_take_turns(way, count, rounds):
    balance = way()
    chosen = [balance.choose(ready(*[0] * count)).number for _ in range(count * rounds)]
    assert chosen == chosen[:count] * rounds
    assert set(chosen) == set(range(count))


def test_the_server_with_the_least_under_way_is_next():
    assert LeastConnections().choose(ready(3, 1, 2)).number == 1


@given(given=st.lists(shares, min_size=1, max_size=6), requests=st.integers(1, 200))
def test_what_is_in_flight_is_split_by_the_shares(given, requests):
    balance, in_flight = LeastConnections(), Counter[int]()
    for _ in range(requests):
        offered = [Candidate(number, Standing.READY, in_flight[number], share) for number, share in enumerate(given)]
        in_flight[balance.choose(offered).number] += 1
    for one, share in enumerate(given):
        for other, its_share in enumerate(given):
            assert in_flight[one] / share <= (in_flight[other] + 1) / its_share + 1e-9


@given(given=st.lists(shares, min_size=1, max_size=6), requests=st.integers(1, 400))
def test_turns_follow_the_shares_at_every_moment(given, requests):
    balance, turns = RoundRobin(), Counter[int]()
    offered = [Candidate(number, Standing.READY, 0, share) for number, share in enumerate(given)]
    weights = [round(1000 * share) for share in given]
    for made in range(1, requests + 1):
        turns[balance.choose(offered).number] += 1
        for number, weight in enumerate(weights):
            due = made * weight / sum(weights)
            assert due - len(given) < turns[number] < due + 1


@ways
def test_a_server_that_was_away_is_owed_nothing_for_that_time(way):
    balance = way()
    alone = ready(0)
    for _ in range(100):
        balance.choose(alone)
    chosen = Counter(balance.choose(ready(0, 0)).number for _ in range(10))
    assert chosen == {0: 5, 1: 5}


def test_a_recovered_servers_share_rises_over_its_slow_start():
    health = Health(Upstream(servers=("http://127.0.0.1:1",), slow_start_s=10, health_rise=1, health_fall=1))
    health.checked(Verdict.BAD, 0.0)
    health.checked(Verdict.GOOD, 0.0)
    balance, per_second = RoundRobin(), Counter[int]()
    for moment in range(1200):
        now_s = moment / 100
        offered = [Candidate(0, health.standing(now_s), 0, health.share(now_s)), Candidate(1, Standing.READY, 0, 1.0)]
        if balance.choose(offered).number == 0:
            per_second[int(now_s)] += 1
    risen = [per_second[second] for second in range(12)]
    assert risen == sorted(risen)
    for second in range(10):
        middle = max(LEAST_SHARE, (second + 0.5) / 10)
        assert risen[second] == pytest.approx(100 * middle / (1 + middle), abs=2)
    assert risen[10:] == [50, 50]
