"""Tricks with addresses: deep links in every spelling, raw requests, and the backend's port."""

from urllib.parse import urlsplit

import pytest

from gateway.tests.browser.scene import NETWORK_NOISE
from gateway.tests.stand import Stand, Visitor, fetch, send_raw
from shared.passes import PassClaims, PassKey, sign
from shared.wire import How

DEEP = "/booking/centres/seoul"
SPELLINGS = [
    DEEP,
    "/booking",
    "/Booking",
    "/BOOKING/centres",
    "/%62ooking",
    "/%2562ooking",
    "/%2e/booking",
    "/x/%2e%2e/booking",
    "/x/..%2fbooking",
    "//booking",
    "///booking//centres",
    "/booking;x",
    "/booking;x=1/centres",
    "/;x/booking",
    "/booking%3bx",
    "/booking/",
    "/booking/.",
    "/booking%2fcentres",
    "/booking%5ccentres",
    "/booking?x=/_sunbeon/",
    "/_sunbeon/../booking",
    "/_sunbeon/%2e%2e/booking",
    "/_sunbeon%2f..%2fbooking",
    "/_sunbeon/vaccine/status/../../../booking",
]
# Only a raw connection sends these: a browser tidies them first, or sends nothing.
RAW = [
    *SPELLINGS,
    "/_sunbeon/vaccine/../../booking",
    "/./booking",
    "/x/../booking",
    "\\booking",
    "/\\booking",
    "/booking\\centres",
    "booking",
    "/booking#x",
    "/booking%00",
    "/booking%",
    "/b%C3%B6/../booking",
    "http://127.0.0.1/booking",
    "HTTP://elsewhere.example/booking",
    "http:///booking",
    "http://a@b/booking",
    "//elsewhere.example/booking",
    "*",
    "127.0.0.1:80",
]
HOSTS = ["127.0.0.1", "127.0.0.1.", "LOCALHOST.", "localhost:1", "elsewhere.example", "a/b", "", "127.0.0.1\r\nHost: b"]


def gate_words(answer):
    """The gate's word in each answer of a raw exchange; the parser's own refusals have none and are 400."""
    head = answer.partition(b"\r\n\r\n")[0].decode("latin-1")
    status = head.split(" ")[1] if head.startswith("HTTP/1.") else ""
    named = [line.partition(":")[2].strip() for line in head.split("\r\n") if line.lower().startswith("sunbeon-gate:")]
    return status, named


def refused_or_waiting(answer, sent):
    status, named = gate_words(answer)
    assert named or status in {"", "400", "405", "417", "501", "505"}, (sent, answer[:300])
    assert b'class="brand"' not in answer.replace(b'<p class="brand">', b""), sent


def test_no_spelling_of_a_deep_link_leads_in_before_having_a_ticket(scene):
    scene.take_seat()
    # Without scripts a knock is never brought back at once: each visit is a newcomer's.
    person = scene.person(java_script_enabled=False, noise=NETWORK_NOISE)
    for spelling in SPELLINGS:
        person.context.clear_cookies()
        assert person.go(spelling) is not None, spelling
        scene.check()


def test_no_spelling_of_a_deep_link_leads_in_or_costs_the_place_while_waiting(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    tab = person.tab()
    for spelling in SPELLINGS:
        assert person.go(spelling, page=tab) is not None, spelling
        scene.check()
    tab.close()
    scene.lets_in(person, number)


def test_another_spelling_of_the_host_is_another_newcomer(scene):
    person, number = scene.in_line(noise=NETWORK_NOISE)
    port = urlsplit(scene.stand.url).port
    other = scene.person(noise=NETWORK_NOISE)
    for host in ("localhost", "localhost.", "LOCALHOST.", "127.1", "2130706433", "127.0.0.1."):
        response = other.page.goto(f"http://{host}:{port}{DEEP}")
        other.hosts.add(urlsplit(other.page.url).netloc)
        assert response.headers["sunbeon-gate"] == "waiting", host
        assert other.number > number
        scene.check()
    scene.lets_in(person, number)


@pytest.mark.parametrize("paths", [["/"], ["/booking"]], ids=["whole site", "one path"])
def test_no_raw_request_reaches_the_backend(tmp_path, show, paths):
    with Stand(tmp_path, room={"paths": paths}) as stand:
        show(stand)
        holder, waiting = stand.visitor(), stand.visitor()
        holder.enter("/booking")
        waiting.ask("GET", "/booking")
        number = waiting.status()["number"]
        before = len(stand.requests())
        cookie = "; ".join(f"{name}={value}" for name, value in waiting.cookies.items())
        targets = [target for target in RAW if paths == ["/"] or may_be_booking(target)]
        for brought in ("", f"Cookie: {cookie}\r\n"):
            for target in targets:
                sent = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{brought}Connection: close\r\n\r\n".encode()
                refused_or_waiting(send_raw(stand.url, sent), sent)
            for host in HOSTS:
                sent = f"GET {DEEP} HTTP/1.1\r\nHost: {host}\r\n{brought}Connection: close\r\n\r\n".encode()
                refused_or_waiting(send_raw(stand.url, sent), sent)
            for sent in strange_requests(brought):
                answer = send_raw(stand.url, sent, patience_s=0.5)
                refused_or_waiting(answer, sent)
        assert stand.requests()[before:] == [], "nothing reached the backend, not even to be refused there"
        told = waiting.status()
        assert (told["state"], told["number"]) == ("waiting", number)
        holder.leave()
        waiting.enter("/booking")
        assert {each.number for each in stand.requests() if each.verdict == "ok"} >= {number}


def may_be_booking(target):
    """Where only /booking is a room, what is read as another path is the backend's own business."""
    return "ooking" in target.lower() and "_sunbeon" not in target and not target.startswith("//elsewhere")


def strange_requests(brought):
    """Two requests in one, more than one meaning, methods and versions nobody expects."""
    hidden = "GET /booking HTTP/1.1\r\nHost: x\r\n\r\n"
    base = f"Host: 127.0.0.1\r\n{brought}"
    yield f"POST /booking HTTP/1.1\r\n{base}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n{hidden}".encode()
    yield f"POST /booking HTTP/1.1\r\n{base}Content-Length: 5\r\nContent-Length: 0\r\n\r\n{hidden}".encode()
    yield f"POST /booking HTTP/1.1\r\n{base}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}".encode()
    yield f"GET /booking HTTP/1.1\r\n{base}\r\n{hidden}{hidden}".encode()
    yield f"GET /booking HTTP/1.0\r\n{brought}\r\n".encode()
    yield b"GET /booking HTTP/0.9\r\n\r\n"
    yield f"CONNECT 127.0.0.1:80 HTTP/1.1\r\n{base}\r\n".encode()
    yield f"TRACE /booking HTTP/1.1\r\n{base}Connection: close\r\n\r\n".encode()
    yield f"get /booking HTTP/1.1\r\n{base}Connection: close\r\n\r\n".encode()
    yield (
        f"GET /booking HTTP/1.1\r\n{base}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: MDEyMzQ1Njc4OTAxMjM0NQ==\r\n\r\n"
    ).encode()
    yield f"GET /booking HTTP/1.1\r\n{base}Connection: close, Cookie, Sunbeon-Pass\r\n\r\n".encode()
    yield f"GET /booking HTTP/1.1\r\n{base}Sunbeon-Pass: x\r\nsunbeon_pass: x\r\nConnection: close\r\n\r\n".encode()
    yield f"GET /booking HTTP/1.1\r\n{base}X-Forwarded-For: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


def test_the_backends_own_port_opens_nothing(scene):
    """Cookies know no ports, so the browser shows the backend everything it has; that is no proof of a turn."""
    person, number = scene.in_line(noise=NETWORK_NOISE)
    backend = scene.stand.backend_url
    person.hosts.add(urlsplit(backend).netloc)
    tab = person.tab()
    for path in ("/", "/booking", DEEP, "/booking/slots/1"):
        assert tab.goto(backend + path).status == 403
    tab.close()
    outsider = scene.stand.visitor()
    ticket, live = person.cookie("sunbeon_ticket"), scene.holder.cookies["sunbeon_pass_vaccine"]
    claims = PassClaims("vaccine", "mine", How.LINE, 1, number, number, None, 1, 0, 2**31)
    forged = sign(claims, PassKey.from_jwk({"kty": "oct", "k": "A" * 43, "kid": "mine", "alg": "HS256"}))
    for value in ("1", ticket, live, forged, forged.rpartition(".")[0] + "."):
        status = fetch(backend, "GET", "/booking", headers={"Sunbeon-Pass": value})[0]
        assert status == 403, value
    assert Visitor(backend, cookies=dict(scene.holder.cookies)).ask("GET", "/booking").status == 403
    assert outsider.ask("GET", "/booking", headers={"Sunbeon-Pass": forged}).gate == "waiting"
    refused = [each for each in scene.requests() if each.verdict != "ok"]
    assert len(refused) == 10
    assert {each.status for each in refused} == {403}
    scene.lets_in(person, number)
