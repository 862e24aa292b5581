"""Several gateways of one site: any of them for any request, and what it means when one goes."""

import asyncio
from collections import Counter

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yarl import URL

from loadtest import report
from loadtest.evidence import Verdict
from loadtest.gates import Gates
from loadtest.options import Options, UsageError, check
from loadtest.runner import run
from loadtest.tests.fake_gate import TOKEN, running
from loadtest.tests.fake_line import Line

PAGES = ("http://127.0.0.1:1/booking", "http://127.0.0.1:2/booking", "http://127.0.0.1:3/booking")
STATUS = URL("http://127.0.0.1:1/%2e/a?b=%2f", encoded=True)


def test_a_request_goes_to_any_gateway_as_it_is_spelled_and_under_the_sites_name() -> None:
    gates = Gates(PAGES)
    targets = [gates.target(STATUS) for _ in range(60)]
    assert {str(target.url) for target in targets} == {f"http://127.0.0.1:{port}/%2e/a?b=%2f" for port in (1, 2, 3)}
    assert {target.host for target in targets} == {"127.0.0.1:1"}


def test_what_just_failed_is_not_asked_again_at_once_where_there_is_another() -> None:
    gates = Gates(PAGES[:2])
    assert {gates.target(STATUS, failed="http://127.0.0.1:2").name for _ in range(20)} == {"http://127.0.0.1:1"}
    assert Gates(PAGES[:1]).target(STATUS, failed="http://127.0.0.1:1").url == STATUS


def test_the_backends_own_address_is_left_alone() -> None:
    url = URL("http://127.0.0.1:9/booking")
    target = Gates(PAGES).target(url)
    assert (target.url, target.host) == (url, None)


async def test_a_gateway_that_is_not_ready_gets_nobody_until_it_is() -> None:
    statuses, looks = [200, 503], Counter[int]()

    def app(index: int) -> TestServer:
        async def ready(_: web.Request) -> web.Response:
            looks[index] += 1
            return web.Response(status=statuses[index])

        made = web.Application()
        made.router.add_get("/readyz", ready)
        return TestServer(made, host="127.0.0.1")

    async def looked_at(names: set[str]) -> None:
        async with asyncio.timeout(20):
            while {gates.target(STATUS).name for _ in range(20)} != names:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # what is awaited is another task's doing

    servers = [app(0), app(1)]
    for server in servers:
        await server.start_server()
    gates = Gates(PAGES[:2])
    urls = [str(server.make_url("/")) for server in servers]
    async with aiohttp.ClientSession() as session, gates.watched(session, urls):
        await looked_at({"http://127.0.0.1:1"})
        statuses[1] = 200
        await looked_at({"http://127.0.0.1:1", "http://127.0.0.1:2"})
        await servers[0].close()
        await looked_at({"http://127.0.0.1:2"})
    await servers[1].close()
    assert min(looks.values()) > 0


async def test_a_run_over_two_gateways_and_one_that_never_comes_keeps_every_promise_and_counts_the_errors() -> None:
    async with running(Line(ceiling=5, per_minute=6000), others=1) as fake:
        outcome = await run(
            Options(
                urls=(fake.url, PAGES[1], *fake.others),
                operator_urls=(fake.operator_url,),
                operator_token=TOKEN,
                visitors=30,
                arrive_s=0.15,
                stay_s=0.06,
                max_s=30.0,
            )
        )
    assert [finding for finding in outcome.findings if finding.verdict is Verdict.BROKEN] == []
    assert outcome.stopped is None
    data = report.summary(outcome)
    assert list(data["errors_seen"]) == ["http://127.0.0.1:2"]
    assert list(data["errors_seen"]["http://127.0.0.1:2"]) == ["refused"]
    assert 0 < data["saw_an_error"] < data["asked"] < data["requests"]


def test_operators_addresses_are_one_or_one_per_gateway() -> None:
    with pytest.raises(UsageError, match="one for each of the 3"):
        check(Options(urls=PAGES, operator_urls=("http://127.0.0.1:4", "http://127.0.0.1:5")))
    check(Options(urls=PAGES, operator_urls=("http://127.0.0.1:4",)))
