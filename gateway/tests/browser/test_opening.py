"""Opening day in real browsers: the countdown, a clock that is wrong, an opening that is moved, lots.

Each test has a gateway of its own, in which nobody has ever been called.
"""

import json
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.room.draw import Draw
from gateway.tests.browser.scene import Scene
from gateway.tests.stand import Stand, fetch, until

SEOUL = ZoneInfo("Asia/Seoul")
KO = {"locale": "ko-KR", "timezone_id": "Asia/Seoul"}
EN = {"locale": "en-GB", "timezone_id": "Asia/Seoul"}
HALF_AN_HOUR = timedelta(minutes=30)
SOON = timedelta(seconds=4)


def in_time(span):
    return datetime.now(UTC) + span


@pytest.fixture
def opening(chromium, tmp_path, show):
    """A scene whose room opens in half an hour; with these settings."""
    scenes: list[Scene] = []

    def begin(**room):
        settings = {"claim_window_s": 10, "opens_at": in_time(HALF_AN_HOUR).isoformat(), **room}
        stand = stack.enter_context(Stand(tmp_path, room=settings))
        show(stand)
        scenes.append(Scene(stand, chromium))
        return scenes[0]

    with ExitStack() as stack:
        yield begin
        faults = [fault for scene in scenes for fault in scene.faults()]
        for person in [person for scene in scenes for person in scene.people]:
            person.close()
    assert faults == []


def open_soon(stand):
    """Have it open in a moment; that moment."""
    opens_at = in_time(SOON)
    stand.patch(opens_at=opens_at.isoformat())
    return opens_at


def postpone(stand, opens_at):
    headers = {"Authorization": f"Bearer {stand.token}", "Content-Type": "application/json"}
    body = json.dumps({"opens_at": opens_at.isoformat(), "reason": "the site did not answer"}).encode()
    answer = fetch(stand.operator_url, "POST", f"/api/rooms/{stand.name}/postpone", headers=headers, body=body)
    assert answer[0] == 200, answer


def first_admission(stand):
    """When the gateway let the first one in, by its audit log."""
    lines = map(json.loads, (stand.folder / "audit.log").read_text().splitlines())
    return datetime.fromtimestamp(next(each["time_ms"] for each in lines if each["event"] == "admitted") / 1000, UTC)


def device_clock(hours):
    """A script under which the device's clock is wrong by so much."""
    return f"""(() => {{
        const Real = Date, by = {hours} * 3600000;
        window.Date = class extends Real {{
            constructor(...given) {{ given.length ? super(...given) : super(Real.now() + by); }}
            static now() {{ return Real.now() + by; }}
        }};
    }})()"""


@pytest.mark.parametrize("hours", [1, -1])
def test_with_a_clock_an_hour_off_people_go_in_when_the_server_opens_and_not_before(opening, hours):
    scene = opening()
    person = scene.person()
    person.context.add_init_script(device_clock(hours))
    assert person.go() == "waiting"
    number = person.number
    person.says("left", "00:2")
    person.says("differ", "This does not matter")
    assert person.go("/booking/find?code=x") == "waiting", "nor by a deep link"
    assert person.number == number
    assert scene.requests() == []

    opens_at = open_soon(scene.stand)
    person.enters()
    assert first_admission(scene.stand) >= opens_at
    scene.check({number})


def test_an_opening_that_is_moved_is_told_live_in_korean_and_english_and_then_it_opens(opening):
    scene = opening()
    korean, english = scene.person(**KO), scene.person(**EN)
    numbers = []
    for person in (korean, english):
        assert person.go() == "waiting"
        numbers.append(person.number)
    announced = datetime.fromisoformat(scene.stand.room()["opens_at"])
    moved = announced + timedelta(hours=2)
    postpone(scene.stand, moved)
    scene.stand.patch(message={"ko": "서버를 늘리고 있습니다.", "en": "We are adding servers."})

    before, after = (f"{each.astimezone(SEOUL):%H:%M}" for each in (announced, moved))
    for person, sentences, message in (
        (korean, ("시작 시각이 변경되었습니다", "순서는 그대로 유지됩니다"), "서버를 늘리고 있습니다."),
        (english, ("The opening was moved from", "Your place is kept."), "We are adding servers."),
    ):
        for sentence in (*sentences, before, after):
            person.says("postponed", sentence)
        person.says("message-text", message)
        person.says("left", "02:2")
    assert [korean.number, english.number] == numbers
    assert scene.requests() == []

    opens_at = open_soon(scene.stand)
    korean.enters()
    assert first_admission(scene.stand) >= opens_at
    english.says("before", "You are next")
    assert english.page.locator("#n-postponed").is_hidden()
    assert english.number == numbers[1]
    scene.check({numbers[0]})


def test_an_opening_that_is_moved_after_it_began_costs_nobody_their_place_inside_or_in_line(opening):
    scene = opening(opens_at=in_time(-HALF_AN_HOUR).isoformat())
    person, number = scene.in_line(**EN)
    postpone(scene.stand, in_time(HALF_AN_HOUR))
    person.says("postponed", "Your place is kept.")
    person.says("head", "Not open yet")
    person.says("ahead-told", "You are next")
    assert scene.holder.ask("GET", "/booking").gate is None, "who is inside may finish"
    scene.free_seat()
    scene.still_waits(person, number)

    open_soon(scene.stand)
    person.enters()
    scene.check({scene.holder_number, number})


def test_lots_are_announced_before_the_opening_and_afterwards_each_is_told_the_place_that_was_drawn(opening):
    scene = opening(queueing_method="draw")
    people = [scene.person(**options) for options in (KO, EN, KO, EN)]
    numbers = []
    for person in people:
        assert person.go() == "waiting"
        numbers.append(person.number)
        person.says("draw-text", "추첨하여 정합니다" if len(numbers) % 2 else "gets a place by lot")
        assert person.page.locator("#n-ahead").is_hidden()
        assert person.page.locator("#n-ahead-row").is_hidden()
    record = published(scene.stand, people[0].page.locator("#n-draw a").get_attribute("href"))
    assert record["secret"] is None

    open_soon(scene.stand)
    until(scene.admissions, "somebody goes in")
    record = published(scene.stand, "/_sunbeon/vaccine/draw")
    draw = Draw(bytes.fromhex(record["secret"]), record["size"], record["room"], record["epoch"])
    assert (record["size"], {draw.place(number) for number in numbers}) == (4, {1, 2, 3, 4})
    first = [draw.place(number) for number in numbers].index(1)
    people[first].enters()
    for index, (person, number) in enumerate(zip(people, numbers, strict=True)):
        if index == first:
            continue
        place = draw.place(number)
        told = f"4명의 순서를 시작 시각에 추첨으로 정하였습니다. 나의 순서는 {place}번째입니다."
        person.says("draw-text", f"(4). Your place is {place}." if index % 2 else told)
        if place == 2:
            person.says("before", "You are next" if index % 2 else "바로 다음 순서입니다")
        else:
            person.says("count", str(place - 2))
        assert person.number == number
    late = scene.person(**EN)
    assert late.go() == "waiting"
    late.says("draw-text", "in order of arrival. Your place is 5.")
    scene.check({numbers[first]})


def published(stand, address):
    status, headers, body = fetch(stand.url, "GET", address)
    assert (status, dict(headers)["Sunbeon-Gate"]) == (200, "draw")
    return json.loads(body)
