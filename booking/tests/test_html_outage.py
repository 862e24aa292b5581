"""The database fails: what works without it works, and nothing typed or asked for is lost."""

import sqlite3
from contextlib import closing, contextmanager

from booking.routes.context import STORE
from booking.tests.visitor import CHILD, HONG, MOTHER, Visitor


def assert_kept(visitor, typed):
    assert {name: value for name, value in visitor.fields().items() if name in typed} == typed


@contextmanager
def broken(database):
    """As if somebody had damaged the file, for as long as this lasts."""
    tables = ("slots", "bookings")
    for old, new in (("", "lost_"), ("lost_", "")):
        with closing(sqlite3.connect(database)) as connection, connection:
            for table in tables:
                connection.execute(f"ALTER TABLE {old}{table} RENAME TO {new}{table}")
        if new:
            yield


async def test_a_broken_database_is_said_plainly_and_nothing_typed_is_lost(site, tmp_path):
    owner, child, finder = (Visitor(site, site.passes.header()) for _ in range(3))
    await owner.get("/booking/identify")
    await child.get("/booking/identify?for=family")
    await finder.get("/booking/find")
    with broken(tmp_path / "booking.db"):
        await owner.press("확인하고 계속", **HONG)
        assert_kept(owner, HONG)
        found = {"code": "AAAAA-BBBBB", "birth_date": "19680302"}
        await finder.press("조회", **found)
        assert_kept(finder, found)
        await child.press("확인하고 계속", **CHILD, **MOTHER)
        assert "booking_session" in child.cookies, "whom it is for is known already"
        for visitor in (owner, child, finder):
            assert (visitor.status, visitor.headers["Retry-After"]) == (503, "3")
            assert "다시 시도하셔도 두 번 예약되지 않습니다." in visitor.text
            ways = [
                each for each in visitor.page.all("a", "button") if "go" in (each.attributes.get("class") or "").split()
            ]
            assert ways[0].text == "다시 시도"
            assert "Traceback" not in visitor.html
            assert "slots" not in visitor.text
    await owner.press("다시 시도")
    await child.follow("다시 시도")
    for visitor in (owner, child):
        assert visitor.heading == "접종센터를 선택해 주세요"


async def test_the_start_page_comes_up_without_a_database(site, tmp_path):
    visitor = Visitor(site, site.passes.header())
    with broken(tmp_path / "booking.db"):
        await visitor.get("/")
        assert (visitor.status, visitor.heading) == (200, "예방접종을 예약합니다")
        await visitor.post("/booking/start-over", {})
        assert (visitor.status, visitor.heading) == (200, "예방접종을 예약합니다")


async def test_the_start_page_counts_the_seats_no_more_than_once_a_second(site, clock, monkeypatch):
    store, counted = site.server.app[STORE], []
    stock = store.stock

    async def count(*, now_ms):
        counted.append(now_ms)
        return await stock(now_ms=now_ms)

    monkeypatch.setattr(store, "stock", count)
    visitor = Visitor(site, site.passes.header())
    for _ in range(3):
        await visitor.get("/")
    assert counted == [clock()]
    clock.forward(seconds=1)
    await visitor.get("/")
    assert len(counted) == 2


async def test_trying_again_asks_for_the_same_page_with_its_query(site, tmp_path):
    visitor = Visitor(site, site.passes.header())
    with broken(tmp_path / "booking.db"):
        await visitor.get("/booking?q=Busan&lang=en")
        assert visitor.status == 503
    await visitor.follow("Try again")
    assert visitor.status == 200
    assert "1 found for “Busan”" in visitor.text


async def test_a_visit_ends_though_the_seat_cannot_be_given_back_now(site, tmp_path):
    visitor = Visitor(site, site.passes.header())
    await visitor.get("/booking/identify")
    await visitor.press("확인하고 계속", **HONG)
    await visitor.follow("서울 가온")
    await visitor.press("오전 9:00")
    with broken(tmp_path / "booking.db"):
        await visitor.post("/booking/finish", {})
    assert (visitor.status, visitor.heading) == (200, "이용을 마쳤습니다")
    assert visitor.headers["Sunbeon-Command"] == "complete"
    assert visitor.cookies == {}
