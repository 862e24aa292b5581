"""What of a message's head goes on, in both directions."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.client import NOWHERE, Client
from gateway.edge.proxy.headers import _lines_of_answer, answer_head, is_ours, request_head, shape_of

CLIENT = Client(NOWHERE, "192.0.2.1", "https")


def _pairs(head: bytes) -> list[tuple[str, str]]:
    assert head.endswith(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]


def _raw(pairs) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in pairs]


def out(*pairs, proof="proof", client=CLIENT, **more) -> list[tuple[str, str]]:
    head = request_head("GET", "/", _raw(pairs), client, "site.test", proof=proof, request_id="7", **more)
    assert head.startswith(b"GET / HTTP/1.1\r\n")
    return _pairs(head)


def back(*pairs, cookies=(), status=200) -> list[tuple[str, str]]:
    found = _pairs(answer_head(status, "", _raw([*pairs, ("Date", "today")]), cookies=cookies))
    assert found.count(("Date", "today")) == 1
    return [pair for pair in found if pair[0] != "Date"]


def test_a_request_gains_exactly_what_the_gate_has_to_say():
    assert out() == [
        ("Host", "site.test"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "site.test"),
        ("X-Request-ID", "7"),
        ("Via", "1.1 sunbeon"),
        ("Sunbeon-Pass", "proof"),
    ]


def test_a_trusted_proxys_chain_goes_on():
    client = Client(NOWHERE, "192.0.2.1", "https", forwarded="for=192.0.2.1", trusted=True)
    assert dict(out(client=client))["Forwarded"] == "for=192.0.2.1"


def test_a_host_from_the_settings_replaces_the_visitors_and_is_told_beside_it():
    found = dict(out(told_host="booking.internal"))
    assert (found["Host"], found["X-Forwarded-Host"]) == ("booking.internal", "site.test")


def test_without_a_room_there_is_no_proof_and_none_can_be_brought():
    assert "sunbeon" not in str(out(("Sunbeon-Pass", "x"), ("sunbeon_pass", "x"), proof=None)).replace(
        "1.1 sunbeon", ""
    )


@pytest.mark.parametrize(
    "name",
    [
        "Transfer_Encoding",
        "content_length",
        "CONTENT_TYPE",
        "X_Forwarded_For",
        "Transfer.Encoding",
        "Content~Length",
        "X-Forwarded_Proto",
        "x_request_id",
    ],
)
def test_nothing_of_ours_or_of_the_framing_can_come_in_disguise(name):
    assert out((name, "1")) == out()


def test_other_names_in_underscores_go_through():
    assert ("my_header", "1") in out(("my_header", "1"))


def test_what_every_recipient_needs_cannot_be_taken_away_by_connection():
    pairs = [("Content-Length", "3"), ("Content-Type", "a/b"), ("Cache-Control", "no-cache"), ("X-Own", "1")]
    found = out(("Connection", "content-length, Content-Type, cache-control, x-own"), *pairs)
    assert found[1:4] == pairs[:3]
    assert "X-Own" not in dict(found)


def test_an_expectation_goes_on_only_where_it_means_something():
    assert "Expect" not in dict(out(("Expect", "100-continue")))
    assert dict(out(("Expect", "100-continue"), expect=True))["Expect"] == "100-continue"


def test_an_answer_without_a_date_gets_one_and_an_interim_one_does_not():
    (name, value), *more = _pairs(answer_head(200, "", []))
    assert (name, more) == ("Date", [])
    assert abs((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()) < 60
    assert _pairs(answer_head(103, "", [])) == []


@pytest.mark.parametrize("status", [100, 103, 204])
def test_where_no_body_can_be_no_length_is_told(status):
    assert back(("Content-Length", "0"), ("X", "1"), status=status) == [("X", "1")]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (b"sunbeon-pass", True),
        (b"sunbeon_pass", True),
        (b"sunbeon.pass", True),
        (b"sunbeon-x", True),
        (b"sunbeon", False),
        (b"x-sunbeon-pass", False),
        (b"sunbeonpass", False),
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


@pytest.mark.parametrize("mark", ["-", "_", ".", "~"])
@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-Ssl",
        "X-Forwarded-Scheme",
        "X-Forwarded-Protocol",
        "X-Forwarded-Uri",
        "X-Forwarded-Whatever-Comes",
        "X-Url-Scheme",
        "Front-End-Https",
        "X-Real-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "Fastly-Client-IP",
    ],
)
def test_a_client_cannot_say_by_which_scheme_or_from_where_it_came(name, mark):
    assert out((name.replace("-", mark), "https")) == out()
    assert out((name.replace("-", mark, 1).upper(), "https")) == out()


@pytest.mark.parametrize(
    "name",
    [
        *(
            "X-Original-URL",
            "X-Rewrite-URL",
            "X-Original-Host",
            "x_original_url",
            "X-Original-URI",
            "X-Envoy-Original-Path",
        ),
        *("SCRIPT_NAME", "Script-Name", "script.name", "X-Script-Name", "PATH_INFO", "REQUEST_URI", "UNENCODED_URL"),
        *("X-Host", "X-HTTP-Host-Override", "X-HTTP-DestinationURL", "X-Waws-Unencoded-Url", "Proxy"),
    ],
)
def test_a_client_cannot_name_another_page_than_the_one_the_gate_matched(name):
    assert out((name, "/admin")) == out()


@pytest.mark.parametrize("name", ["CDN-Cache-Control", "Surrogate-Control", "X-Accel-Expires", "Expires", "expires"])
def test_no_cache_is_told_by_another_header_to_keep_an_answer_with_our_cookies(name):
    assert back((name, "max-age=600"), cookies=["b=2"]) == back(cookies=["b=2"])
    assert back((name, "max-age=600")) == [(name, "max-age=600")]


def test_an_answer_without_our_cookies_is_left_alone():
    pairs = [("ETag", '"1"'), ("Cache-Control", "public"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
    assert back(*pairs) == pairs


ANSWERED = st.tuples(
    st.sampled_from(
        [
            "Connection",
            "Keep-Alive",
            "Close",
            "Upgrade",
            "Content-Length",
            "Content-Type",
            "Transfer-Encoding",
            "Set-Cookie",
            "Cache-Control",
            "Expires",
            "X-A",
            "x_a",
            "Sunbeon-Stock",
            "Sunbeon_Stock",
            "Server",
            "Date",
        ]
    ),
    st.sampled_from(["keep-alive", "Keep-Alive", "close", "x-a", "keep-alive, x-a", "sunbeon_pass_a=b", "7", ""]),
)


@given(st.lists(ANSWERED, max_size=8), st.sampled_from([200, 204, 304, 404, 500]))
def test_heads_of_the_usual_shape_go_on_as_the_long_way_has_it(pairs, status):
    headers = _raw([*pairs, ("Date", "today")])
    start = answer_head(status, "", []).partition(b"\r\n")[0]
    lines = _lines_of_answer(status, headers, shape_of(headers), start, private=False)
    assert answer_head(status, "", headers) == b"\r\n".join([*lines, b"\r\n"])
