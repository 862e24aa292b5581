"""The checks that every page is put through can fail: each finds what it is there to find."""

import pytest

from booking.tests.structure import faults_of
from booking.tests.visitor import asked_by

SOUND = """<!doctype html><html lang="ko"><head><title>t</title></head><body><main><h1>h</h1><h2>s</h2>
<form><fieldset><legend>l</legend><label for="m">m</label><input type="radio" id="m" name="m"></fieldset>
<label for="a">a</label><input id="a" name="a" autocomplete="off" aria-describedby="hint"><span id="hint">x</span>
<button>b</button></form><a href="#a">a</a><section aria-label="n">s</section></main></body></html>"""


def test_a_sound_page_has_no_faults():
    assert faults_of(SOUND, "ko") == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('lang="ko"', 'lang="en"', "language"),
        ("<h1>h</h1>", "", "0 h1"),
        ("<h2>s</h2>", "<h1>s</h1>", "2 h1"),
        ("<h2>s</h2>", "<h3>s</h3>", "h3 follows h1"),
        ("<title>t</title>", "<title> </title>", "no title"),
        ('<label for="a">a</label>', "<label>a</label>", "field a has no label"),
        ('<label for="a">a</label>', '<label for="a"> </label>', "field a has no label"),
        (' autocomplete="off"', "", "what a browser may fill in"),
        ("<legend>l</legend>", "", "no legend"),
        ("fieldset", "div", "the choice m has no group"),
        ('id="hint"', 'id="other"', "aria-describedby names hint"),
        ('id="hint"', 'id="a"', "id a 2 times"),
        ('href="#a"', 'href="#b"', "leads to #b"),
        ('href="#a"', 'href="#a" hreflang="en"', "in another language"),
        ("<button>b</button>", "<button></button>", "<button> says nothing"),
        (' aria-label="n"', "", "<section> has no name"),
        ("<button>", '<button tabindex="1">', "order of tabbing"),
        ('href="#a"', 'href="//evil.example/"', "leads off the site"),
        ('href="#a"', 'href="/\\evil.example/"', "leads off the site"),
        ("<form>", '<form action="https://evil.example/">', "leads off the site"),
        ("</form>", "", "closes nothing"),
        ('name="a"', 'name="a" name="b"', "an attribute twice"),
    ],
)
def test_every_kind_of_fault_is_found(old, new, fault):
    assert old in SOUND
    assert any(fault in found for found in faults_of(SOUND.replace(old, new), "ko"))


@pytest.mark.parametrize(
    ("action", "sent", "asked"),
    [
        ("/booking?q=a&lang=en", {}, "/booking?"),
        ("/booking?q=a", {"q": "b", "lang": "en"}, "/booking?q=b&lang=en"),
        ("/booking", {"q": "b"}, "/booking?q=b"),
    ],
)
def test_a_form_that_asks_by_get_drops_the_query_of_its_address_as_browsers_do(action, sent, asked):
    assert asked_by(action, sent) == asked
