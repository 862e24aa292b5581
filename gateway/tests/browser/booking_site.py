"""What people do on the booking site's pages, in Korean or English; by clicks and keys, so with or without scripts."""

from collections.abc import Mapping
from itertools import count
from typing import Final

from playwright.sync_api import Page, expect

from gateway.tests.browser.scene import PATIENCE_MS

CHILD: Final = {"name": "이하늘", "birth_date": "19951130", "phone": "010-2468-1357"}
MOTHER: Final = {"for_name": "김순자", "for_birth_date": "19670514", "for_phone": "010-8765-4321"}
MINJI: Final = {"name": "Kim Minji", "birth_date": "19700228", "phone": "010-1357-2468"}

_NUMBERS: Final = count(1)


def another(fields: Mapping[str, str]) -> dict[str, str]:
    """Somebody of the same name and birth date: tests share a site, and each person books once."""
    phone = "for_phone" if "for_phone" in fields else "phone"
    return {**fields, phone: f"0109000{next(_NUMBERS):04}"}


def fill(page: Page, fields: Mapping[str, str]) -> None:
    """Type into fields by their names."""
    for name, value in fields.items():
        page.locator(f"#{name}").fill(value)


def identify(page: Page, fields: Mapping[str, str]) -> None:
    """From the start page: one's own identity; to the list of centres."""
    page.locator('.doors a[href^="/booking/identify"]').first.click()
    fill(page, fields)
    page.locator("main .stick button").click()
    page.wait_for_selector("ul.list")


def identify_for_mother(page: Page, mother: Mapping[str, str] = MOTHER) -> None:
    """From the start page: a child books for their mother; to the list of centres."""
    page.locator('.doors a[href*="for=family"]').click()
    fill(page, {**CHILD, **mother})
    page.locator("#consent").check()
    page.locator("main .stick button").click()
    page.wait_for_selector("ul.list")


def hold(page: Page, *, centre: int = 0, time: int = 0) -> None:
    """From the list of centres: a seat at a time; to the review."""
    page.locator("ul.list a").nth(centre).click()
    page.locator("ul.slots button").nth(time).click()
    page.wait_for_selector(".early")


def confirm(page: Page) -> str:
    """From the review to the card; the code on it, which must be the one shown before."""
    early = page.locator(".early").text_content()
    page.locator("main .stick button").click()
    code = page.locator(".ticket .code")
    expect(code).to_be_visible(timeout=PATIENCE_MS)
    shown = code.text_content()
    assert shown
    assert shown == early
    return shown


def find(page: Page, code: str, birth_date: str) -> None:
    """From the start page: look a booking up."""
    page.locator('.doors a[href^="/booking/find"]').click()
    fill(page, {"code": code, "birth_date": birth_date})
    page.locator("form[data-draft=find] button").click()
    page.wait_for_selector(".ticket .code")


def cancel(page: Page) -> None:
    """From the booking that was found; the question shows it once more."""
    shown = page.locator(".ticket").inner_text()
    page.locator('a[href^="/booking/cancel"]').click()
    button = page.locator('form[action^="/booking/cancel"] button')
    expect(button).to_be_visible(timeout=PATIENCE_MS)
    assert page.locator(".ticket").inner_text() == shown
    button.click()
    page.wait_for_selector('form[action^="/booking/finish"]')
