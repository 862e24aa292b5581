"""The access log: what a line says and, more important, what it does not."""

import json

import pytest

from gateway.access import AccessLog, Exchange


def exchange(**more) -> Exchange:
    return Exchange(
        **{
            "method": "GET",
            "target": "/booking?name=Kim",
            "request_id": "7",
            "traceparent": None,
            "room": "vaccine",
            "status": 200,
            "gate": None,
            "server": "http://127.0.0.1:8090",
            "size": 300,
            "began_s": 100.0,
            **more,
        }
    )


def noted(tmp_path, *exchanges: Exchange, share: float = 1.0, draw: float = 0.5) -> list[dict[str, object]]:
    log = AccessLog(tmp_path / "log", share, wall=lambda: 1_000.0, monotonic=lambda: 100.25, draw=lambda: draw)
    for each in exchanges:
        log.note(each)
    log.close()
    return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]


def test_a_line_says_what_was_asked_and_what_came_of_it_but_no_query(tmp_path):
    assert noted(tmp_path, exchange()) == [
        {
            "time_ms": 1_000_000,
            "request_id": "7",
            "trace_id": None,
            "method": "GET",
            "path": "/booking",
            "room": "vaccine",
            "status": 200,
            "gate": None,
            "server": "http://127.0.0.1:8090",
            "bytes": 300,
            "duration_ms": 250.0,
        }
    ]


def test_a_trace_is_told_if_it_is_one(tmp_path):
    good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    told = noted(tmp_path, exchange(traceparent=good), exchange(traceparent=good.upper()), exchange(traceparent="x"))
    assert [line["trace_id"] for line in told] == ["4bf92f3577b34da6a3ce929d0e0e4736", None, None]


@pytest.mark.parametrize(("draw", "count"), [(0.09, 1), (0.1, 0)])
def test_a_share_is_drawn_by_lot_and_told(tmp_path, draw, count):
    told = noted(tmp_path, exchange(), share=0.1, draw=draw)
    assert [line["share"] for line in told] == [0.1] * count


def test_bytes_that_are_no_text_do_not_break_a_line(tmp_path):
    (line,) = noted(tmp_path, exchange(target='/caf\udce9\n"?x'))
    assert line["path"] == '/caf?\n"'


def test_it_is_off_without_a_file_or_a_share(tmp_path):
    assert not AccessLog(None).on
    off = AccessLog(tmp_path / "log", 0.0)
    assert not off.on
    off.close()
