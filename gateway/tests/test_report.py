"""The after-event report: what it says is what was put into the log and the history; the file stands alone."""

import random
import re
from html.parser import HTMLParser
from statistics import median_low

import pytest

from gateway import charts
from gateway.charts import Frame, Series
from gateway.cli import main
from gateway.report import files, page
from gateway.report.files import NoPast
from gateway.report.order import Order, Places
from gateway.report.tally import Tally, Waits
from gateway.report.texts import TEXTS, duration, short
from gateway.settings import load
from gateway.tests import evening
from gateway.tests.evening import START_MS


class Reader(HTMLParser):
    """Fails on what does not close, and keeps ids and whatever could load something."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.loads += [name for name, _ in attrs if name in {"src", "href", "xlink:href", "srcset", "action", "style"}]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, _attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """An evening, and its report."""
    made = evening.make(tmp_path_factory.mktemp("evening"))
    return made, gathered(made)


def gathered(made, **more):
    settings = load(made.config, environ={})
    asked = {
        "from_ms": START_MS,
        "before_ms": made.end_ms,
        "logs": [made.folder / "audit.log"],
        "history": made.folder / "history.db",
        "made_ms": made.end_ms,
        **more,
    }
    return files.gather(settings.room[0], **asked)


def test_everybody_is_counted_once_however_often_the_log_tells_of_them(told):
    made, report = told
    assert report.tally.admitted == made.admitted
    assert report.holds
    assert report.gained("admitted") == report.admitted


def test_waits_are_those_of_whoever_came_in_time(told):
    made, report = told
    assert report.tally.waits.number == len(made.waits)
    ordered = sorted(made.waits)
    assert report.tally.waits.percentiles((50, 100)) == [median_low(ordered), ordered[-1]]
    (nine_tenths,) = report.tally.waits.percentiles((90,))
    assert sum(each <= nine_tenths for each in ordered) >= 0.9 * len(ordered)
    assert sum(each < nine_tenths for each in ordered) < 0.9 * len(ordered)


def test_counts_are_of_the_time_asked_for_and_by_kind(told):
    made, report = told
    assert report.gained("refused") == made.refused
    assert report.kinds("refused.") == {"forged": made.refused}
    assert report.tally.refused == {"forged": made.refused}
    assert report.gained("no_shows") == made.no_shows
    assert report.kinds("exempt.") == {"desk": made.minutes * 3}
    assert report.kinds("estimate.") == {"within": made.minutes * 54, "later": made.minutes * 6}


def test_half_of_an_evening_has_only_what_happened_in_it(told):
    made, _ = told
    half_ms = START_MS + made.minutes * 30_000
    halves = [gathered(made, before_ms=half_ms), gathered(made, from_ms=half_ms)]
    assert sum(each.admitted for each in halves) == made.admitted.total()
    assert sum(each.gained("refused") or 0 for each in halves) == made.refused
    assert [len(each.tally.changes) for each in halves] == [2, 0]


def test_nobody_is_overtaken_from_further_behind_than_a_claim_window(told):
    _, report = told
    order = report.tally.order
    assert report.apart_from_history
    # Six slots of 20 places in a minute, and a point at either end.
    assert 120 <= order.apart <= 160
    assert (order.overtaken_apart, order.pairs) == (0, 0)
    assert order.overtaken > 0


def test_whoever_is_let_in_past_the_line_shows_as_overtaking_all_they_passed(tmp_path):
    made = evening.make(tmp_path, minutes=10)
    tally = gathered(made).tally
    cheat = {"event": "admitted", "epoch": 1, "place": 9_999, "how": "line", "time_ms": START_MS + 1}
    again = Tally(START_MS, made.end_ms, tally.apart)
    again.read(cheat)
    for _, facts in files._Reader(tmp_path / "audit.log", "vaccine").lines():
        again.read(facts)
    assert again.order.overtaken_apart == again.order.pairs == tally.order.admissions
    assert 9_900 < again.order.furthest < 9_999


def test_pairs_out_of_order_are_those_that_counting_all_of_them_finds():
    rng = random.Random(3)
    places = rng.sample(range(1, 20_000), 600)
    for apart in (0, 1, 100, 5_000):
        order, before = Order(apart), Places()
        for place in places:
            assert before.add(place)
            assert not before.add(place)
            order.admit(place, before)
        pairs = [(i, j) for j in range(600) for i in range(j) if places[i] > places[j] + apart]
        assert order.pairs == len(pairs)
        assert order.overtaken_apart == len({j for _, j in pairs})
        assert order.overtaken == len({j for j in range(600) for i in range(j) if places[i] > places[j]})
    assert order.furthest == max(places[i] - places[j] for j in range(600) for i in range(j))


def test_the_file_stands_alone_in_both_languages_and_is_well_formed(told):
    _, report = told
    for language in TEXTS:
        text = page.render(report, language)
        reader = Reader()
        reader.feed(text)
        assert reader.open == []
        assert len(reader.ids) == len(set(reader.ids))
        assert not reader.loads
        assert not reader.tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
        assert not re.search(r"url\(|@import|https?:|//[a-z]", text)
        assert text.count("<figure>") == 2 * 7
        assert f'id="pick-{language}" checked' in text
    assert f"{report.admitted:,}" in text
    assert "이상 없음" in text
    assert "verified" in text


def test_what_operators_wrote_is_text_and_no_markup(told):
    _, report = told
    text = page.render(report, "ko")
    assert "&lt;b&gt;Kim&lt;/b&gt;" in text
    assert "<b>Kim" not in text
    assert "예방접종 &lt;사전예약&gt;" in text
    assert "new_users_per_minute: 120 → 240" in text


def test_both_languages_say_the_same():
    assert TEXTS["ko"].keys() == TEXTS["en"].keys()
    for name, korean in TEXTS["ko"].items():
        assert set(re.findall(r"\{\w+\}", korean)) == set(re.findall(r"\{\w+\}", TEXTS["en"][name])), name


def test_a_log_that_was_altered_is_said_and_what_was_altered_counts_for_nothing(tmp_path):
    made = evening.make(tmp_path, minutes=5)
    log = tmp_path / "audit.log"
    # One of whom the log tells once.
    (place, *_) = [each for each in re.findall(rb'"place":(\d+),', log.read_bytes()) if not each.endswith(b"0")]
    log.write_bytes(log.read_bytes().replace(b'"place":%b,' % place, b'"place":%b0,' % place, 1))
    report = gathered(made)
    assert not report.holds
    assert report.admitted == made.admitted.total() - 1
    assert TEXTS["ko"]["holds_not"] in page.render(report, "ko")
    out = tmp_path / "report.html"
    assert main(command(made, out), environ={}) == 1
    assert out.exists()


def command(made, out, *more: str) -> list[str]:
    times = ["--from", "2021-07-19T20:00:00+09:00", "--before", "2021-07-19T22:00:00+09:00"]
    return ["report", "--config", str(made.config), "--room", "vaccine", *times, "--out", str(out), *more]


def test_the_command_writes_it_and_says_what_it_came_to(told, tmp_path, capsys):
    made, report = told
    out = tmp_path / "report.html"
    assert main(command(made, out, "--language", "en"), environ={}) == 0
    said = capsys.readouterr().out
    assert f"{report.admitted:,} admitted, 0 overtaken" in said
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_command_says_what_was_asked_wrongly(told, tmp_path, capsys):
    made, _ = told
    out = tmp_path / "report.html"
    wrong = command(made, out)
    wrong[wrong.index("vaccine")] = "nowhere"
    assert main(wrong, environ={}) == 2
    turned = command(made, out)
    turned[turned.index("2021-07-19T22:00:00+09:00")] = "2021-07-19T19:00:00+09:00"
    assert main(turned, environ={}) == 2
    assert main(command(made, out, "--audit", str(tmp_path / "no.log")), environ={}) == 1
    assert not out.exists()
    assert "no.log" in capsys.readouterr().err


def test_without_a_history_there_is_a_report_of_the_log_alone(told, tmp_path):
    made, whole = told
    report = gathered(made, history=tmp_path / "none.db")
    assert report.admitted == whole.admitted
    assert report.gained("refused") is None
    assert not report.apart_from_history
    assert not (tmp_path / "none.db").exists()
    assert TEXTS["en"]["no_history"] in page.render(report, "en")
    (tmp_path / "bad.db").write_bytes(b"x" * 5_000)
    with pytest.raises(NoPast):
        gathered(made, history=tmp_path / "bad.db")


def test_logs_of_two_gateways_are_one_evening(tmp_path):
    from gateway.ledger import Ledger

    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    ledgers = [Ledger(path) for path in logs]
    for place in range(1, 101):
        facts = {"event": "admitted", "room": "vaccine", "epoch": 1, "place": place, "how": "line", "waited_ms": 0}
        ledgers[place % 2].append("vaccine", {"time_ms": START_MS + place * 1_000, **facts})
        # The other gateway told it again.
        ledgers[1 - place % 2].append("vaccine", {"time_ms": START_MS + place * 1_000 + 1, **facts, "again": True})
    for ledger in ledgers:
        ledger.close()
    made = evening.Evening(tmp_path, 10)
    report = gathered(made, logs=logs)
    assert (report.admitted, report.tally.order.overtaken, report.holds) == (100, 0, True)


def test_strange_lines_disturb_nothing():
    tally = Tally(0, 1_000, 10)
    for facts in (
        {},
        {"time_ms": "x", "event": "admitted"},
        {"time_ms": 1, "event": "admitted", "epoch": 1, "place": 10**15},
        {"time_ms": 1, "event": "admitted", "epoch": None, "place": 1},
        {"time_ms": 1, "event": 7},
        {"time_ms": 1, "event": "refused", "why": None, "lines_not_written": 3},
        {"time_ms": 999, "event": "admitted", "epoch": 1, "place": 1, "how": "line", "waited_ms": -1},
    ):
        tally.read(facts)
    assert tally.admitted == {"line": 1}
    assert tally.not_written == 3


def test_waits_of_nobody_are_none():
    assert Waits().percentiles((50,)) == []


def test_axes_are_round_and_reach_above_the_highest_value():
    for highest in (0, 0.3, 1, 7, 99, 1_234, 1_600_000):
        steps = charts.scale(highest)
        assert steps[0] == 0
        assert steps[-1] >= highest
        assert 2 <= len(steps) <= 6


def test_a_line_has_a_gap_where_nothing_is_known(told):
    _, report = told
    frame = Frame(0, 100_000, report.zone)
    times = [0, 10_000, 20_000, 60_000, 70_000, 80_000]
    drawn = charts.chart("k", "t", times, [Series("a", [1, 2, 3, 4, None, 5])], frame, said=str, summary="s")
    (path,) = re.findall(r' d="([^"]*)"', drawn)
    assert (path.count("M"), path.count("L")) == (3, 2)


def test_moments_below_are_round_in_the_rooms_zone(told):
    made, report = told
    texts = [text for _, text in charts.moments(Frame(START_MS, made.end_ms, report.zone))]
    assert texts == ["20:00", "20:30", "21:00", "21:30"]


def test_numbers_and_times_are_said_as_people_say_them():
    assert short(1_600_000, "ko") == "160만"
    assert short(1_600_000, "en") == "1.6M"
    assert short(2_500, "en") == "2,500"
    assert duration(3_900, "ko") == "1시간 5분"
    assert duration(75, "en") == "1 min 15 s"
