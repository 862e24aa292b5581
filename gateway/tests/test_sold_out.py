"""Sold out and reopened, through real gateways on SQLite and Redis: told at once, every place kept, served in order."""

import shutil
import threading
import time
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gateway.edge.hasty import PER_SECOND
from gateway.tests.redis.fixtures import fresh_name, redis_server
from gateway.tests.stand import Stand, Visitor, until

__all__ = ["redis_server"]

PEOPLE = 4


class Shop(ThreadingHTTPServer):
    """A backend that says with every answer what it is told to say."""

    daemon_threads = True

    def __init__(self) -> None:
        shop = self
        self.says: dict[str, str] = {}

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                for name, value in {**shop.says, "Content-Length": "2"}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class ShopStand(Stand):
    """A gateway before the shop, in place of the booking site."""

    shop: Shop

    def start_booking(self) -> None:
        self._sections["upstream"]["servers"] = [self.shop.url]


@pytest.fixture
def shop():
    with Shop() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.fixture(params=["redis", "sqlite"])
def stands(request, tmp_path, shop, show):
    """Two gateways of one line."""
    if request.param == "redis":
        store = f"{request.getfixturevalue('redis_server').url}?prefix={fresh_name()}"
    else:
        store = f"sqlite:///{tmp_path / 'shared.db'}"
    with ExitStack() as stack:
        made: list[ShopStand] = []
        for name in ("one", "two"):
            stand = ShopStand(tmp_path / name, gateway={"store": store})
            stand.shop = shop
            stand.folder.mkdir()
            if made:
                for file in made[0].folder.glob("*keys*.json"):
                    shutil.copy(file, stand.folder)
            made.append(stack.enter_context(stand))
            show(stand)
        yield made


def told(visitors: list[Visitor]) -> list[tuple[str, int, int]]:
    return [
        (status["room_state"], status["number"], status["place"]) for status in (each.status() for each in visitors)
    ]


@pytest.mark.slow
def test_sold_out_is_told_at_the_next_poll_and_a_reopening_keeps_every_place(stands, shop):
    one, two = stands
    shop.says = {"Sunbeon-Stock": "1200"}
    holder = one.visitor()
    holder.enter()
    # They ask at either gateway.
    waiting = [(one, two)[at % 2].visitor() for at in range(PEOPLE)]
    numbers = [each.join() for each in waiting]
    assert numbers == sorted(numbers)
    until(lambda: two.room()["stock"] == 1200, "the other gateway knows the stock")
    assert [each.status()["stock"]["left"] for each in waiting] == [1200] * PEOPLE

    shop.says = {"Sunbeon-Stock": "0", "Sunbeon-Command": "sold-out"}
    holder.ask("GET", "/")
    until(lambda: two.room()["state"] == "sold_out", "the other gateway knows that it is sold out")
    assert told(waiting) == [("sold_out", number, number) for number in numbers]
    assert one.visitor().ask("GET", "/").gate == "sold_out"

    # That there is stock again opens nothing: people decide that.
    shop.says = {"Sunbeon-Stock": "500"}
    holder.ask("GET", "/")
    until(lambda: two.room()["stock"] == 500, "the other gateway knows the new stock")
    assert (one.room()["state"], two.room()["state"]) == ("sold_out", "sold_out")

    one.patch(state="open")
    until(lambda: two.room()["state"] == "open", "the other gateway knows that it is open")
    assert told(waiting) == [("open", number, number) for number in numbers]
    holder.leave()
    entered: list[int | None] = []
    ahead = list(zip(waiting, numbers, strict=True))
    while ahead:

        def inside() -> list[tuple[Visitor, int | None]]:
            # Everyone asks, the last in line first; no faster than they may.
            time.sleep(1 / PER_SECOND)
            return [each for each in reversed(ahead) if each[0].status()["state"] == "inside"]

        for each in until(inside, "the next one is let in"):
            entered.append(each[1])
            ahead.remove(each)
            each[0].leave()
    assert entered == numbers
