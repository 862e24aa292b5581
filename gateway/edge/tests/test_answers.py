"""The gate's own answers: a status for every notice, and the form of problem documents."""

import json
from http import HTTPStatus

import pytest
from aiohttp.test_utils import make_mocked_request

from gateway.edge import answers
from gateway.edge.pages import NOTICE_KINDS, Pages
from gateway.room.decide import Refusal


def test_every_refusal_has_a_status_and_a_page():
    for why in Refusal:
        assert why.value in answers.STATUS
        assert why.value in NOTICE_KINDS


def test_every_status_is_one_that_http_knows_and_has_a_page():
    for kind, status in answers.STATUS.items():
        assert HTTPStatus(status)
        assert kind in NOTICE_KINDS


def test_only_what_passes_by_itself_says_when_to_come_back():
    assert {answers.STATUS[kind] for kind in answers.RETRY_AFTER_S} <= {429, 502, 503, 504}


def test_a_problem_document_says_what_and_why():
    response = answers.problem("full", "no line is kept", status=503, retry_s=10, cookies=["a=1", "b=2"], room="x")
    assert (response.status, response.headers["Content-Type"]) == (503, "application/problem+json")
    assert response.headers["Retry-After"] == "10"
    assert response.headers.getall("Set-Cookie") == ["a=1", "b=2"]
    body = response.body
    assert isinstance(body, bytes)
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "full",
        "detail": "no line is kept",
        "room": "x",
    }


@pytest.mark.parametrize(
    ("accepts", "compressed"),
    [
        ("gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("br, GZIP", True),
        ("gzip;q=0.001", True),
        ("gzip; q=0", False),
        ("gzip;q=0.000, br", False),
        ("x-gzipped", False),
        ("", False),
    ],
)
def test_a_page_is_compressed_only_for_who_takes_it(accepts, compressed):
    request = make_mocked_request("GET", "/", headers={"Accept-Encoding": accepts})
    response = answers.page(request, Pages().notice("closed", "en"), "closed", status=503)
    assert ("Content-Encoding" in response.headers) is compressed
    assert "Accept-Encoding" in response.headers["Vary"]
