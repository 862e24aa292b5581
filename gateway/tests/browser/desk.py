"""An operator at the console, in a browser of their own."""

import time
from typing import Any, Final

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from gateway import tokens
from gateway.tests.browser.scene import PATIENCE_MS
from gateway.tests.stand import Stand
from gateway.tokens import Role

TILE: Final = ".tile"


def token_of(stand: Stand, name: str, role: Role) -> str:
    """A token of a role, made while the gateway runs."""
    return tokens.create(stand.folder / "operators.json", name, role, now_s=int(time.time()))


class Operator:
    """One tab at the console, in English unless told otherwise."""

    def __init__(self, stand: Stand, browser: Browser, **options: Any) -> None:
        self.stand = stand
        self.faults: list[str] = []
        self.context = browser.new_context(**{"locale": "en-GB", "timezone_id": "Asia/Seoul", **options})
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.on("weberror", lambda error: self.faults.append(str(error.error)))
        self.context.on("console", self._on_console)
        self.context.on("request", self._on_request)
        self.page: Page = self.context.new_page()
        self.page.goto(f"{stand.operator_url}/")

    def _on_console(self, message: ConsoleMessage) -> None:
        # What the security policy refuses is an error here; so is any answer from 400 on, which tests know of.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith(self.stand.operator_url):
            self.faults.append(f"asked {request.url}")

    def log_in(self, token: str) -> None:
        self.page.locator("#token").fill(token)
        self.page.locator("#login button[type=submit]").click()

    def sees(self, place: str, text: str) -> None:
        expect(self.page.locator(place)).to_contain_text(text, timeout=PATIENCE_MS)

    def tile(self, name: str) -> Locator:
        """The number under that heading."""
        heading = self.page.get_by_role("heading", name=name, exact=True)
        return self.page.locator(TILE).filter(has=heading).locator(".value")

    def tells(self, name: str, value: str) -> None:
        expect(self.tile(name)).to_have_text(value, timeout=PATIENCE_MS)

    def does(self, name: str) -> Locator:
        """Press an action's button; the question that it asks."""
        self.page.get_by_role("button", name=name, exact=True).click()
        dialog = self.page.locator("dialog")
        expect(dialog).to_be_visible()
        return dialog

    def confirms(self) -> None:
        """Say yes, and wait until it is done."""
        dialog = self.page.locator("dialog")
        dialog.locator("button[type=submit]").click()
        expect(dialog).to_have_count(0, timeout=PATIENCE_MS)

    def close(self) -> None:
        self.context.close()
