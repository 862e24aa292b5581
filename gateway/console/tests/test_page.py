"""The console's page: open, as it holds nothing; with no way for anything else to run; every word in both languages."""

import json
import re
from pathlib import Path

import pytest

from gateway.console import page
from gateway.console.tests.test_api import ask

STATIC = Path(page.__file__).parent / "static"
SOURCES = {path.name: path.read_text() for path in sorted(STATIC.iterdir())}
WORDS = json.loads(SOURCES["words.json"])
# Words whose names the scripts put together, by how these begin.
COMPOSED = ("state_", "do_", "why_", "role_", "span_", "set_", "event_", "message_", "trail_")


async def test_the_page_and_its_files_are_open_and_nothing_in_them_may_come_from_elsewhere(site):
    got = await ask(site, "GET", "/", token=None)
    assert (got.status, got.one("Content-Type")) == (200, "text/html; charset=utf-8")
    policy = got.one("Content-Security-Policy") or ""
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert b"north" not in got.body
    for name in page.FILES:
        found = await ask(site, "GET", f"/console/{name}", token=None)
        assert (found.status, found.body) == (200, (STATIC / name).read_bytes())
        assert found.one("X-Content-Type-Options") == "nosniff"
    assert set(page.FILES) == set(SOURCES) - {page.PAGE}


@pytest.mark.parametrize("name", ["page.py", "..%2fpage.py", "%2e%2e/api.py", "console.html", "", "words.json.gz"])
async def test_nothing_but_the_console_s_files_is_given_out(site, name):
    got = await ask(site, "GET", f"/console/{name}", token=None)
    assert got.status in {401, 404}
    assert b"import" not in got.body


def test_the_page_has_no_script_or_style_in_itself_and_asks_no_other_host():
    html = SOURCES[page.PAGE]
    assert "<style" not in html
    assert not re.search(r"\s(on\w+|style)=", html)
    assert re.findall(r"<script[^>]*>(.*?)</script>", html) == [""]
    asked = set(re.findall(r'(?:src|href)="([^"]+)"|from "([^"]+)"', "\n".join(SOURCES.values())))
    for name in (first or second for first, second in asked):
        assert name.removeprefix("./").removeprefix("/console/") in SOURCES, name
    for name, text in SOURCES.items():
        hosts = set(re.findall(r"https?://[\w.]+", text)) - {"http://www.w3.org"}
        assert not hosts, name
        assert "innerHTML" not in text, name


def test_every_word_is_there_in_both_languages_with_the_same_blanks():
    korean, english = WORDS["ko"], WORDS["en"]
    assert set(korean) == set(english)
    for key, text in korean.items():
        assert text.strip(), key
        assert english[key].strip(), key
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", english[key])), key
    assert not [key for key, text in english.items() if re.search("[가-힣]", text)]


def test_every_word_that_is_used_is_there_and_every_word_is_used():
    code = "\n".join(text for name, text in SOURCES.items() if name != "words.json")
    used = set(re.findall(r'\bt\("(\w+)"', code)) | set(re.findall(r'data-t(?:-label)?="(\w+)"', code))
    assert used <= set(WORDS["ko"])
    said = set(re.findall(r'"(\w+)"', code))
    assert not [key for key in WORDS["ko"] if key not in used | said and not key.startswith((*COMPOSED, "theme_"))]
