"""What of a message's headers goes on, in both directions."""

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from gateway.edge.client import NOWHERE, Client
from gateway.edge.proxy.headers import is_ours, to_backend, to_client

CLIENT = Client(NOWHERE, "192.0.2.1", "https")


def out(*pairs, proof="proof") -> list[tuple[str, str]]:
    return list(to_backend(CIMultiDictProxy(CIMultiDict(pairs)), CLIENT, "site.test", proof=proof).items())


def back(*pairs, cookies=()) -> list[tuple[str, str]]:
    return list(to_client(CIMultiDictProxy(CIMultiDict(pairs)), cookies).items())


def test_a_request_gains_exactly_what_the_gate_has_to_say():
    assert out() == [
        ("Host", "site.test"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "site.test"),
        ("Via", "1.1 sunbeon"),
        ("Sunbeon-Pass", "proof"),
    ]


def test_without_a_room_there_is_no_proof_and_none_can_be_brought():
    assert "sunbeon" not in str(out(("Sunbeon-Pass", "x"), ("sunbeon_pass", "x"), proof=None)).replace(
        "1.1 sunbeon", ""
    )


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("sunbeon-pass", True),
        ("sunbeon_pass", True),
        ("sunbeon-x", True),
        ("sunbeon", False),
        ("x-sunbeon-pass", False),
        ("sunbeonpass", False),
    ],
)
def test_a_header_is_ours_in_every_spelling_a_backend_could_take_for_it(name, ours):
    assert is_ours(name) is ours


def test_what_a_connection_header_names_cannot_take_away_what_the_gate_says():
    found = dict(out(("Connection", "Sunbeon-Pass, X-Forwarded-For, Host, Via")))
    assert found == dict(out())


def test_other_proxies_on_the_way_stay_named():
    assert [value for name, value in out(("Via", "1.1 front")) if name == "Via"] == ["1.1 front", "1.1 sunbeon"]


def test_an_answer_with_our_cookies_is_for_one_visitor_and_keeps_the_backends_own():
    found = back(("Set-Cookie", "a=1"), ("cache-control", "public"), ("Cache-Control", "max-age=9"), cookies=["b=2"])
    assert found.count(("Cache-Control", "private, no-store")) == 1
    assert [value for name, value in found if name.lower() == "cache-control"] == ["private, no-store"]
    assert [value for name, value in found if name == "Set-Cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-URL", "X-Original-Host", "x_original_url"])
def test_a_client_cannot_name_another_page_than_the_one_the_gate_matched(name):
    assert out((name, "/admin")) == out()


@pytest.mark.parametrize("name", ["CDN-Cache-Control", "Surrogate-Control", "Expires", "expires"])
def test_no_cache_is_told_by_another_header_to_keep_an_answer_with_our_cookies(name):
    assert back((name, "max-age=600"), cookies=["b=2"]) == back(cookies=["b=2"])
    assert back((name, "max-age=600")) == [(name, "max-age=600")]


def test_an_answer_without_our_cookies_is_left_alone():
    pairs = [("ETag", '"1"'), ("Cache-Control", "public"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert back(*pairs) == pairs
