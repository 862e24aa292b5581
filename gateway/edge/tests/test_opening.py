"""What the waiting page says on opening day, before any script has run."""

from datetime import datetime

import pytest

from gateway.edge.pages import KST, SAMPLE_STATUS, early_words
from gateway.edge.strings import EN, KO
from gateway.edge.tests.test_pages import PAGES, Parsed, view, visible
from gateway.room.model import Mode

NOW = SAMPLE_STATUS["server_time_ms"]
MINUTE = 60_000
WAITING_NOWHERE = {"place": None, "ahead": None, "eta_ms": None}


def at(text):
    """Milliseconds of a moment in Korea."""
    return int(datetime.fromisoformat(text).replace(tzinfo=KST).timestamp() * 1000)


def said(language="en", **status):
    return visible(PAGES.waiting(view(**status), language).body)


def test_the_sample_is_of_the_evening_these_tests_speak_of():
    assert at("2021-07-19 20:00") == NOW


# ---- lots


PENDING = {"room_state": "prequeue", "draw": "pending", **WAITING_NOWHERE}


@pytest.mark.parametrize(("language", "sentence"), [("ko", "추첨하여 정합니다"), ("en", "gets a place by lot")])
def test_before_lots_are_drawn_the_page_says_when_and_shows_the_number_but_no_place(language, sentence):
    words = said(language, **PENDING)
    assert sentence in words
    assert "22:00 KST" in words
    assert "1,234,567" in words
    assert {"ko": KO, "en": EN}[language]["ahead_row_label"] not in words
    assert "123,456" not in words.replace("1,234,567", "")


def test_an_opening_on_another_day_is_written_with_its_day():
    assert "At 2021-07-20 10:00 KST, everyone" in said(**PENDING, opens_at_ms=at("2021-07-20 10:00"))


@pytest.mark.parametrize(
    ("language", "place", "sentence"),
    [
        ("ko", 4_321, "미리 오신 10,000명의 순서를 시작 시각에 추첨으로 정하였습니다. 나의 순서는 4,321번째입니다."),
        ("en", 4_321, "by lot at opening among all who were here (10,000). Your place is 4,321."),
        ("en", 10_000, "by lot at opening among all who were here (10,000). Your place is 10,000."),
        ("en", 10_001, "after them people go in order of arrival. Your place is 10,001."),
        ("ko", 10_001, "그 뒤로는 오신 순서대로입니다. 나의 순서는 10,001번째입니다."),
    ],
)
@pytest.mark.parametrize("room_state", ["open", "paused", "prequeue", "early"])
def test_afterwards_everyone_is_told_how_their_place_came_about(language, place, sentence, room_state):
    assert sentence in said(language, room_state=room_state, draw="drawn", draw_size=10_000, place=place)


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"room_state": "prequeue"},
        {"draw": "drawn", "draw_size": 0},
        {"draw": "drawn", "draw_size": 10, "state": "called"},
        {"draw": "drawn", "draw_size": 10, "room_state": "closed"},
        {"draw": "drawn", "draw_size": 10, "number": None, **WAITING_NOWHERE},
        {"draw": "pending", **WAITING_NOWHERE},
        {**PENDING, "opens_at_ms": None},
    ],
    ids=["fifo", "fifo early", "nobody early", "turn", "closed", "no number", "open already", "opens some day"],
)
def test_where_lots_say_nothing_of_the_place_nothing_is_said_of_lots(status):
    assert EN["draw_link"] not in said(**status)


def test_the_sentence_leads_to_the_public_record_without_leaving_the_waiting_page():
    links = [attrs for tag, attrs in Parsed(PAGES.waiting(view(**PENDING), "ko").body).tags if tag == "a"]
    assert {"href": "/_sunbeon/vaccine/draw", "target": "_blank", "rel": "noopener"} in links


OWN = {"verdict": "not_yet", "rule": "50-52/1", "opens_at_ms": at("2021-07-19 22:00"), "closes_at_ms": None}
WAVE = {"draw": "wave_pending", "wave": "50-52", "room_state": "open", "eligibility": OWN, **WAITING_NOWHERE}


@pytest.mark.parametrize(("language", "sentence"), [("ko", "추첨하여 정합니다"), ("en", "gets a place by lot")])
def test_who_lines_up_for_their_own_window_is_told_of_its_lots_and_where_they_are_published(language, sentence):
    words = said(language, **WAVE)
    assert sentence in words
    assert "22:00 KST" in words
    links = [attrs for tag, attrs in Parsed(PAGES.waiting(view(**WAVE), language).body).tags if tag == "a"]
    assert "/_sunbeon/vaccine/draw?wave=50-52" in [attrs["href"] for attrs in links]


@pytest.mark.parametrize(("language", "sentence"), [("ko", "미리 오신 1,000명"), ("en", "all who were here (1,000)")])
def test_afterwards_they_are_told_their_place_among_them(language, sentence):
    drawn = {"draw": "wave_drawn", "wave": "50-52:a b", "draw_size": 1_000, "place": 4_321, "number": 4_000}
    assert sentence in said(language, **drawn)
    assert "4,321" in said(language, **drawn)
    assert b'draw?wave=50-52%3Aa%20b"' in PAGES.waiting(view(**drawn), language).body


# ---- an opening that was moved


MOVED = {"room_state": "prequeue", "postponed_from_ms": NOW, "opens_at_ms": at("2021-07-19 22:00")}


def test_a_moved_opening_is_told_with_both_times_and_that_the_place_is_kept():
    assert "The opening was moved from 20:00 KST to 22:00 KST. Your place is kept." in said(**MOVED)
    assert "변경 전 20:00 KST, 변경 후 22:00 KST입니다. 받으신 순서는 그대로 유지됩니다." in said("ko", **MOVED)


def test_a_time_that_is_not_todays_has_its_date():
    moved = {**MOVED, "opens_at_ms": at("2021-07-20 10:00")}
    assert "moved from 20:00 KST to 2021-07-20 10:00 KST." in said(**moved)
    after_midnight = {**moved, "server_time_ms": at("2021-07-20 00:00")}
    assert "moved from 2021-07-19 20:00 KST to 10:00 KST." in said(**after_midnight)


def test_only_what_the_reader_has_is_said_to_be_kept():
    assert "Your number is kept." in said(**MOVED, draw="pending", **WAITING_NOWHERE)
    newcomer = said(**MOVED, number=None, **WAITING_NOWHERE)
    assert "22:00 KST." in newcomer
    assert EN["kept_number"] not in newcomer
    assert EN["kept_place"] not in newcomer


def test_an_opening_that_stands_is_not_said_to_have_been_moved():
    assert "moved" not in said(room_state="prequeue")


# ---- before an opening


def test_between_two_windows_the_page_says_when_it_opens_again_and_that_the_place_is_kept():
    words = said(room_state="early")
    assert EN["head_early"] in words
    assert EN["lead_early"] in words
    assert "2021-07-19 22:00 KST" in words


@pytest.mark.parametrize(
    ("ahead", "ko", "en"),
    [(0, "바로 다음", "You are next"), (1, "1명", "1 person"), (4_711, "4,711명", "4,711 people")],
)
@pytest.mark.parametrize("room_state", ["prequeue", "early"])
def test_in_a_line_the_place_is_known_before_the_opening(ahead, ko, en, room_state):
    assert f"{KO['ahead_row_label']} {ko}" in said("ko", room_state=room_state, ahead=ahead)
    assert f"{EN['ahead_row_label']} {en}" in said("en", room_state=room_state, ahead=ahead)


def test_who_comes_before_the_line_is_told_both_times_above_the_advice():
    told = early_words(at("2021-07-19 19:00"), at("2021-07-19 20:00"))
    for language, t in (("ko", KO), ("en", EN)):
        words = Parsed(PAGES.notice("early", language, detail=told).body).words
        times = [words.index(f"2021-07-19 {hour}:00 KST") for hour in (19, 20)]
        assert words.index(t["early_reason"]) < times[0] < times[1] < words.index(t["early_do"])


# ---- a closing


@pytest.mark.parametrize(("left_ms", "shown"), [(30 * MINUTE, True), (30 * MINUTE + 1, False), (1, True), (0, False)])
def test_a_closing_is_shown_in_the_last_half_hour(left_ms, shown):
    assert (EN["closes_label"] in said(closes_at_ms=NOW + left_ms)) == shown


@pytest.mark.parametrize("status", [{"room_state": "prequeue"}, {"room_state": "closed"}, {"state": "called"}])
def test_a_closing_is_no_news_to_whom_it_does_not_stop(status):
    assert EN["closes_label"] not in said(closes_at_ms=NOW + MINUTE, **status)


def test_a_closing_on_the_next_day_has_its_date():
    late = at("2021-07-19 23:50")
    assert "Closes at 2021-07-20 00:05 KST" in said(server_time_ms=late, closes_at_ms=late + 15 * MINUTE)


# ---- the facts behind it


async def test_a_moved_opening_is_told_as_data_until_it_opens_and_so_is_the_closing(start):
    opens = {"opens_at": "2021-07-19T20:05:00+09:00", "closes_at": "2021-07-19T23:00:00+09:00"}
    site = await start(rooms=[opens])
    waiting = site.visitor()
    await waiting.queue()
    keys = ("room_state", "opens_at_ms", "postponed_from_ms", "closes_at_ms")

    async def told():
        status = await waiting.status()
        return tuple(status[key] for key in keys)

    first, moved, closes = at("2021-07-19 20:05"), at("2021-07-19 20:10"), at("2021-07-19 23:00")
    assert await told() == ("prequeue", first, None, closes)
    await site.line.postpone(moved, reason="x", expected_version=None)
    assert await told() == ("prequeue", moved, first, closes)
    await site.pass_time(moved - site.clock.now_ms)
    assert await told() == ("open", moved, None, closes)


# ---- the room's zone


@pytest.mark.parametrize(
    ("zone", "opens", "joins"),
    [
        (None, "2021-07-20 00:00 KST", "2021-07-19 23:00 KST"),
        ("Asia/Seoul", "2021-07-20 00:00 KST", "2021-07-19 23:00 KST"),
        ("Europe/Berlin", "2021-07-19 17:00 CEST", "2021-07-19 16:00 CEST"),
    ],
)
async def test_pages_without_scripts_write_times_in_the_rooms_zone(start, zone, opens, joins):
    room = {"opens_at": "2021-07-20T00:00:00+09:00", "prequeue_s": 3600} | ({"timezone": zone} if zone else {})
    site = await start(rooms=[room])
    early = (await site.visitor().get("/")).body.decode()
    assert joins in early
    assert opens in early
    await site.pass_time(at("2021-07-19 23:30") - site.clock.now_ms)
    waiting = visible((await site.visitor().get("/")).body)
    assert opens in waiting
    # The server's clock is told in it too.
    assert f"{'16' if zone == 'Europe/Berlin' else '23'}:30:00 {opens[-4:].strip()}" in waiting


# ---- after a closing


@pytest.mark.parametrize("room_state", ["closed", "sold_out", "early", "prequeue"])
def test_after_a_closing_the_page_says_who_may_still_finish_and_for_how_long(room_state):
    told = {"room_state": room_state, "finishing_ms": 12 * MINUTE - 1}
    assert "Those who are inside already may finish, within 12 minutes at most." in said(**told)
    assert "(앞으로 최대 12분) 계속 이용하실 수 있습니다." in said("ko", **told)
    assert "may finish" not in said(room_state=room_state)


@pytest.mark.parametrize("room_state", ["open", "paused"])
def test_while_people_are_let_in_nothing_is_said_of_finishing(room_state):
    assert "may finish" not in said(room_state=room_state, finishing_ms=MINUTE)


def test_who_has_a_place_is_told_whether_another_opening_follows_and_that_the_place_is_kept():
    over = {"room_state": "closed", "opens_at_ms": NOW - MINUTE}
    assert "No further opening is set at present. Your place is kept." in said(**over)
    assert "No further opening is set at present. Your number is kept." in said(
        **over, draw="pending", **WAITING_NOWHERE
    )
    assert "현재 예정된 다음 시작 시각은 없습니다. 받으신 순서는 그대로 유지됩니다." in said("ko", **over)
    # Closed by an operator before an opening that is set: it may come or not, so nothing is said of it.
    assert EN["no_next"] not in said(room_state="closed", opens_at_ms=NOW + MINUTE)
    assert EN["no_next"] not in said(**over, number=None, **WAITING_NOWHERE)


async def test_after_the_last_closing_those_inside_finish_and_those_in_line_keep_their_place(start):
    window = {"closes_at": "2021-07-19T20:10:00+09:00", "session_length_s": 900, "idle_limit_s": 900}
    site = await start(rooms=[window])
    inside, waiting = site.visitor(), site.visitor()
    await inside.get("/")
    await waiting.queue()
    await site.pass_time(at("2021-07-19 20:12") - site.clock.now_ms)
    told = await waiting.status()
    assert (told["room_state"], told["finishing_ms"]) == ("closed", 13 * MINUTE)
    assert (await inside.get("/")).gate is None
    page = visible((await waiting.get("/")).body)
    assert "already may finish, within 13 minutes" in page
    assert "Your place is kept." in page
    stranger = await site.visitor().get("/")
    assert (stranger.status, stranger.gate) == (503, "closed")
    assert "already may finish, within 13 minutes" in visible(stranger.body)
    await site.pass_time(4 * MINUTE)
    assert (await waiting.status())["finishing_ms"] is None


async def test_between_two_windows_those_inside_finish_and_the_next_opening_is_told(start):
    window = {
        "closes_at": "2021-07-19T20:10:00+09:00",
        "more_windows": [{"opens_at": "2021-07-20T20:00:00+09:00"}],
        "session_length_s": 900,
        "idle_limit_s": 900,
    }
    site = await start(rooms=[window])
    await site.visitor().get("/")
    waiting = site.visitor()
    await waiting.queue()
    await site.pass_time(at("2021-07-19 20:11") - site.clock.now_ms)
    page = visible((await waiting.get("/")).body)
    assert "2021-07-20 20:00 KST" in page
    assert "already may finish, within 14 minutes" in page


async def test_closed_by_an_operator_a_whole_session_may_be_left(start):
    site = await start(rooms=[{"session_length_s": 900}])
    await site.visitor().get("/")
    waiting = site.visitor()
    await waiting.queue()
    await site.line.change({"mode": Mode.CLOSED}, expected_version=None)
    assert (await waiting.status())["finishing_ms"] == 15 * MINUTE
