"""A room with one seat, which is taken, and people with browsers in line behind it.

Where people are is taken from two logs that no browser writes: the backend's (which requests passed its gate, with
whose pass) and the gateway's audit log (whom it admitted). `Scene.check` compares both with what the test expects.
"""

import re
import time
from collections.abc import Collection, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect

from gateway.room.model import USER_CREDIT
from gateway.tests.stand import PATIENCE_S, Admission, DidNotHappen, Seen, Stand, Visitor, fetch, until, without_turn
from shared.wire import OWN_PATH, TICKET_COOKIE

PATIENCE_MS: Final = PATIENCE_S * 1000
# What Chromium says of any answer from 400 on and of any failed request: tests of such answers know.
NETWORK_NOISE: Final = ("Failed to load resource",)

# Every worker looks at the room at least this often.
ALL_KNOW_S: Final = 0.5

_DIGITS: Final = re.compile(r"^[\d,]+$")


class Person:
    """A browser profile with one tab."""

    def __init__(self, stand: Stand, context: BrowserContext, noise: Sequence[str]) -> None:
        self.stand = stand
        self.context = context
        self.hosts = {urlsplit(stand.url).netloc}
        self.asked: set[str] = set()
        self.faults: list[str] = []
        self._noise = noise
        self._closed = False
        context.set_default_timeout(PATIENCE_MS)
        context.on("request", self._on_request)
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.faults.append(str(error.error)))
        self.page = context.new_page()

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"}:
            self.asked.add(parts.netloc)

    def _on_console(self, message: ConsoleMessage) -> None:
        # A refused script, style or request (Content-Security-Policy) is an error here too.
        if message.type == "error" and not any(noise in message.text for noise in self._noise):
            self.faults.append(message.text)

    @property
    def number(self) -> int:
        """The number on the waiting page, once it is there."""
        place = self.page.locator("#n-number")
        expect(place).to_have_text(_DIGITS, timeout=PATIENCE_MS)
        return int((place.text_content() or "").replace(",", ""))

    @property
    def ahead(self) -> int:
        return int((self.page.locator("#n-count").text_content() or "0").replace(",", ""))

    def go(self, path: str = "/", *, page: Page | None = None) -> str | None:
        """Open an address of the site; the gate's word for the answer, None if it came from the backend."""
        response = (page or self.page).goto(self.stand.url + path)
        assert response is not None
        return response.headers.get("sunbeon-gate")

    def tab(self) -> Page:
        return self.context.new_page()

    def says(self, place: str, text: str) -> None:
        """Wait until the waiting page says it."""
        expect(self.page.locator(f"#n-{place}")).to_contain_text(text, timeout=PATIENCE_MS)

    def enters(self, page: Page | None = None) -> None:
        """Wait, without touching anything, until the booking site is there."""
        (page or self.page).wait_for_selector("a.brand")

    def cookie(self, kind: str) -> str | None:
        """The value of this room's cookie."""
        found: dict[str, str] = {each["name"]: each["value"] for each in self.context.cookies(self.stand.url)}
        return found.get(f"{kind}_{self.stand.name}")

    def set_cookie(self, kind: str, value: str) -> None:
        self.context.add_cookies([{"name": f"{kind}_{self.stand.name}", "value": value, "url": self.stand.url}])

    def drop_cookie(self, kind: str) -> None:
        self.context.clear_cookies(name=f"{kind}_{self.stand.name}")

    def close(self) -> None:
        """Close the browser; its places stay."""
        self._closed = True
        self.context.close()

    def leave(self) -> None:
        """Give up whatever places this profile holds, for the next test."""
        for each in [] if self._closed else self.context.cookies():
            if each["name"].startswith(TICKET_COOKIE):
                cookie = {"Cookie": f"{each['name']}={each['value']}"}
                fetch(self.stand.url, "POST", f"{OWN_PATH}{self.stand.name}/leave", headers=cookie)


class Scene:
    """The room of one test. The stand may have served others before: only what comes from now on counts."""

    def __init__(self, stand: Stand, browser: Browser) -> None:
        self.stand = stand
        self.people: list[Person] = []
        self.holder: Visitor | None = None
        self.holder_number = 0
        self._browser = browser
        self._requests_before = len(stand.requests())
        self._admissions_before = len(stand.admissions())

    def take_seat(self) -> Visitor:
        """Someone without a browser goes into the only seat."""
        self.holder = self.stand.visitor()
        self.holder.enter()
        self.holder_number = self.admissions()[-1].number
        return self.holder

    def free_seat(self) -> None:
        assert self.holder is not None
        self.holder.leave()
        self.holder = None

    def person(self, *, noise: Sequence[str] = (), **options: Any) -> Person:
        """A browser profile of its own, in English unless told otherwise. noise: console errors that are expected."""
        context = self._browser.new_context(**{"locale": "en-GB", **options})
        made = Person(self.stand, context, noise)
        self.people.append(made)
        return made

    def in_line(self, *, noise: Sequence[str] = (), **options: Any) -> tuple[Person, int]:
        """Take the seat, and bring somebody who waits behind it; with their number."""
        self.take_seat()
        person = self.person(noise=noise, **options)
        assert person.go() == "waiting"
        number = person.number
        assert number > self.holder_number
        return person, number

    def requests(self) -> list[Seen]:
        return self.stand.requests()[self._requests_before :]

    def admissions(self) -> list[Admission]:
        return self.stand.admissions()[self._admissions_before :]

    def check(self, numbers: Collection[int] | None = None) -> None:
        """Only people who were admitted got through, each by one pass. numbers: theirs; None for the seat's holder."""
        check_evidence(self.requests(), self.admissions(), {self.holder_number} if numbers is None else set(numbers))

    def still_waits(self, person: Person, number: int) -> None:
        """The waiting page is there, with this number, and nobody else got in."""
        assert person.number == number
        self.check()

    def lets_in(self, person: Person, number: int) -> None:
        """The end of every trick: once the seat is free this person goes in untouched, by that number and one pass."""
        self.still_waits(person, number)
        self.free_seat()
        person.enters()
        self.check({self.holder_number, number})
        until(lambda: self.stand.room()["live"] == 1, "one pass lives")

    def clear(self) -> bool:
        """Everybody goes home; True if the room is then empty, as the next test wants it."""
        for person in self.people:
            person.leave()
            person.close()
        if self.holder is not None:
            self.free_seat()
        return is_idle(self.stand)

    def faults(self) -> list[str]:
        """Script errors and refused content on any page, and requests to anywhere else."""
        elsewhere = [f"asked {host}" for person in self.people for host in sorted(person.asked - person.hosts)]
        return [fault for person in self.people for fault in person.faults] + elsewhere


def check_evidence(requests: Sequence[Seen], admissions: Sequence[Admission], numbers: Collection[int]) -> None:
    """What both logs must show: nobody got through but by an admission, one for each of these numbers, no other."""
    assert without_turn(requests, admissions) == [], "a request got through without a turn"
    inside = {each.number for each in requests if each.verdict == "ok"}
    assert inside == set(numbers), "somebody else got through"
    admitted = sorted(each.number for each in admissions)
    assert admitted == sorted(numbers), "a number was admitted twice, or somebody else was"


def is_idle(stand: Stand, *, calm_s: float = 0.0) -> bool:
    """Whether the room is empty, and stays so for that long."""
    calm_since = 0.0

    def look() -> bool:
        nonlocal calm_since
        room = stand.room()
        calm = room["admitting"] and room["live"] == room["waiting"] == 0 and room["credit"] >= USER_CREDIT
        if not calm or not calm_since:
            calm_since = time.monotonic() if calm else 0.0
        return bool(calm_since) and time.monotonic() - calm_since > calm_s

    try:
        return until(look, "the room is idle", patience_s=5.0)
    except DidNotHappen:
        return False
