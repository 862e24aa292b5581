from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.store.base import StoreMisconfigured
from gateway.store.redis_nodes import Access
from gateway.store.redis_url import SCHEMES, Kind, RedisUrl, parse_redis_url

SECRET = "hunter2"
THREE = (("h1", 6379), ("h2", 7000), ("h3", 6379))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://host", RedisUrl(Kind.SINGLE, (("host", 6379),))),
        ("valkey://host:7000/3", RedisUrl(Kind.SINGLE, (("host", 7000),), db=3)),
        ("redis://host?db=3", RedisUrl(Kind.SINGLE, (("host", 6379),), db=3)),
        ("redis://127.0.0.1/0", RedisUrl(Kind.SINGLE, (("127.0.0.1", 6379),))),
        ("redis://[::1]:7000", RedisUrl(Kind.SINGLE, (("::1", 7000),))),
        ("rediss://host", RedisUrl(Kind.SINGLE, (("host", 6379),), tls=True)),
        ("valkeys://host", RedisUrl(Kind.SINGLE, (("host", 6379),), tls=True)),
        ("redis://:pw@host", RedisUrl(Kind.SINGLE, (("host", 6379),), password="pw")),
        ("redis://me:pw@host", RedisUrl(Kind.SINGLE, (("host", 6379),), user="me", password="pw")),
        ("redis://me@host", RedisUrl(Kind.SINGLE, (("host", 6379),), user="me")),
        ("redis://me:a%40b%2Fc%3A%23@host", RedisUrl(Kind.SINGLE, (("host", 6379),), user="me", password="a@b/c:#")),
        ("redis://me:a@b@host", RedisUrl(Kind.SINGLE, (("host", 6379),), user="me", password="a@b")),
        ("redis+unix:///run/valkey.sock", RedisUrl(Kind.SINGLE, path="/run/valkey.sock")),
        ("valkey+unix://:pw@/run/a%20b.sock?db=2", RedisUrl(Kind.SINGLE, path="/run/a b.sock", password="pw", db=2)),
        (
            "redis+sentinel://h1,h2:7000/main",
            RedisUrl(Kind.SENTINEL, (("h1", 26379), ("h2", 7000)), service="main"),
        ),
        (
            "rediss+sentinel://:pw@h1/main?db=2",
            RedisUrl(Kind.SENTINEL, (("h1", 26379),), tls=True, service="main", password="pw", db=2),
        ),
        ("redis+cluster://h1,h2:7000,h3", RedisUrl(Kind.CLUSTER, THREE)),
        ("valkeys+cluster://me:pw@h1/", RedisUrl(Kind.CLUSTER, (("h1", 6379),), tls=True, user="me", password="pw")),
        (
            "redis://host?prefix=a:b&min_replicas=2",
            RedisUrl(Kind.SINGLE, (("host", 6379),), prefix="a:b", min_replicas=2),
        ),
    ],
)
def test_every_form_is_read(text, expected):
    assert parse_redis_url(text) == expected


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("http://host", "none of redis://"),
        ("redis+http://host", "none of"),
        ("rediss+unix:///run/a.sock", "none of"),
        ("redis://[::1", "not a URL"),
        ("redis://", "names no host"),
        ("redis:///0", "names no host"),
        ("redis://:hunter2@", "names no host"),
        ("redis://host:0", "name:port"),
        ("redis://host:65536", "name:port"),
        ("redis://host:x", "name:port"),
        ("redis://ho st", "name:port"),
        ("redis://::1", "brackets"),
        ("redis://h1,h2", "several hosts"),
        ("redis://host/name", "db"),
        ("redis://host/-1", "db"),
        ("redis://host/1025", "db"),
        ("redis://host/1/2", "db"),
        ("redis://host?db=", "db"),
        ("redis://host?db=\u0663", "db"),
        ("redis://host?db=99999999999", "db"),
        ("redis://host?prefix=a{b}", "prefix"),
        ("redis://host?prefix=", "prefix"),
        ("redis://host?prefix=" + "a" * 65, "prefix"),
        ("redis://host?min_replicas=17", "min_replicas"),
        ("redis://host?min_replicas=1.5", "min_replicas"),
        ("redis://host?ssl_cert_reqs=none", "no such option: ssl_cert_reqs"),
        ("redis://host#1", "%23"),
        ("redis://:hunter2#x@host", "%23"),
        ("redis+unix://", "no socket"),
        ("redis+unix://host/run/a.sock", "no socket"),
        ("redis+sentinel://h1,h2", "what the sentinels call the primary"),
        ("redis+sentinel://h1/a/b", "what the sentinels call the primary"),
        ("redis+sentinel:///main", "names no host"),
        ("redis+cluster://h1/1", "only one"),
        ("redis+cluster://h1?db=0", "only one"),
        ("redis+cluster://,,", "names no host"),
    ],
)
def test_what_is_no_store_is_refused_with_what_is_wrong_and_without_its_password(text, hint):
    with pytest.raises(StoreMisconfigured) as refusal:
        parse_redis_url(text)
    assert hint in str(refusal.value)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_no_password_is_in_a_label_or_a_repr(scheme):
    place = {"unix": "/run/a.sock", "sentinel": "h1,h2/main", "cluster": "h1,h2"}.get(scheme.partition("+")[2], "h1")
    url = parse_redis_url(f"{scheme}://me:{SECRET}@{place}")
    assert url.password == SECRET
    assert SECRET not in f"{url.label} {url!r} {url}"
    assert SECRET not in repr(Access(1, SECRET, SECRET))


@given(st.sampled_from(SCHEMES), st.text(max_size=30))
def test_whatever_is_written_is_read_or_refused_in_our_words(scheme, rest):
    for text in (f"{scheme}://{rest}", f"{scheme}://u:{SECRET}@{rest}", f"{scheme}://u:{SECRET}{rest}@h1", rest):
        try:
            url = parse_redis_url(text)
        except StoreMisconfigured as refusal:
            assert SECRET not in str(refusal)  # noqa: PT017 - either is well
        else:
            assert SECRET not in url.label + repr(url)


@given(st.text(min_size=1), st.text())
def test_a_user_and_a_password_of_any_letters_can_be_written(user, password):
    url = parse_redis_url(f"redis://{quote(user, safe='')}:{quote(password, safe='')}@host")
    assert (url.user, url.password) == (user, password)


def test_servers_are_named_in_messages_as_an_operator_wrote_them():
    assert parse_redis_url("redis+sentinel://h1,[::1]:7/main").label == "h1:26379,[::1]:7/main"
    assert parse_redis_url("redis+unix://:x@/run/a.sock").label == "unix:/run/a.sock"
