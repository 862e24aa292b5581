"""How many of one network are let in by their first request."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from gateway.edge import newcomers
from gateway.edge.newcomers import Newcomers
from gateway.edge.tests.front import BROWSER

HOME = ip_address("192.0.2.1")


class Seconds:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.integers(1, 30), st.lists(st.floats(0, 30), max_size=200))
def test_no_more_than_the_bucket_and_its_refill_ever_enter(per_minute, pauses):
    clock = Seconds()
    gate, entered = Newcomers(per_minute, monotonic=clock), 0
    for pause_s in pauses:
        clock.now += pause_s
        entered += gate.may_enter(HOME)
        assert entered <= per_minute + (clock.now - 1000) * per_minute / 60 + 1e-6


@given(st.integers(1, 600))
def test_who_comes_at_the_pace_allowed_is_never_held_up(per_minute):
    clock = Seconds()
    gate = Newcomers(per_minute, monotonic=clock)
    for _ in range(2 * per_minute):
        assert gate.may_enter(HOME)
        clock.now += 60 / per_minute


def test_networks_do_not_pay_for_each_other_but_an_ipv6_customer_is_one():
    gate = Newcomers(1, monotonic=Seconds())
    assert gate.may_enter(ip_address("192.0.2.1"))
    assert gate.may_enter(ip_address("192.0.2.2"))
    assert gate.may_enter(ip_address("2001:db8::1"))
    assert not gate.may_enter(ip_address("2001:db8::2"))
    assert gate.may_enter(ip_address("2001:db8:0:1::1"))


def test_zero_is_no_limit():
    gate = Newcomers(0, monotonic=Seconds())
    assert all(gate.may_enter(HOME) for _ in range(1000))
    assert len(gate) == 0


def test_what_is_over_is_forgotten_and_what_is_not_has_a_bound(monkeypatch):
    monkeypatch.setattr(newcomers, "REMEMBERED", 50)
    clock = Seconds()
    gate = Newcomers(1, monotonic=clock)
    for number in range(200):
        gate.may_enter(ip_address(number))
    assert len(gate) == 50
    clock.now += 61
    for number in range(1000, 1060):
        gate.may_enter(ip_address(number))
        clock.now += 1.5
    assert len(gate) <= 41


async def test_a_flood_that_keeps_no_cookies_takes_no_seat_beyond_the_limit_and_a_browser_still_enters(start):
    site = await start(rooms=[{"total_active_users": 100}], edge={"direct_entries_per_network_per_minute": 3})
    for _ in range(20):
        await site.visitor(headers=BROWSER).get()
    assert (await site.room()).live == 3
    visitor = site.visitor()
    assert (await visitor.get()).gate == "waiting"
    assert (await visitor.status())["state"] == "inside"
    assert (await visitor.get()).gate is None
