"""The waiting page, asked for again and again."""

import pytest

from gateway.edge.hasty import BURST, LEAST_RETRY_S

BROWSER = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}


@pytest.fixture
async def waiting(site):
    """Somebody in line, with the number 2."""
    await site.visitor().get()
    visitor = site.visitor(headers=BROWSER)
    assert await visitor.queue() == 2
    return visitor


async def test_who_reloads_in_a_loop_is_told_off_and_keeps_place_and_answers(site, waiting):
    # One was made when they came.
    pages = [await waiting.get() for _ in range(BURST - 1 + 10)]
    assert [(page.status, page.gate) for page in pages] == [(200, "waiting")] * (BURST - 1) + [(429, "hasty")] * 10
    retry_s = int(pages[-1].one("Retry-After"))
    assert retry_s >= LEAST_RETRY_S
    # Where one stands is counted apart: the page that is open in another tab goes on.
    status = await waiting.status()
    assert (status["state"], status["number"]) == ("waiting", 2)
    await site.pass_time(retry_s * 1000)
    page = await waiting.get()
    assert (page.status, page.gate) == (200, "waiting")
    assert (await site.counters())["told_off"] == 10


async def test_reloading_now_and_then_is_never_told_off(site, waiting):
    for _ in range(40):
        assert (await waiting.get()).status == 200
        await site.pass_time(300)


async def test_nobody_is_told_off_for_anothers_reloads(site, waiting):
    other = site.visitor(headers=BROWSER)
    assert await other.queue() == 3
    for _ in range(BURST + 5):
        await waiting.get()
    assert (await other.get()).status == 200


@pytest.mark.parametrize(
    ("language", "said"), [("ko", "순서는 그대로 유지됩니다"), ("en", "Your place is kept")], ids=["ko", "en"]
)
async def test_the_page_says_so_in_the_readers_language_and_comes_back_by_itself(site, waiting, language, said):
    for _ in range(BURST + 1):
        page = await waiting.get("/", **{"Accept-Language": language})
    text = page.body.decode()
    assert said in text
    assert 'http-equiv="refresh"' in text
    assert page.one("Content-Language") == language
    assert page.set_cookies == {}


async def test_a_program_is_told_in_its_own_way(site, waiting):
    for _ in range(BURST + 1):
        answer = await waiting.get("/", Accept="application/json")
    assert (answer.status, answer.json()["code"]) == (429, "hasty")


async def test_whose_turn_comes_is_let_in_however_often_the_page_was_asked_for(site, waiting):
    for _ in range(BURST + 5):
        await waiting.get()
    await site.change(total_active_users=9)
    await site.pass_time(4_000)
    assert (await waiting.get()).gate is None
