"""What a page of the gate must hold before any script has run."""

import gzip
import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path
from string import Formatter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.eligibility_page import eligibility_samples
from gateway.edge.pages import NOTICE_KINDS, SAMPLE_STATES, SAMPLE_STATUS, WAITING_NOTICES, Pages, WaitView
from gateway.edge.reader import eta_words
from gateway.edge.strings import EN, KO, OWN_WORDS, SCRIPT_WORDS, STRINGS
from shared.wire import STATUS_FIELDS, RoomState, VisitorState

PAGES = Pages()
TITLE = {"ko": "코로나19 예방접종 사전예약", "en": "COVID-19 vaccination booking"}
NASTY = "</script><img src=x onerror=alert(1)><!-- <script> {{ 7*7 }} & \" ' \u2028 \ud800"
both_languages = pytest.mark.parametrize("language", ["ko", "en"])


def view(*, title=TITLE, notice=None, refresh_s=20, **status):
    full = {**SAMPLE_STATUS, "state": "waiting", "room_state": "open", "ticket": "v1.ticket", **status}
    return WaitView(
        room="vaccine",
        title=title,
        status=full,
        status_url="/_sunbeon/vaccine/status",
        leave_url="/_sunbeon/vaccine/leave",
        refresh_s=refresh_s,
        notice=notice,
    )


def notice(kind, language, **more):
    given = {
        "room": "vaccine",
        "title": TITLE,
        "retry_url": "/book",
        "leave_url": "/_sunbeon/vaccine/leave",
        "request_id": "7f3a9c01",
        "detail": {"ko": "점검 중입니다.", "en": "Maintenance."},
    }
    return PAGES.notice(kind, language, **{**given, **more})


def every_page():
    for language in STRINGS:
        for state, room_state in SAMPLE_STATES:
            page = PAGES.waiting(view(state=state, room_state=room_state), language)
            yield pytest.param(page, id=f"{language}-{state}-{room_state}")
        page = PAGES.waiting(view(number=None, place=None, ahead=None, eta_ms=None), language)
        yield pytest.param(page, id=f"{language}-knock")
        for kind in NOTICE_KINDS:
            yield pytest.param(notice(kind, language), id=f"{language}-{kind}")
        for number, (template, values) in enumerate(eligibility_samples(PAGES, language)):
            page = PAGES.special(template, values, TITLE, language)
            yield pytest.param(page, id=f"{language}-eligibility-{number}")


on_every_page = pytest.mark.parametrize("page", list(every_page()))


class Parsed(HTMLParser):
    """Text, tags, and the raw text of scripts and styles. `noscript` counts as text: this reader runs no script."""

    def __init__(self, body):
        super().__init__()
        self.tags, self.text = [], ""
        self.raw: dict[str, list[str]] = {"script": [], "style": [], "json": []}
        self._raw, self._hidden = None, 0
        self.feed(body.decode())
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append((tag, attrs))
        if tag in {"script", "style"}:
            self._raw = "json" if attrs.get("type") else tag
            self.raw[self._raw].append("")

    def handle_endtag(self, tag):
        if tag in {"script", "style"}:
            self._raw = None

    def handle_data(self, data):
        if self._raw:
            self.raw[self._raw][-1] += data
        else:
            self.text += data + " "

    @property
    def words(self):
        return " ".join(self.text.split())

    @property
    def data(self):
        return json.loads(self.raw["json"][0])


# ---- the tables of sentences


def test_both_languages_have_the_same_keys_and_the_same_gaps_to_fill():
    assert KO.keys() == EN.keys()
    for key in KO:
        gaps = [{name for _, name, _, _ in Formatter().parse(table[key]) if name} for table in (KO, EN)]
        assert gaps[0] == gaps[1], key


def test_the_script_is_given_exactly_the_words_it_uses():
    script = Path(__file__).parents[1].joinpath("static/waiting.js").read_text("utf-8")
    used = set(re.findall(r"\bwords\.(\w+)", script)) | {"offline", "catching_up", "connected"}
    phases = {key.removeprefix("head_") for key in KO if key.startswith("head_")}
    faces = {f"{part}_{phase}" for part in ("head", "lead") for phase in phases}
    assert {*SCRIPT_WORDS, *OWN_WORDS} == used | faces
    assert not {*SCRIPT_WORDS} & {*OWN_WORDS}, "said for each page, not in each"


def test_the_script_knows_every_state_and_reads_only_fields_that_are_on_the_wire():
    script = Path(__file__).parents[1].joinpath("static/waiting.js").read_text("utf-8")
    lists = dict(re.findall(r"const (\w+) = \[([^\]]*)\];", script))
    assert re.findall(r"\w+", lists["STATES"]) == [state.value for state in VisitorState]
    assert re.findall(r"\w+", lists["ROOM_STATES"]) == [state.value for state in RoomState]
    assert set(re.findall(r"\b(?:status|answer|s|a)\.([a-z_]+_ms|number|place|ahead|message|ticket)\b", script)) <= set(
        STATUS_FIELDS
    )


def test_the_script_stays_within_the_language_of_2019():
    script = Path(__file__).parents[1].joinpath("static/waiting.js").read_text("utf-8")
    assert not re.search(
        r"\?\.|\?\?|\|\|=|&&=|replaceAll|\.at\(|\d_\d|localStorage|document\.cookie|innerHTML|eval", script
    )


def luminance(colour):
    """Relative luminance as WCAG 2.2 defines it, of #rgb or #rrggbb."""
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_every_text_is_readable_on_its_ground_by_day_and_by_night():
    css = Path(__file__).parents[1].joinpath("static/page.css").read_text("utf-8")
    day, night = (
        dict(re.findall(r"--([\w-]+): (#\w+);", block)) for block in re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    )
    on = {
        "ground": ["ink", "soft"],
        "paper": ["ink", "soft", "accent", "good", "danger"],
        "tint": ["ink"],
        "warn-tint": ["warn"],
        "accent": ["accent-ink"],
    }
    for colours in (day, day | night):
        for ground, inks in on.items():
            for ink in inks:
                dark, light = sorted((luminance(colours[ground]), luminance(colours[ink])))
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ground, ink)


# ---- every page


@on_every_page
def test_every_page_is_whole_and_allows_exactly_what_is_in_it(page):
    parsed = Parsed(page.body)
    tags = dict(parsed.tags)
    policy = dict(part.split(" ", 1) for part in page.csp.split("; "))

    def hashes(texts):
        return " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts)

    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == hashes(parsed.raw["style"])
    assert policy.get("script-src", "") == hashes(parsed.raw["script"])
    assert policy["form-action"] == "'self'"
    assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert tags["html"] == {"lang": page.language}
    assert {"name": "robots", "content": "noindex, nofollow"} in [attrs for tag, attrs in parsed.tags if tag == "meta"]
    assert not [key for _, attrs in parsed.tags for key in attrs if key == "style" or key.startswith("on")]


@on_every_page
def test_no_page_asks_another_address_for_anything(page):
    for tag, attrs in Parsed(page.body).tags:
        for key in ("src", "href", "action", "data"):
            address = attrs.get(key, "")
            assert address == "" or address.startswith(("/", "data:")), (tag, address)
            assert not address.startswith("//")
    without_namespace = page.body.decode().replace("xmlns='http://www.w3.org/2000/svg'", "")
    assert not re.search(r"https?://|@import|url\(", without_namespace)


@on_every_page
def test_no_page_has_a_gap_left_to_fill(page):
    assert not re.search(r"\{\w*\}|\{\{|\{%|Undefined|None", Parsed(page.body).text)


@on_every_page
def test_every_page_is_small_and_its_compressed_form_is_the_same_page(page):
    assert gzip.decompress(page.gzip) == page.body
    assert len(page.gzip) < 12_000  # promised: 15 KB


# ---- the waiting page


@both_languages
def test_without_a_script_the_waiting_page_says_it_all(language):
    parsed = Parsed(PAGES.waiting(view(), language).body)
    t = STRINGS[language]
    assert "123,456" in parsed.words
    assert "1,234,567" in parsed.words
    assert {"ko": "약 12~18분", "en": "about 12–18 minutes"}[language] in parsed.words  # noqa: RUF001
    for key in ("advice_nothing", "advice_safe", "advice_return", "leave", "leave_ask", "leave_yes"):
        assert t[key] in parsed.words
    assert TITLE[language] in parsed.words
    assert ("meta", {"http-equiv": "refresh", "content": "20"}) in parsed.tags
    assert t["noscript"].format(s=20) in parsed.words
    assert ("form", {"method": "post", "action": "/_sunbeon/vaccine/leave"}) in parsed.tags
    body = PAGES.waiting(view(), language).body
    assert b'<noscript><meta http-equiv="refresh"' in body, "with a script, the script alone asks again"


@both_languages
@pytest.mark.parametrize(("state", "room_state"), SAMPLE_STATES)
def test_every_face_of_the_waiting_page_has_its_heading(language, state, room_state):
    words = Parsed(PAGES.waiting(view(state=state, room_state=room_state), language).body).words
    of_room = {"open": "waiting"}.get(room_state, room_state)
    phase = {"called": "turn", "at_door": "door"}.get(state, of_room)
    assert STRINGS[language][f"head_{phase}"] in words
    assert STRINGS[language][f"lead_{phase}"] in words


def visible(body):
    """Text outside elements that are hidden until the script shows them."""
    return Parsed(re.sub(rb"<(\w+)[^>]* hidden>.*?</\1>", b"", body, flags=re.DOTALL)).words


@both_languages
def test_a_visitor_without_a_number_is_told_that_it_is_coming(language):
    page = PAGES.waiting(view(number=None, place=None, ahead=None, eta_ms=None, refresh_s=2), language)
    assert STRINGS[language]["lead_number"] in visible(page.body)
    assert b'id="n-number-row" hidden' in page.body
    assert b'id="n-eta-row" hidden' in page.body
    assert b'id="n-ahead" hidden' in page.body
    assert b'content="2"' in page.body


def test_before_opening_the_time_is_written_with_its_zone():
    words = visible(PAGES.waiting(view(room_state="prequeue", ahead=None, eta_ms=None), "ko").body)
    assert "2021-07-19 22:00 KST" in words
    assert "2021-07-19 22:00 KST" not in visible(PAGES.waiting(view(), "ko").body)


def test_a_pause_is_not_an_estimate():
    words = visible(PAGES.waiting(view(room_state="paused"), "en").body)
    assert EN["eta_paused"] in words
    assert "18 minutes" not in words


def test_one_person_and_nobody_ahead_are_said_properly():
    assert "Ahead of you 1 person" in visible(PAGES.waiting(view(ahead=1), "en").body)
    assert "You are next" in visible(PAGES.waiting(view(ahead=0), "en").body)
    assert "앞에 1 명이" in visible(PAGES.waiting(view(ahead=1), "ko").body)


@both_languages
@pytest.mark.parametrize(
    ("face", "key"),
    [
        ({}, "away_place"),
        ({"room_state": "closed"}, "away_place"),
        ({"state": "called"}, "away_turn"),
        ({"number": None, "place": None, "ahead": None}, "away_number"),
    ],
)
def test_while_the_line_cannot_be_asked_the_page_says_what_is_kept(language, face, key):
    away = visible(PAGES.waiting(view(catching_up=True, eta_ms=None, **face), language).body)
    assert STRINGS[language][key] in away
    assert STRINGS[language][key] not in visible(PAGES.waiting(view(**face), language).body)


def test_what_is_shown_is_said_to_be_of_the_moment_it_was_seen():
    assert "20:00:00 KST" in visible(PAGES.waiting(view(server_time_ms=SAMPLE_STATUS["as_of_ms"] + 50_000), "ko").body)


@both_languages
@pytest.mark.parametrize("kind", WAITING_NOTICES)
def test_a_line_above_tells_what_became_of_the_turn_before(language, kind):
    assert STRINGS[language][f"notice_{kind}"] in Parsed(PAGES.waiting(view(notice=kind), language).body).words


def test_the_script_gets_the_status_answer_as_it_is():
    data = Parsed(PAGES.waiting(view(message="22시로 변경"), "ko").body).data
    assert data["status"] == view(message="22시로 변경").status
    assert data["status_url"] == "/_sunbeon/vaccine/status"


def test_text_from_people_is_text_and_nothing_else():
    page = PAGES.waiting(view(title={"ko": NASTY}, message=NASTY, ticket=NASTY), "ko")
    parsed = Parsed(page.body)
    assert "img" not in dict(parsed.tags)
    assert len(parsed.raw["script"]) == len(parsed.raw["json"]) == 1
    readable = NASTY.replace("\ud800", "?")
    assert parsed.data["status"]["message"] == readable
    assert "<img src=x onerror=alert(1)>" in parsed.text, "shown as written"
    for kind in NOTICE_KINDS:
        body = notice(
            kind, "en", title={"en": NASTY}, detail={"en": NASTY}, request_id=NASTY, retry_url='/"><img src=x>'
        ).body
        assert "img" not in dict(Parsed(body).tags)
        assert "script" not in dict(Parsed(body).tags)


def test_a_title_in_another_language_is_better_than_none():
    assert "백신" in Parsed(PAGES.waiting(view(title={"ko": "백신"}), "en").body).words
    assert "brand" not in PAGES.waiting(view(title={}), "en").body.decode().split("</style>")[1]


MINUTE = 60_000


@pytest.mark.parametrize(
    ("low", "high", "ko", "en"),
    [
        (0, 0, "1분 이내", "less than a minute"),
        (0, 59_999, "1분 이내", "less than a minute"),
        (10_000, 100_000, "2분 이내", "up to 2 minutes"),
        (12 * MINUTE, 18 * MINUTE, "약 12~18분", "about 12–18 minutes"),  # noqa: RUF001
        (7 * MINUTE, 7 * MINUTE, "약 7분", "about 7 minutes"),
        (31 * MINUTE, 44 * MINUTE, "약 30~45분", "about 30–45 minutes"),  # noqa: RUF001
        (85 * MINUTE, 118 * MINUTE, "약 80분~2시간", "about 80 minutes to 2 h"),
        (100 * MINUTE, 155 * MINUTE, "약 1시간 40분~2시간 40분", "about 1 h 40 min to 2 h 40 min"),
        (4_800 * MINUTE, 5_686 * MINUTE, "약 80시간~95시간", "about 80 h to 95 h"),
    ],
)
def test_a_wait_is_a_range_in_words(low, high, ko, en):
    assert eta_words([low, high], KO) == ko
    assert eta_words([low, high], EN) == en


@settings(deadline=None)  # a loaded machine is not a fault
@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_any_wait_can_be_said_and_unknown_is_said_to_be_unknown(low, more):
    assert eta_words([low, low + more], EN) not in {"", EN["eta_unknown"]}
    assert eta_words(None, EN) == EN["eta_unknown"]


# ---- notices


@both_languages
@pytest.mark.parametrize("kind", NOTICE_KINDS)
def test_a_notice_says_what_happened_why_and_what_to_do(kind, language):
    parsed = Parsed(notice(kind, language).body)
    t = STRINGS[language]
    for part in ("title", "reason", "do", "button"):
        assert t[f"{kind}_{part}"] in parsed.words
    assert {"ko": "점검 중입니다.", "en": "Maintenance."}[language] in parsed.words
    assert "7f3a9c01" in parsed.words


@pytest.mark.parametrize("kind", NOTICE_KINDS)
def test_a_button_leads_only_where_there_is_a_way(kind):
    bare = Parsed(PAGES.notice(kind, "en").body)
    assert "a" not in dict(bare.tags)
    assert "form" not in dict(bare.tags)
    posts = ("form", {"method": "post", "action": "/_sunbeon/vaccine/leave"})
    assert (posts in Parsed(notice(kind, "en").body).tags) == (kind in {"forged", "old_epoch"})


@pytest.mark.parametrize(
    "url", ["//x.example", "/\\x.example", "/\t/x.example", "https://x.example", "javascript:alert(1)", ""]
)
def test_no_button_leads_to_another_site(url):
    for kind in ("unavailable", "forged"):
        tags = Parsed(notice(kind, "en", retry_url=url, leave_url=url).body).tags
        assert not [tag for tag, _ in tags if tag in {"a", "form"}]
        assert not [attrs for tag, attrs in tags if tag == "meta" and "url=" in attrs.get("content", "")]


@pytest.mark.parametrize("kind", NOTICE_KINDS)
def test_only_what_passes_by_itself_asks_again_by_itself_and_not_all_at_once(kind):
    found = {
        re.search(rb'http-equiv="refresh" content="(\d+);url=/book"', notice(kind, "ko", request_id=str(n)).body)
        for n in range(50)
    }
    delays = {int(match[1]) for match in found if match}
    if kind in {"unavailable", "turn_kept", "bad_gateway", "gateway_timeout", "unserved", "hasty"}:
        assert None not in found
        assert len(delays) > 5
        assert min(delays) >= 5
    else:
        assert found == {None}


def test_an_unknown_kind_is_an_error_not_an_empty_page():
    with pytest.raises(KeyError):
        PAGES.notice("nonsense", "en")
    with pytest.raises(KeyError):
        PAGES.waiting(view(notice="nonsense"), "en")
