from ipaddress import ip_address, ip_network
from urllib.parse import quote

import pytest
from hypothesis import given
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


@pytest.mark.parametrize("path", ["/", "/bookings", "/book", "/public", "/public/booking", "/x;booking", "/bookin%67s"])
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


def test_korean_paths_match_raw_and_escaped():
    area = Area("r", (), (fold_prefix("/예약"),))
    assert find_area(read_target("h", "/예약/목록"), (area,)) == area
    assert find_area(read_target("h", "/" + quote("예약")), (area,)) == area


@given(st.text("ab/.;%25eE2fF\\", max_size=30))
def test_reading_never_fails_in_any_other_way(text):
    try:
        target = read_target("h", "/" + text)
    except AmbiguousTarget:
        return
    assert all(reading.startswith("/") for reading in target.readings)


NOISE = st.lists(st.sampled_from(["", ".", "..", ";x", "%2e", "%2E%2e", "..;y", "%252e"]), max_size=5)


@given(NOISE, st.sampled_from(["/", "%2f", "\\", "//"]), st.sampled_from(["b", "B", "%62", "%42", "%2562"]))
def test_no_noise_before_a_disguised_name_hides_it(noise, slash, letter):
    path = "/" + slash.join([*noise, letter + "ooking"])
    assert find_area(read_target("h", path), (BOOKING,)) == BOOKING


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


def test_a_path_rule_keeps_the_capitals_it_was_written_with():
    rules = (BypassRule("assets", paths=("/Assets/v1/",)),)
    assert bypass("/Assets/v1", rules=rules) == "assets"
    assert bypass("/Assets/v1/Logo.PNG", rules=rules) == "assets"
    assert bypass("/assets/v1/logo.png", rules=rules) is None
    assert bypass("/Assets/v10", rules=rules) is None


def test_a_korean_path_rule_holds_raw_and_escaped():
    rules = (BypassRule("notice", paths=("/공지",)),)
    assert bypass("/공지/1", rules=rules) == "notice"
    assert bypass("/" + quote("공지") + "/1", rules=rules) == "notice"
    assert bypass("/" + quote("예약"), rules=rules) is None


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
