"""What the gate measures of requests, of the backend, of its files, over real HTTP."""

import asyncio
import fcntl
from collections.abc import Mapping

from gateway.console.tests.test_api import ask
from gateway.edge.tests.backend import Recorded, answer


async def told(site, family: str) -> Mapping[str, float]:
    """The samples of a family that are not 0, by the value of their label."""
    text = (await ask(site, "GET", "/metrics")).body.decode()
    found = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.partition("{")[0] == family and float(value):
            found[name.partition('"')[2].rstrip('"}')] = float(value)
    return found


async def test_requests_are_measured_by_kind_of_answer_and_the_backend_by_how_it_answered(site, backend):
    inside, waiting = site.visitor(), site.visitor()
    await inside.get("/book")
    await waiting.get("/book")
    await waiting.get("/_sunbeon/vaccine/board")
    backend.reply = answer(b"no", status="503 Service Unavailable")
    await inside.get("/api")
    backend.reply = b"nonsense\r\n\r\n"
    await inside.get("/api")
    assert await told(site, "sunbeon_request_duration_seconds_count") == {
        "forward": 2,
        "waiting": 1,
        "board": 1,
        "failed": 1,
    }
    assert await told(site, "sunbeon_backend_answers_total") == {"2xx": 1, "5xx": 1, "broken": 1}
    assert await told(site, "sunbeon_backend_response_seconds_count") == {"": 2}


async def test_who_is_told_off_is_counted_as_refused_on_either_path(site):
    browser = {"Accept": "text/html", "Accept-Language": "en"}
    await site.visitor().get("/book")
    waiting = site.visitor(headers=browser)
    assert await waiting.queue() == 2
    await site.pass_time(200)
    before = await told(site, "sunbeon_request_duration_seconds_count")
    hot = site.server.hot
    answers = []
    for path in (hot, None):
        site.server.hot = path
        for address in ("/book", "/_sunbeon/vaccine/status"):
            answers += [(await waiting.get(address)).status for _ in range(40)]
    after = await told(site, "sunbeon_request_duration_seconds_count")
    assert answers.count(429) > 2 * 40
    assert after["refused"] == before.get("refused", 0) + answers.count(429)
    served = sum(after[kind] - before.get(kind, 0) for kind in ("waiting", "status"))
    assert served == answers.count(200)


async def test_a_backend_that_keeps_silent_is_counted_apart(start, backend):
    async def keep_silent(_request: Recorded, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    site = await start(upstream={"response_timeout_s": 0.1})
    backend.act = keep_silent
    assert (await site.visitor().get("/")).status == 504
    assert await told(site, "sunbeon_backend_answers_total") == {"timeout": 1}


async def test_a_backend_that_cannot_be_reached_is_counted_apart(start):
    site = await start(upstream={"servers": ["http://127.0.0.1:9"]})
    assert (await site.visitor().get("/")).status == 502
    assert await told(site, "sunbeon_backend_answers_total") == {"unreachable": 1}


async def test_store_calls_ticks_and_audit_lines_are_counted(site):
    await site.visitor().get("/book")
    await site.visitor().get("/book")
    calls = await told(site, "sunbeon_store_call_duration_seconds_count")
    assert calls["claim"] >= 1
    assert calls["load"] >= 1
    assert (await told(site, "sunbeon_audit_lines_total"))["chained"] >= 1


async def test_a_disk_that_fails_is_counted(site, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.ledger._write", fail)
    await site.visitor().get("/book")
    assert await told(site, "sunbeon_audit_lines_total") == {"failed": 1}


async def test_a_line_written_without_a_link_because_the_log_is_locked_is_counted(site):
    with (site.folder / "audit.log.heads").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        await site.visitor().get("/book")
    assert await told(site, "sunbeon_audit_lines_total") == {"unchained": 1}
