"""The browser: Debian's Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

PATH: Final = shutil.which("chromium") or shutil.which("chromium-browser")
REQUIRED: Final = bool(os.environ.get("CI"))
# It runs as root in a container, and asks nothing of anyone but the page.
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def chromium_for_tests() -> Iterator[Browser]:
    """As `chromium`. Where there is none, the test is skipped with a loud line; in CI it fails."""
    if PATH is None:
        if REQUIRED:
            pytest.fail("Chromium is missing: apt-get install chromium")
        pytest.skip("BROWSER TESTS SKIPPED: no Chromium on this machine (apt-get install chromium)")
    with chromium() as browser:
        yield browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that ends with the context."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=list(FLAGS))
        yield browser
        browser.close()
