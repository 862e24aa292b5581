"""Pictures of the pages for the documentation: `python -m gateway.tests.browser.screenshots docs/images`.

Each shows the real thing: a gateway with a line of people in it, and the booking site behind.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, expect

from gateway.store.open import open_store
from gateway.tests.browser import booking_site
from gateway.tests.browser.chromium import PATH, chromium
from gateway.tests.browser.desk import Operator, token_of
from gateway.tests.browser.scene import PATIENCE_MS
from gateway.tests.stand import Stand, until
from gateway.tokens import Role

WALL: Final[dict[str, Any]] = {"viewport": {"width": 1440, "height": 1180}}
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESKTOP: Final[dict[str, Any]] = {"viewport": {"width": 1100, "height": 780}}
KO: Final[dict[str, Any]] = {"locale": "ko-KR", "timezone_id": "Asia/Seoul"}
EN: Final[dict[str, Any]] = {"locale": "en-GB", "timezone_id": "Asia/Seoul"}
DARK: Final[dict[str, Any]] = {"color_scheme": "dark"}

# At the console: seats, all taken.
INSIDE: Final = 120
# So long goes by, for a chart to show that they wait.
CHART_MS: Final = 5_000
# People who went in before ours, and who are still ahead; what was ahead when our tabs were opened; the pace.
GONE_IN: Final = 3_411
AHEAD: Final = 1_389
AHEAD_AT_FIRST: Final = 4_100
PER_MINUTE: Final = 60
TABS_FROM: Final = GONE_IN + AHEAD + 1


def main() -> int:
    """Write every picture into the folder that is named."""
    if len(sys.argv) != 2 or PATH is None:
        print("usage: python -m gateway.tests.browser.screenshots FOLDER (needs Chromium)", file=sys.stderr)
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    room = {"total_active_users": 0, "new_users_per_minute": PER_MINUTE, "claim_window_s": 300}
    with tempfile.TemporaryDirectory() as place, Stand(Path(place), room=room) as stand, chromium() as browser:
        for picture in (_waiting, _booking, _closed):
            picture(stand, browser, folder)
    console_pictures(folder)
    for path in sorted(folder.glob("*.png")):
        print(f"{path} {path.stat().st_size // 1024} KB")
    return 0


def _waiting(stand: Stand, browser: Browser, folder: Path) -> None:
    _run(_fill(stand, GONE_IN))
    stand.patch(total_active_users=GONE_IN, new_users_per_minute=6_000_000)
    until(lambda: stand.room()["serving"] == GONE_IN, "so many were called")
    stand.patch(total_active_users=1, new_users_per_minute=PER_MINUTE)
    _run(_fill(stand, AHEAD))
    looks = {
        "waiting-phone-ko": {**PHONE, **KO},
        "waiting-phone-en": {**PHONE, **EN},
        "waiting-desktop-ko": {**DESKTOP, **KO},
        "waiting-desktop-dark-en": {**DESKTOP, **EN, **DARK},
    }
    for number, (name, look) in enumerate(looks.items(), TABS_FROM):
        with _page(browser, stand, number, **look) as page:
            expect(page.locator("#n-number")).to_have_text(f"{number:,}", timeout=PATIENCE_MS)
            _shoot(page, folder / f"{name}.png")
            if look == looks["waiting-phone-ko"]:
                page.context.set_offline(True)
                page.locator("#n-state").get_by_text("인터넷 연결이 끊겼습니다").wait_for()
                _shoot(page, folder / "waiting-offline-phone-ko.png")


def _booking(stand: Stand, browser: Browser, folder: Path) -> None:
    """A child books for their mother on a phone; then finds that booking."""
    _run(_empty(stand))
    stand.patch(total_active_users=100, new_users_per_minute=600)
    with _page(browser, stand, **PHONE, **KO) as page:
        page.wait_for_selector(".doors")
        _shoot(page, folder / "booking-start-phone-ko.png")
        page.locator('.doors a[href*="for=family"]').click()
        booking_site.fill(page, booking_site.CHILD)
        page.locator("h1").click()  # no field is being typed in
        page.evaluate("scrollTo(0, 0)")
        _shoot(page, folder / "booking-identify-phone-ko.png")
        booking_site.fill(page, booking_site.MOTHER)
        page.locator("#consent").check()
        page.locator("main .stick button").click()
        page.wait_for_selector("ul.list")
        page.locator("ul.list a").first.click()
        page.wait_for_selector("ul.slots")
        _shoot(page, folder / "booking-times-phone-ko.png")
        page.locator("ul.slots button").nth(2).click()
        page.wait_for_selector(".early")
        code = booking_site.confirm(page)
        _shoot(page, folder / "booking-card-phone-ko.png")
    with _page(browser, stand, **PHONE, **KO) as page:
        page.wait_for_selector(".doors")
        booking_site.find(page, code, booking_site.MOTHER["for_birth_date"])
        _shoot(page, folder / "booking-found-phone-ko.png")
    with _page(browser, stand, **DESKTOP, **EN, **DARK) as page:
        page.wait_for_selector(".doors")
        page.locator('.doors a[href^="/booking/eligibility"]').click()
        booking_site.fill(page, {"birth_date": booking_site.MINJI["birth_date"]})
        page.locator("main form button").first.click()
        page.wait_for_selector(".answer")
        page.locator("h1").click()
        _shoot(page, folder / "booking-eligibility-desktop-dark-en.png")


def _closed(stand: Stand, browser: Browser, folder: Path) -> None:
    stand.patch(state="closed")
    with _page(browser, stand, **PHONE, **KO) as page:
        page.wait_for_selector("h1")
        _shoot(page, folder / "closed-phone-ko.png")


def console_pictures(folder: Path) -> None:
    """An evening at the operators' console: the room fills, a line forms, a higher ceiling is thought about."""
    room = {"total_active_users": INSIDE, "new_users_per_minute": 180, "session_length_s": 900, "claim_window_s": 300}
    with tempfile.TemporaryDirectory() as place, Stand(Path(place), room=room) as stand, chromium() as browser:
        token = token_of(stand, "kim.duty", Role.OPERATOR)
        looks = {
            "console-desktop-en": {**WALL, **EN},
            "console-desktop-dark-ko": {**WALL, **KO, **DARK},
            "console-phone-ko": {**PHONE, **KO},
            "console-phone-en": {**PHONE, **EN},
        }
        operators = {name: Operator(stand, browser, **look) for name, look in looks.items()}
        for operator in operators.values():
            operator.log_in(token)
        for _ in range(INSIDE):
            stand.visitor().enter()
        _run(_fill(stand, AHEAD))
        stand.patch(message={"ko": "접속이 지연되고 있습니다.", "en": "Entry is slower than planned."})
        for name, operator in operators.items():
            operator.sees("#state", "planned")
            operator.page.wait_for_timeout(CHART_MS)
            operator.page.locator("#field-total_active_users").fill("300")
            expect(operator.page.locator(".effect")).to_contain_text("300", timeout=PATIENCE_MS)
            operator.page.evaluate("document.activeElement.blur()")  # no field is being typed in
            operator.page.evaluate("scrollTo(0, 0)")
            _shoot(operator.page, folder / f"{name}.png")
            operator.close()


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run it in a thread: in this one Playwright's loop is at work."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


async def _fill(stand: Stand, people: int) -> None:
    """Stand so many people in line. The store cannot tell how they came."""
    store = open_store(f"sqlite:///{stand.database}")
    try:
        await store.join(stand.name, [None] * people, expires_ms=0)
    finally:
        await store.close()


async def _empty(stand: Stand) -> None:
    """Everybody who has not been called goes home."""
    store = open_store(f"sqlite:///{stand.database}")
    try:
        room = await store.load(stand.name)
        places = [(room.epoch, place) for place in range(1, room.tail + 1)]
        await store.leave(stand.name, places)
    finally:
        await store.close()


@contextmanager
def _page(browser: Browser, stand: Stand, number: int | None = None, **options: Any) -> Iterator[Page]:
    """A tab. number: of a visitor who has waited for long; the tab remembers how far the bar came."""
    context = browser.new_context(**options)
    context.set_default_timeout(PATIENCE_MS)
    if number is not None:
        journey = json.dumps({"number": number, "first": AHEAD_AT_FIRST, "best": 0})
        context.add_init_script(f"sessionStorage.setItem('sunbeon:{stand.name}:journey', '{journey}')")
    page = context.new_page()
    page.goto(stand.url)
    yield page
    context.close()


def _shoot(page: Page, path: Path) -> None:
    page.screenshot(path=path, animations="disabled")


if __name__ == "__main__":
    sys.exit(main())
