import re
import unicodedata
from ipaddress import ip_address, ip_network
from urllib.parse import quote

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from gateway.room.match import (
    AmbiguousTarget,
    Area,
    BypassRule,
    canonical_host,
    find_area,
    find_bypass,
    fold_prefix,
    read_target,
)

# A machine under load takes its time over an example.
unhurried = settings(deadline=None)

BOOKING = Area("booking", (), ("/booking",))
DEEP = Area("deep", (), ("/a/b",))


def found(path, areas=(BOOKING,), host="h"):
    area = find_area(read_target(host, path), areas)
    return area.name if area else None


@pytest.mark.parametrize(
    "path",
    [
        "/booking",
        "/booking/",
        "/booking/slots",
        "/BOOKING",
        "/Booking/Slots",
        "//booking",
        "///booking//slots",
        "//elsewhere.example/booking",
        "/\\elsewhere.example/booking",
        "/./booking",
        "/x/../booking",
        "/x/..//booking",
        "/booking/.",
        "/booking/../booking",
        "/booking/../public",
        "/%62ooking",
        "/%62%6F%6f%6b%69%6e%67",
        "/%2562ooking",
        "/%252562ooking",
        "/booking%2fslots",
        "/x%2f..%2fbooking",
        "/x/%2e%2e/booking",
        "/x/%2E%2e/booking",
        "/x/.%2e/booking",
        "/%2e/booking",
        "/booking;x",
        "/booking;x=1/slots",
        "/;x/booking",
        "/x/..;/booking",
        "/booking%3bx",
        "/booking%3fx=1",
        "/booking%23x",
        "/\\booking",
        "\\booking",
        "/x\\..\\booking",
        "/%5cbooking",
        "/booking%5cslots",
        "/%2f/booking",
        "/booking%20/../booking",
        "/boo%E2%84%AAing/pay",
        "/boo\u212aing",
        "/boo\u212a%49NG",
        "/book%C4%B1ng",
        "/book%C4%B0NG",
        "/bookI\u0307ng",
        "/%EF%BD%82ooking",
        "/%25EF%25BD%2582ooking",
        "/%EF%BC%8562ooking",
        "/\uff0fbooking",
        "/x/%EF%BC%8E%EF%BC%8E/booking",
        "/x/\u2025/booking",
        "/booking/\uff0e\uff0e/public",
        "/booking/%ff",
        "/%ff/../boo\u212aing",
        "/booking.",
        "/booking...",
        "/booking./pay",
        "/booking%2e",
        "/booking%20",
        "/booking%20.%20/pay",
        "/booking.;x",
        "/booking;x.",
        "/x./../booking",
        "/x/..%20/booking",
        "/booking::$DATA",
        "/booking:$I30:$INDEX_ALLOCATION/pay",
        "/booking%3a%3a$data",
    ],
)
def test_no_spelling_of_a_rooms_path_slips_past_it(path):
    if path.startswith("/"):
        assert found(path) == "booking"
    else:
        with pytest.raises(AmbiguousTarget):
            read_target("h", path)


@pytest.mark.parametrize("path", ["/a/b", "/a//../b", "/a/;x/../b", "/a/x/../b", "/A/%2e/B", "/a/%2f%2e%2e/b"])
def test_empty_segments_are_taken_back_by_dots_in_every_way_a_server_might(path):
    assert found(path, (DEEP,)) == "deep"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/bookings",
        "/book",
        "/public",
        "/public/booking",
        "/x;booking",
        "/bookin%67s",
        "/x.booking",
        "/x:/booking",
        "/.booking",
        "/b\u00f6oking",
        "/book\u00ef ng".replace(" ", ""),
        "/...",
        "/a.b/c.",
        "/%ff",
    ],
)
def test_what_is_not_in_the_room_is_left_alone(path):
    assert found(path) is None


@pytest.mark.parametrize(
    "path",
    ["", "booking", "*", "/%", "/%zz", "/%2", "/a b", "/a\x00b", "/%00", "/a%0d%0aX: y", "/%09", "/a\x7f", "/%u002e"],
)
def test_what_is_no_honest_path_is_refused(path):
    with pytest.raises(AmbiguousTarget):
        read_target("h", path)


def test_a_path_escaped_over_and_over_is_refused():
    text = "/booking"
    for _ in range(6):
        text = "/" + quote(text[1:], safe="").replace("b", "%62", 1)
    with pytest.raises(AmbiguousTarget):
        read_target("h", text)


def test_a_path_in_two_rooms_at_once_is_refused_rather_than_guessed():
    areas = (Area("one", (), ("/one",)), Area("two", (), ("/two",)))
    with pytest.raises(AmbiguousTarget):
        find_area(read_target("h", "/one/../two"), areas)


def test_of_nested_rooms_the_longest_path_wins():
    areas = (Area("all", (), ("/",)), BOOKING)
    assert find_area(read_target("h", "/booking/x"), areas) == BOOKING
    assert find_area(read_target("h", "/other"), areas) == areas[0]


@pytest.mark.parametrize(
    "host", ["Booking.GO.kr", "booking.go.kr.", "booking.go.kr:8080", "BOOKING.go.kr.:443", " booking.go.kr"]
)
def test_no_spelling_of_a_rooms_host_slips_past_it(host):
    area = Area("r", ("booking.go.kr",), ("/",))
    assert find_area(read_target(host, "/x"), (area,)) == area


def test_an_ipv6_host_keeps_its_address():
    assert canonical_host("[::1]:8080") == "[::1]"
    assert canonical_host("[::1]") == "[::1]"


@pytest.mark.parametrize("set_as", ["NFC", "NFD"])
@pytest.mark.parametrize("sent_as", ["NFC", "NFD"])
def test_korean_paths_match_raw_and_escaped_composed_and_not(set_as, sent_as):
    area = Area("r", (), (fold_prefix(unicodedata.normalize(set_as, "/공지/예약")),))
    everything = Area("all", (), ("/",))
    path = unicodedata.normalize(sent_as, "/공지/예약/목록.html")
    for spelled in (path, quote(path), quote(path).lower(), quote(quote(path)), path[:4] + quote(path[4:])):
        assert find_area(read_target("h", spelled), (area,)) == area
    # The honest spellings have one meaning, also where rooms lie within each other.
    for spelled in (path, quote(path), path[:4] + quote(path[4:])):
        assert find_area(read_target("h", spelled), (everything, area)) == area


def test_every_letter_that_some_folding_takes_for_one_of_ascii_is_read_as_that():
    for letter in map(chr, range(0x80, 0x20000)):
        composed = unicodedata.normalize("NFKC", letter)
        forms = {letter.lower(), letter.upper().lower(), letter.casefold(), composed.lower(), composed.casefold()}
        forms |= {plain for plain in "isk" if re.fullmatch(plain, letter, re.IGNORECASE)}
        for form in forms:
            if form.isascii() and form.isalnum():
                assert found("/" + quote(f"x{letter}y"), (Area("r", (), (f"/x{form}y",)),)) == "r", (letter, form)


def test_a_path_of_very_many_marks_in_a_row_is_refused_before_they_are_sorted():
    marks = "\u0301\u0334"
    assert found("/booking/a" + marks * 255) == "booking"
    for path in ("/a" + marks * 256, "/a" + quote(marks * 256), "/" + quote(quote("\uff9e\u0334" * 256))):
        with pytest.raises(AmbiguousTarget):
            read_target("h", path)


def test_a_path_of_too_many_readings_is_refused():
    with pytest.raises(AmbiguousTarget):
        read_target("h", "//%23%2525253b%3f/.%25252f//\uff0e;a%2f%23/..%20%253f/b%2520;a%3f//../%3f%20%2525253b")


@unhurried
@given(st.text("ab/.: ;%25eE2fF\\\uff0e\u212a", max_size=30))
def test_reading_never_fails_in_any_other_way(text):
    try:
        target = read_target("h", "/" + text)
    except AmbiguousTarget:
        return
    assert all(reading.startswith("/") for reading in target.readings)


NOISE = st.lists(st.sampled_from(["", ".", "..", ";x", "%2e", "%2E%2e", "..;y", "%252e"]), max_size=5)


@unhurried
@given(NOISE, st.sampled_from(["/", "%2f", "\\", "//"]), st.sampled_from(["b", "B", "%62", "%42", "%2562"]))
def test_no_noise_before_a_disguised_name_hides_it(noise, slash, letter):
    path = "/" + slash.join([*noise, letter + "ooking"])
    assert find_area(read_target("h", path), (BOOKING,)) == BOOKING


LOOKALIKES = {
    "b": "bB\uff42\uff22\u24b7\U0001d41b",
    "o": "oO\uff4f\uff2f\u24de\u2134",
    "k": "kK\uff4b\u212a\U0001d55c",
    "i": "iI\u0131\u0130\uff49\u2170",
    "n": "nN\uff4e\u207f",
    "g": "gG\uff47\u210a",
    "s": "sS\u017f\uff53",
    "t": "tT\uff54",
    "a": "aA\uff41\u00aa",
    "c": "cC\uff43\u216d",
}
ENDINGS = ("", ".", "...", "%20", "%2e", "%20.", "\uff0e", ";x.", ".;x", "::$DATA", ":x", "%3a%3a$data", "%2520")
ESCAPES = (str, quote, lambda text: quote(text).lower(), lambda text: quote(quote(text)))


@st.composite
def disguises(draw, name, letters=LOOKALIKES):
    """A name as a backend may read it, its letters and its end in any of these ways."""
    text = "".join(draw(st.sampled_from(ESCAPES))(draw(st.sampled_from(letters[letter]))) for letter in name)
    return text + draw(st.sampled_from(ENDINGS))


@unhurried
@given(NOISE, disguises("booking"), st.sampled_from(["", "/", "/pay", "/%ff", "/예약", "/.%20"]))
def test_no_disguise_of_a_rooms_name_hides_it(noise, name, rest):
    try:
        assert found("/" + "/".join([*noise, name]) + rest) == "booking"
    except AmbiguousTarget:
        reject()  # refused: neither does that hide it


STATIC = BypassRule("static", paths=("/static",))
OFFICE = BypassRule("office", networks=(ip_network("10.0.0.0/8"),))
PROBE = BypassRule("probe", paths=("/health",), networks=(ip_network("127.0.0.0/8"),), user_agents=("kube-probe",))


def bypass(path, *, method="GET", address="203.0.113.9", agent="", rules=(STATIC, OFFICE, PROBE)):
    rule = find_bypass(method, read_target("h", path), ip_address(address), agent, rules)
    return rule.name if rule else None


def test_a_rule_of_methods_holds_for_these_alone_and_as_they_are_spelled():
    rules = (BypassRule("preflight", paths=("/api",), methods=("OPTIONS",)),)
    assert bypass("/api/x", method="OPTIONS", rules=rules) == "preflight"
    assert bypass("/api/x", rules=rules) is None
    assert bypass("/api/x", method="options", rules=rules) is None
    assert bypass("/other", method="OPTIONS", rules=rules) is None


def test_a_path_rule_lets_through_what_lies_under_it():
    assert bypass("/static/app.css") == "static"
    assert bypass("/staticx") is None


@pytest.mark.parametrize(
    "path",
    [
        "/static/../booking",
        "/static/%2e%2e/booking",
        "/static/..%2fbooking",
        "/static/..;/booking",
        "/booking/../static/x",
        "/booking;/../static/x",
        "/static//../../booking",
        "/static/%252e%252e/booking",
        "/static\\..\\booking",
    ],
)
def test_a_path_rule_holds_only_if_every_reading_lies_under_it(path):
    assert bypass(path) is None


@pytest.mark.parametrize(
    "path", ["/STATIC/x", "/Static", "/static;v=1/x", "/%73tatic/x", "//static/x", "/x/../static/y", "/./static/x"]
)
def test_a_path_rule_does_not_hold_for_another_spelling_that_a_backend_may_take_for_another_page(path):
    assert bypass(path) is None


@unhurried
@given(disguises("static"), st.sampled_from(["", "/x"]))
def test_a_path_rule_gains_nothing_by_a_disguise_of_its_name(name, rest):
    assert (bypass("/" + name + rest) == "static") is (name == "static")


@unhurried
@given(
    st.sampled_from(["..", "\uff0e\uff0e", "\u2025", "..%20", "%EF%BC%8E.", "..;x", "..:x", "x/..%20/.."]),
    disguises("booking"),
)
def test_a_path_rule_gains_nothing_by_climbing_in_disguise(up, name):
    assert bypass(f"/static/{up}/{name}") is None


@pytest.mark.parametrize(
    "path", ["/static/a.", "/static/a%20", "/static/a:b", "/static/\u212a.css", "/static/사진.jpg"]
)
def test_a_path_rule_holds_for_odd_names_beneath_it(path):
    assert bypass(path) == "static"


def test_a_path_rule_keeps_the_capitals_it_was_written_with():
    rules = (BypassRule("assets", paths=("/Assets/v1/",)),)
    assert bypass("/Assets/v1", rules=rules) == "assets"
    assert bypass("/Assets/v1/Logo.PNG", rules=rules) == "assets"
    assert bypass("/assets/v1/logo.png", rules=rules) is None
    assert bypass("/Assets/v10", rules=rules) is None


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_korean_path_rule_holds_raw_and_escaped_as_it_was_composed(form):
    notice, other = (unicodedata.normalize(form, text) for text in ("/공지/새", "/예약"))
    rules = (BypassRule("notice", paths=(notice,)),)
    assert bypass(notice + "/1", rules=rules) == "notice"
    assert bypass(quote(notice) + "/" + quote("글"), rules=rules) == "notice"
    assert bypass(quote(other), rules=rules) is None
    assert bypass(unicodedata.normalize("NFD" if form == "NFC" else "NFC", notice), rules=rules) is None


def test_a_path_rule_for_everything_holds_for_everything():
    assert bypass("/Any/x", rules=(BypassRule("all", paths=("/",)),)) == "all"


def test_a_path_rule_takes_one_of_several_prefixes():
    rules = (BypassRule("files", paths=("/static", "/Media")),)
    assert bypass("/Media/a", rules=rules) == "files"
    assert bypass("/static/Media", rules=rules) == "files"
    assert bypass("/media/a", rules=rules) is None


@pytest.mark.parametrize("up", ["..", "%2e%2e", "%252E.", "..;v", "x/../.."])
@pytest.mark.parametrize("slash", ["/", "%2f", "\\", "//"])
def test_a_path_rule_never_holds_where_dots_could_lead_to_other_capitals(up, slash):
    assert bypass(f"/static/{up}{slash}STATIC/x") is None


def test_a_network_rule_goes_by_the_address():
    assert bypass("/booking", address="10.1.2.3") == "office"
    assert bypass("/booking", address="::1") is None


def test_all_conditions_of_a_rule_must_hold():
    assert bypass("/health", address="127.0.0.1", agent="kube-probe/1.29") == "probe"
    assert bypass("/health", address="127.0.0.1", agent="curl") is None
    assert bypass("/health", address="203.0.113.9", agent="kube-probe/1.29") is None
