"""Tricks with the clock: on 19 July 2021 setting it forward got people in. Here only the server's counts."""

import time

from gateway.tests.browser.scene import NETWORK_NOISE

DAY_S = 86_400


def test_the_clock_a_day_ahead_and_back_changes_nothing(scene):
    scene.take_seat()
    person = scene.person(noise=NETWORK_NOISE)
    person.page.clock.install()
    person.go()
    number = person.number
    for days in (1, -1, 0):
        person.page.clock.set_system_time(time.time() + days * DAY_S)
        scene.still_waits(person, number)
    # And with it every timer of a whole day, all at once.
    person.page.clock.fast_forward("24:00:00")
    scene.still_waits(person, number)
    person.page.clock.resume()
    scene.lets_in(person, number)


def test_a_computer_whose_date_is_wrong_waits_as_everyone_does(scene):
    scene.take_seat()
    person = scene.person(timezone_id="Pacific/Kiritimati")
    shift = f"""(() => {{
        const Real = Date, by = {DAY_S * 1000};
        window.Date = class extends Real {{
            constructor(...given) {{ given.length ? super(...given) : super(Real.now() + by); }}
            static now() {{ return Real.now() + by; }}
        }};
    }})()"""
    person.context.add_init_script(shift)
    person.go()
    number = person.number
    assert abs(person.page.evaluate("Date.now()") / 1000 - time.time()) > DAY_S - 60
    person.says("differ", "This does not matter")
    scene.lets_in(person, number)
