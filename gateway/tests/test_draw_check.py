"""`sunbeon draw verify`: from public pages alone, an honest draw holds and a manipulated one is caught and named."""

import asyncio
import json
import re
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import cli, draw_files
from gateway.draw_check import MOST_NUMBERS, Order, is_permutation
from gateway.edge.tests.backend import Backend, running
from gateway.edge.tests.front import front
from gateway.room.decide import place_of
from gateway.room.draw import Draw

SECRET = bytes(range(32))
COMMITMENT = sha256(SECRET).hexdigest()
PAGE = {
    "room": "hall",
    "epoch": 3,
    "method": "draw",
    "recipe": "sunbeon-draw-1",
    "commitment": COMMITMENT,
    "size": 1_000,
    "secret": SECRET.hex(),
    "opens_at_ms": 0,
}
OTHER = "ab" * 32


@pytest.fixture
def save(tmp_path):
    """Write a page as it was published, with changes; its path."""

    def write(name="page.json", **changes):
        path = tmp_path / name
        path.write_text(json.dumps(PAGE | changes))
        return str(path)

    return write


@pytest.fixture
def before(save):
    """The page as somebody saved it before the opening."""
    return save("before.json", size=None, secret=None)


@pytest.fixture
def places(tmp_path):
    """Places that visitors noted: of every tenth of the early numbers, and of some who came later."""

    def write(changes=None):
        draw = Draw(SECRET, 1_000, "hall", 3)
        told = {number: draw.place(number) for number in [*range(1, 1_001, 10), 1_001, 2_000]} | (changes or {})
        path = tmp_path / "places.csv"
        path.write_text("number,place\n" + "".join(f"{number},{place}\n" for number, place in told.items()))
        return str(path)

    return write


def verify(*words):
    return cli.main(("draw", "verify", *words), environ={})


# What holds


def test_an_honest_draw_holds(save, before, places, capsys):
    assert verify(save(), "--before", before, "--commitment", COMMITMENT.upper(), "--places", places()) == 0
    printed = capsys.readouterr().out
    assert "room, epoch, commitment: as in " in printed
    assert "ok   each of the 1000 early numbers has another of the places 1 to 1000\n" in printed
    assert "ok   all 102 places fit\n" in printed
    assert re.search(r"^the draw holds \(\d+\.\d s\)$", printed, re.MULTILINE)
    assert "NO " not in printed


def test_a_number_is_told_its_place(save, capsys):
    assert verify(save(), "--number", "7", "--number", "1001") == 0
    printed = capsys.readouterr().out
    assert f"number 7 has place {Draw(SECRET, 1_000, 'hall', 3).place(7)}\n" in printed
    assert "number 1001 has place 1001\n" in printed


def test_without_a_commitment_from_before_it_is_said_what_that_leaves_open(save, before, capsys):
    note = "this secret may be a later one"
    assert verify(save()) == 0
    assert note in capsys.readouterr().out
    assert verify(save(), "--before", before) == 0
    assert note not in capsys.readouterr().out


def test_a_draw_of_nobody_holds(save):
    assert verify(save(size=0)) == 0


def test_the_order_is_the_gateways_for_every_small_size_and_around_powers_of_two():
    for size in [*range(1, 70), 127, 128, 129, 1_023, 1_024, 1_025, 4_097]:
        order = Order(SECRET, size, "hall", 3)
        assert is_permutation(order)
        assert list(order) == list(Draw(SECRET, size, "hall", 3))


@settings(max_examples=40)
@given(
    secret=st.binary(min_size=32, max_size=32),
    size=st.integers(1, 10_000_000),
    epoch=st.integers(0, 2**63 - 1),
    data=st.data(),
)
def test_the_order_is_the_gateways_whatever_secret_size_and_epoch(secret, size, epoch, data):
    order, draw = Order(secret, size, "hall", epoch), Draw(secret, size, "hall", epoch)
    for number in data.draw(st.lists(st.integers(1, size), min_size=1)):
        assert order.place(number) == draw.place(number)
    assert order.place(size + 1) == size + 1


def test_a_place_given_twice_or_left_out_is_no_permutation():
    class Bad(Order):
        def __iter__(self):
            return iter([1, 2, 2, 4])

    assert not is_permutation(Bad(SECRET, 4, "hall", 3))
    assert is_permutation(Order(SECRET, 4, "hall", 3))


def test_the_documents_example_is_what_both_programs_compute():
    text = (Path(__file__).parents[2] / "docs/draw.md").read_text("utf-8")
    key = sha256(SECRET + (10).to_bytes(8, "big") + (3).to_bytes(8, "big") + b"vaccine").hexdigest()
    for made in (Order(SECRET, 10, "vaccine", 3), Draw(SECRET, 10, "vaccine", 3)):
        assert ", ".join(map(str, made)) in text
    for made in (Order(SECRET, 1_000_000, "vaccine", 3), Draw(SECRET, 1_000_000, "vaccine", 3)):
        assert f"place(1) = {made.place(1)}, place(1000000) = {made.place(1_000_000)}" in text
    assert SECRET.hex() in text
    assert COMMITMENT in text
    assert key in text


# What does not


def test_a_secret_that_was_exchanged_is_caught(save, capsys):
    assert verify(save(secret=OTHER)) == 1
    assert f"NO   the secret does not fit the commitment {COMMITMENT}" in capsys.readouterr().out


@pytest.mark.parametrize("known", ["--before", "--commitment"])
def test_a_secret_exchanged_together_with_its_commitment_is_caught_by_what_was_saved(save, before, capsys, known):
    forged = sha256(bytes.fromhex(OTHER)).hexdigest()
    page = save(secret=OTHER, commitment=forged)
    assert verify(page) == 0, "by itself it looks honest"
    assert verify(page, known, before if known == "--before" else COMMITMENT) == 1
    assert f"NO   the commitment is {forged}" in capsys.readouterr().out


@pytest.mark.parametrize(("field", "value"), [("room", "hall2"), ("epoch", 4)])
def test_another_room_or_epoch_is_named_by_what_was_saved(save, before, capsys, field, value):
    assert verify(save(**{field: value}), "--before", before) == 1
    assert f"NO   the {field} is {value}, but was {PAGE[field]} in {before}\n" in capsys.readouterr().out


def test_another_size_is_named_by_a_page_saved_after_the_draw(save, before, capsys):
    page = save(size=1_001)
    assert verify(page, "--before", before, "--before", save("drawn.json")) == 1
    assert "NO   the size is 1001, but was 1000 in " in capsys.readouterr().out


@pytest.mark.parametrize(("field", "value"), [("size", 999), ("size", 1_001), ("epoch", 4), ("room", "hall2")])
def test_another_size_epoch_or_room_is_caught_by_the_places_visitors_were_told(save, places, capsys, field, value):
    assert verify(save(**{field: value}), "--places", places()) == 1
    printed = capsys.readouterr().out
    assert printed.count("NO   number ") == 10
    assert "the size was changed, or room or epoch, rather than the places\n" in printed


def test_a_place_that_was_exchanged_is_named(save, places, capsys):
    due = Draw(SECRET, 1_000, "hall", 3).place(11)
    assert verify(save(), "--places", places({11: due + 1, 1_001: 5})) == 1
    printed = capsys.readouterr().out
    assert f"NO   number 11 has place {due}, not {due + 1}\n" in printed
    assert "NO   number 1001 has place 1001, not 5\n" in printed
    assert "rather than the places" not in printed
    assert "THE DRAW DOES NOT HOLD" in printed


def test_before_the_draw_there_is_nothing_to_verify(before, capsys):
    assert verify(before) == 1
    assert "lots are not drawn yet" in capsys.readouterr().out


# What cannot be read


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"method": "fifo", "commitment": None}, "draws no lots"),
        ({"recipe": "sunbeon-draw-2\x1b[2J"}, r"the recipe is 'sunbeon-draw-2\x1b[2J'"),
        ({"secret": None}, "size and secret are published together"),
        ({"secret": "ab"}, "secret: "),
        ({"commitment": 5}, "commitment: "),
        ({"size": -1}, "size: "),
        ({"size": "1000"}, "size: "),
        ({"size": True}, "size: "),
        ({"size": MOST_NUMBERS + 1}, "size: "),
        ({"epoch": 2**63}, "epoch: "),
        ({"room": "hall\x1b[2J"}, "room: "),
        ({"padding": "x" * 70_000}, "too long"),
    ],
)
def test_a_page_that_is_none_is_said_to_be(save, capsys, changes, says):
    assert verify(save(**changes)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert says in printed.err
    assert "\x1b" not in printed.err


@pytest.mark.parametrize("text", [b"", b"<!doctype html>", b"[" * 10_000, b"\xff", b"null", b"{}"])
def test_what_is_no_page_at_all_is_said_to_be(tmp_path, capsys, text):
    (tmp_path / "page.json").write_bytes(text)
    assert verify(str(tmp_path / "page.json")) == 1
    assert capsys.readouterr().err.startswith(f"sunbeon: {tmp_path}/page.json: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"number,place\n", "no places in it"),
        (b"", "no places in it"),
        (b"1,2\n3\n", "line 2: not a number and a place"),
        (b"1,2\n3,x\n", "line 2: "),
        (b"1,0\n", "line 1: "),
        (b"1,-2\n", "line 1: "),
        (b"1," + b"9" * 5_000 + b"\n", "line 1: "),
        ("1,٣\n".encode(), "line 1: "),
        (b"1,\xff\n", "line "),
        (b'1,"' + b"x" * 200_000, "line "),
    ],
)
def test_a_list_of_places_that_is_none_is_named_with_its_line(save, tmp_path, capsys, text, says):
    (tmp_path / "told.csv").write_bytes(text)
    assert verify(save(), "--places", str(tmp_path / "told.csv")) == 1
    assert f"sunbeon: {tmp_path}/told.csv: {says}" in capsys.readouterr().err


def test_a_list_of_places_may_come_from_a_spreadsheet(save, tmp_path):
    draw = Draw(SECRET, 1_000, "hall", 3)
    text = f'\ufeff번호,순번\r\n"7",{draw.place(7)},Kim\r\n\r\n 8 , {draw.place(8)}\r\n'
    (tmp_path / "told.csv").write_text(text, encoding="utf-8")
    assert verify(save(), "--places", str(tmp_path / "told.csv")) == 0


@pytest.mark.parametrize(
    "words",
    [(), ("p", "--commitment", "ab"), ("p", "--number", "0"), ("p", "--number", "x"), ("p", "--number", "1" * 30)],
)
def test_a_command_line_that_is_none_ends_with_2(words):
    with pytest.raises(SystemExit) as caught:
        verify(*words)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    "url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data://x", "http://", "http://127.0.0.1:9/"]
)
def test_only_the_web_is_asked_and_failing_is_said(capsys, url):
    assert verify(url) == 1
    assert capsys.readouterr().err.startswith(f"sunbeon: {url}: ")


# Asked over the network


@asynccontextmanager
async def serving(answer):
    """A server that answers one request by `answer`; its address."""
    done = asyncio.Event()

    async def handle(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        await answer(writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        done.set()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await done.wait()


@pytest.mark.parametrize(
    ("head", "body", "says"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: file:///etc/hostname", b"", "answered 302"),
        (b"HTTP/1.1 404 Not Found", b"", "answered 404"),
        (b"HTTP/1.1 200 OK", b"x" * 100_000, "too long"),
        (b"nonsense", b"", "nonsense"),
    ],
)
async def test_a_server_that_answers_something_else_is_bounded_and_said(capsys, head, body, says):
    async def answer(writer):
        writer.write(head + b"\r\nConnection: close\r\n\r\n" + body)

    async with serving(answer) as url:
        assert await asyncio.to_thread(verify, url) == 1
    assert says in capsys.readouterr().err


async def test_a_server_that_trickles_is_not_waited_for_for_ever(capsys, monkeypatch):
    monkeypatch.setattr(draw_files, "TIMEOUT_S", 0.05)

    async def answer(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(500):
            if writer.is_closing():
                return
            writer.write(b" ")
            await asyncio.sleep(0.01)

    async with serving(answer) as url:
        assert await asyncio.to_thread(verify, url) == 1
    assert re.search("took longer|timed out", capsys.readouterr().err)


async def test_a_million_early_tickets_of_a_real_gateway_are_verified_and_a_forged_one_is_caught(tmp_path, capsys):
    room = {"queueing_method": "draw", "opens_at": "2021-07-19T20:01:00+09:00"}
    async with running(Backend()) as backend, front(tmp_path, [backend], rooms=[room]) as site:
        url = f"http://127.0.0.1:{site.port}/_sunbeon/vaccine/draw"

        async def save(name):
            (tmp_path / name).write_bytes((await site.visitor().get("/_sunbeon/vaccine/draw")).body)
            return str(tmp_path / name)

        before = await save("before.json")
        first = [site.visitor() for _ in range(10)]
        numbers = [await each.queue() for each in first]
        for _ in range(99):
            await site.store.join("vaccine", [None] * 10_000, expires_ms=0)
        await site.store.join("vaccine", [None] * 9_980, expires_ms=0)
        last = [site.visitor() for _ in range(10)]
        numbers += [await each.queue() for each in last]
        assert numbers[-1] == 1_000_000
        await site.pass_time(60_000)
        told = [(await each.status())["place"] for each in first + last]
        late = site.visitor()
        numbers.append(await late.queue())
        told.append((await late.status())["place"])
        after = await save("after.json")
        seen = await site.room()

        receipts = dict(zip(numbers, told, strict=True))
        more = {number: place_of(number, seen) for number in range(100, 1_000_000, 100)}
        csv = tmp_path / "places.csv"
        csv.write_text("".join(f"{number},{place}\n" for number, place in (more | receipts).items()))
        words = ("--before", before, "--places", str(csv))
        assert await asyncio.to_thread(verify, url, *words) == 0
        assert "each of the 1000000 early numbers has another of the places" in capsys.readouterr().out

    # Offline, from what was saved.
    assert verify(after, *words) == 0
    capsys.readouterr()
    csv.write_text(csv.read_text() + f"{numbers[3]},{told[3] + 1}\n")
    assert verify(after, *words) == 1
    assert f"NO   number {numbers[3]} has place {told[3]}, not {told[3] + 1}\n" in capsys.readouterr().out
    page = json.loads((tmp_path / "after.json").read_text())
    (tmp_path / "after.json").write_text(json.dumps(page | {"size": 999_999}))
    assert verify(after, *words) == 1
    assert "the size was changed" in capsys.readouterr().out
