"""The look for people's data in logs finds it, however it is written, and nothing else."""

import json
from urllib.parse import quote, urlencode

import pytest

from shared.tests.personal import traces, traces_in_files


@pytest.mark.parametrize(
    "line",
    [
        "홍길동",
        json.dumps({"name": "김순자"}),
        "GET /?name=" + quote("이하늘"),
        urlencode({"name": "Kim Minji"}),
        f"body={'홍길동'.encode()!r}",
        "born 1968-03-02",
        "birth=19670514",
        "1995. 11. 30",
        "tel 010 1234 5678",
        "+821012345678",
        "시험0042",
        "01090001234",
    ],
)
def test_a_trace_is_found(line):
    assert traces(f"20:00:00 INFO booking {line} and more")


def test_what_a_log_should_say_is_no_trace():
    line = (
        '{"time":"2021-07-19T11:00:00.000+00:00","path":"/api/holds/{hold_id}/confirm","pass_id":"p-9","number":1968}'
    )
    assert traces(line) == []
    assert traces("홍*동 K** M**** 시험") == []


def test_only_the_files_with_traces_are_named(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "good.log").write_text("ready\n")
    (tmp_path / "deep" / "bad.log").write_bytes("\xff 홍길동\n".encode("latin-1", "ignore") + "홍길동".encode())
    (tmp_path / "other.db").write_text("홍길동")
    assert traces_in_files(tmp_path, "*.log") == {str(tmp_path / "deep" / "bad.log"): ["홍길동"]}
