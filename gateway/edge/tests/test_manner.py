import pytest
from multidict import CIMultiDict

from gateway.edge.manner import Manner, is_same_origin, manner_of

BROWSER = {"Host": "site.test", "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate"}


@pytest.mark.parametrize(
    ("method", "changed", "manner"),
    [
        ("GET", {}, Manner.AT_ONCE),
        ("GET", {"Sec-Fetch-Site": "cross-site"}, Manner.AT_ONCE),  # a link on another site
        ("POST", {"Sec-Fetch-Site": "same-origin", "Origin": "http://site.test"}, Manner.AT_ONCE),
        ("POST", {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.test"}, Manner.STRANGER),
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, Manner.STRANGER),  # <img>
        ("GET", {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}, Manner.STRANGER),
        ("GET", {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors"}, Manner.KNOCK),
        ("GET", {"Sec-Purpose": "prefetch"}, Manner.KNOCK),
        ("GET", {"Purpose": "prefetch"}, Manner.KNOCK),
        ("GET", {"purpose": "Prefetch"}, Manner.KNOCK),
        ("GET", {"X-Purpose": "preview"}, Manner.KNOCK),
        ("GET", {"X-Moz": "PREFETCH"}, Manner.KNOCK),
        ("GET", {"Purpose": "booking"}, Manner.AT_ONCE),
        ("HEAD", {}, Manner.KNOCK),
        ("OPTIONS", {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}, Manner.KNOCK),
    ],
)
def test_a_browser_says_in_what_manner_it_comes(method, changed, manner):
    assert manner_of(method, CIMultiDict(BROWSER | changed)) is manner


@pytest.mark.parametrize(
    ("method", "headers", "manner"),
    [
        ("GET", {}, Manner.AT_ONCE),
        ("POST", {}, Manner.AT_ONCE),
        ("POST", {"Origin": "http://site.test"}, Manner.AT_ONCE),
        ("POST", {"Origin": "http://evil.test"}, Manner.STRANGER),
        ("POST", {"Origin": "null"}, Manner.STRANGER),
        ("HEAD", {}, Manner.KNOCK),
        ("OPTIONS", {}, Manner.KNOCK),
    ],
)
def test_programs_and_old_browsers_are_told_apart_by_origin_and_method(method, headers, manner):
    assert manner_of(method, CIMultiDict({"Host": "site.test", **headers})) is manner


def test_a_form_counts_as_this_sites_own_by_what_the_browser_says_else_by_its_origin():
    assert is_same_origin({"Sec-Fetch-Site": "same-origin"})
    assert not is_same_origin({"Sec-Fetch-Site": "cross-site", "Origin": "http://site.test", "Host": "site.test"})
    assert is_same_origin({"Origin": "http://site.test", "Host": "site.test"})
    assert not is_same_origin({"Origin": "http://evil.test", "Host": "site.test"})
    assert is_same_origin({})
