import asyncio

import pytest

from gateway.drill.exchange import Exchange, fields_of, read_answers
from gateway.drill.forgery import altered
from gateway.drill.report import Evidence, Finding, Result, Row, Severity, digest
from gateway.drill.wire import Budget, Origin, Spent, Wire
from gateway.room.ticket import BadToken, KeyRing, Ticket, sign, verify
from shared.errors import SettingsError

ONE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    ("data", "statuses", "whole"),
    [
        (ONE, [200], True),
        (ONE + ONE, [200, 200], True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + ONE, [200], True),
        (ONE[:-1], [200], False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n" + ONE, [200, 200], True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi", [200], False),
        (b"HTTP/1.1 101 Switching\r\n\r\n\x81\x00", [101], True),
        (b"HTTP/1.0 403 no\r\n\r\nuntil it closes", [403], False),
        (b"220 mail.example", [], False),
        (b"", [], False),
    ],
)
def test_answers_are_cut_where_each_ends(data, statuses, whole):
    answers, ended = read_answers(data)
    assert ([answer.status for answer in answers], ended) == (statuses, whole)


def test_a_chunked_body_is_put_together():
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert read_answers(data)[0][0].body == b"{}"


def test_what_is_shown_of_a_request_holds_no_token():
    ticket = sign(Ticket(1, 7, 5), "main", KeyRing("k", {"k": bytes(32)}))
    wire = Wire(Origin.of("http://h", "-"), Budget(1, 1), "abc")
    fields = [("Authorization", "Bearer secret-of-ours"), ("Sunbeon-Ticket", ticket), ("Sunbeon-Pass", ticket)]
    shown = Exchange(wire.compose("GET", "/", fields, cookies={"a": "1", "sunbeon_ticket_main": ticket}), ()).sent_text
    assert ticket not in shown
    assert "secret-of-ours" not in shown
    assert "a=1; sunbeon_ticket_main=ticket...." in shown


def test_what_a_server_sends_cannot_steer_a_terminal():
    answers = read_answers(b"HTTP/1.1 200 OK\r\nSunbeon-Gate: \x1b[31mred\r\nContent-Length: 0\r\n\r\n")[0]
    assert "\x1b" not in Exchange(b"GET / HTTP/1.1\r\n\r\n", tuple(answers)).came_text


async def test_requests_keep_their_pace_and_their_number():
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))

    budget = Budget(20, 10, monotonic=lambda: 0.0, sleep=sleep)
    for _ in range(19):
        await budget.take()
    assert slept == [round(turn / 10, 6) for turn in range(1, 19)]
    with pytest.raises(Spent):
        await budget.take()
    budget.clean_up()
    await budget.take()
    with pytest.raises(Spent):
        await budget.take()


async def test_a_server_that_is_not_there_is_told_of_and_not_raised():
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    wire = Wire(Origin.of(f"http://127.0.0.1:{port}", "-"), Budget(9, 1000), "abc")
    assert (await wire.ask("GET", "/")).answers == ()
    server.close()
    await server.wait_closed()
    gone = await wire.ask("GET", "/")
    assert gone.failed
    assert gone.came_text.startswith("nothing: ")


@pytest.mark.parametrize("url", ["ftp://h", "http://", "http://h:port", "h"])
def test_an_address_that_is_none_is_said_so(url):
    with pytest.raises(SettingsError, match="--url"):
        Origin.of(url, "--url")


def test_each_alteration_is_another_token_of_its_form_that_the_gate_refuses():
    ring = KeyRing("k", {"k": bytes(32)})
    ticket = sign(Ticket(1, 1, 5), "main", ring)
    for what, token in altered(ticket).items():
        assert token != ticket, what
        with pytest.raises(BadToken):
            verify(token, "main", ring)
    assert fields_of(ticket) == [1, 1, 5]


def row(*findings: Finding, **more):
    made = Row("x", "x", Severity.HIGH, **more)
    made.evidence += [Evidence("w", "s", "c", finding) for finding in findings]
    return made.result


def test_green_takes_that_something_was_tried_and_all_of_it_held():
    held, broken, unclear = Finding.HELD, Finding.BROKEN, Finding.UNCLEAR
    assert row(held, held) is Result.GREEN
    assert row() is Result.YELLOW
    assert row(held, unclear) is Result.YELLOW
    assert row(held, not_tried=["the rest"]) is Result.YELLOW
    assert row(held, unclear, broken) is Result.RED
    assert row(applies=False) is Result.NONE
    assert row(broken, applies=False) is Result.RED


def test_a_reports_hash_is_that_of_what_it_says_in_whatever_order():
    assert digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1}) != digest({"a": 1, "b": [3]})
