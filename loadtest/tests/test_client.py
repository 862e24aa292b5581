"""Cookies kept by hand, time that brackets, spellings of an address."""

import gzip
from dataclasses import replace

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from loadtest.cheats import deep_links
from loadtest.client import Answer, Client
from loadtest.gates import Gates
from loadtest.jar import Jar
from loadtest.site import Site, Status
from loadtest.tally import Watch
from shared.wire import GATE_HEADER, SECURE_PREFIX


def test_a_jar_sends_back_what_it_was_given_and_forgets_what_it_was_told_to() -> None:
    jar = Jar()
    assert jar.take(["a=1; Path=/; HttpOnly", "b=x=y; Max-Age=60"]) == {"a", "b"}
    assert jar.header() == "a=1; b=x=y"
    assert jar.take(['a=""; Max-Age=0; Path=/', "b=; expires=Thu, 01 Jan 1970 00:00:00 GMT"]) == set()
    assert jar.header() == ""


def test_a_copy_of_a_jar_leaves_the_jar_alone() -> None:
    jar = Jar({"a": "1"})
    assert jar.with_cookie("a", "2").header() == "a=2"
    assert jar.with_cookie("a", None).header() == ""
    assert jar.header() == "a=1"


def test_names_are_bare_whether_or_not_tls_brings_a_prefix() -> None:
    jar = Jar()
    assert jar.take([f"{SECURE_PREFIX}a=1; Secure"]) == {"a"}
    assert jar.get("a") == "1"
    assert jar.with_cookie("a", "2").header() == f"{SECURE_PREFIX}a=2"


def test_what_happens_between_two_readings_lies_between_them() -> None:
    watch = Watch()
    assert 0 <= watch.floor_ms() < watch.ceil_ms()


def test_spellings_reach_the_wire_as_they_are_written() -> None:
    site = Site(URL("http://127.0.0.1:8080/booking"), "main")
    links = deep_links("/booking")
    assert {"/BOOKING", "/%62ooking", "/%2e/booking", "//booking", "/booking;x", "/booking%2f"} <= set(links)
    assert [str(site.at(link)).removeprefix("http://127.0.0.1:8080") for link in links] == list(links)
    assert all(link.startswith("/") for link in deep_links("/"))


def test_an_answer_that_is_no_status_is_none() -> None:
    assert Status.read(None) is None
    assert Status.read({"state": "dancing"}) is None


async def test_a_newcomer_told_that_the_line_cannot_be_asked_may_have_been_given_what_nobody_holds() -> None:
    """The gate gives it back when the line has answered: the store's counts then know more than any visitor."""
    told = ['{"catching_up": false}', '{"catching_up": true}', '{"catching_up":true}']

    async def wait(_: web.Request) -> web.Response:
        return web.Response(text=told.pop(0), headers={GATE_HEADER: "waiting"})

    app = web.Application()
    app.router.add_get("/", wait)
    async with TestServer(app, host="127.0.0.1") as server:
        url = server.make_url("/")
        async with Client(Gates((str(url),)), sockets=1) as client:
            for orphans in (0, 1, 2):
                await client.ask("GET", url, jar=Jar(), orphans=True)
                assert client.tally.orphans == orphans
    assert len(client.tally.away_ms) == 2


def test_an_answer_is_read_as_it_was_before_it_was_coded_and_a_damaged_one_as_none() -> None:
    facts = b'{"a": "' + b"x" * 50_000 + b'"}'

    def told(raw: bytes, coding: str) -> Answer:
        return Answer(200, "status", (), 1.0, raw, 0, 0, coding=coding)

    assert told(facts, "").json() == told(gzip.compress(facts), "gzip").json() == orjson.loads(facts)
    assert told(gzip.compress(facts)[:-60], "gzip").json() is None
    assert told(facts, "gzip").json() is told(facts, "br").json() is None


def test_a_page_is_read_as_far_as_to_what_it_says_about_the_line() -> None:
    for said in (True, False):
        page = b"<style>" + b"x" * 20_000 + b'"catching_up": ' + (b"true" if said else b"false") + b"y" * 20_000
        plain = Answer(200, "waiting", (), 1.0, page, 0, 0)
        coded = replace(plain, raw=gzip.compress(page), coding="gzip")
        assert plain.catching_up() is coded.catching_up() is said
        assert not replace(coded, raw=b"damaged").catching_up()
