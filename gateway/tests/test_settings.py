"""The gateway's settings: what may be said, what is refused with every problem by name, and what wins over what."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from gateway.room.model import Limits, Mode
from gateway.room.schedule import Change, Window
from gateway.settings import Live, Settings, limits_patch, live_settings, load, read_live_patch
from shared.errors import SettingsError

LEAST = """
[upstream]
servers = ["http://127.0.0.1:8090"]

[[room]]
name = "vaccine"
"""


@pytest.fixture
def read(tmp_path):
    """Load settings from text."""

    def read_text(text: str, environ=None, flags=None) -> Settings:
        path: Path = tmp_path / "sunbeon.toml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ=environ or {}, flags=flags)

    return read_text


@pytest.fixture
def problems(read):
    """The problems that a text has."""

    def find(text: str, environ=None, flags=None) -> tuple[str, ...]:
        with pytest.raises(SettingsError) as caught:
            read(text, environ, flags)
        return caught.value.problems

    return find


def room(*lines: str) -> str:
    return LEAST + "\n".join(lines) + "\n"


def test_a_room_and_a_server_are_enough(read):
    settings = read(LEAST)
    assert settings.room[0].area().paths == ("/",)
    assert settings.gateway.listen == "127.0.0.1:8080"
    assert settings.gateway.operator_listen.startswith("127.0.0.1:")


def test_without_a_room_or_a_server_nothing_starts(problems):
    assert {line.split(":")[0] for line in problems("")} == {"upstream", "room"}


def test_all_problems_are_told_at_once_and_by_name(problems):
    found = problems(
        """
        [gateway]
        listen = "nowhere"
        workers = 0
        colour = "red"

        [upstream]
        servers = ["127.0.0.1:8090"]

        [[room]]
        name = "Vaccine Room"
        total_active_users = -1
        opens_at = 2021-07-19T20:00:00
        """
    )
    names = {line.split(":")[0] for line in found}
    assert names == {
        "gateway.listen",
        "gateway.workers",
        "gateway.colour",
        "upstream.servers",
        "room[0].name",
        "room[0].total_active_users",
        "room[0].opens_at",
    }


def test_an_unknown_setting_and_section_are_told_as_such(problems):
    found = problems(room("new_users_per_hour = 3") + "[extra]\nx = 1\n")
    assert len(found) == 2
    assert found[0].startswith("extra: unknown section")
    assert found[1].startswith("room[0].new_users_per_hour: unknown setting")


def test_the_environment_wins_over_the_file_and_a_flag_over_both(read):
    text = LEAST + '[gateway]\nlisten = "127.0.0.1:1"\nworkers = 2\nlog_json = false\n'
    environ = {"SUNBEON_GATEWAY__LISTEN": "127.0.0.1:2", "SUNBEON_GATEWAY__WORKERS": "3"}
    settings = read(text, environ, {"gateway": {"listen": "127.0.0.1:3", "workers": None}})
    assert (settings.gateway.listen, settings.gateway.workers, settings.gateway.log_json) == ("127.0.0.1:3", 3, False)


def test_a_problem_names_the_place_it_came_from(problems):
    assert "SUNBEON_GATEWAY__WORKERS" in problems(LEAST, {"SUNBEON_GATEWAY__WORKERS": "many"})[0]
    assert "a flag" in problems(LEAST, None, {"gateway": {"listen": "nowhere"}})[0]
    assert "sunbeon.toml" in problems(LEAST + '[gateway]\nlisten = "nowhere"\n')[0]


@pytest.mark.parametrize("name", ["SUNBEON_WORKERS", "SUNBEON_GATEWAY", "SUNBEON_GATWAY__WORKERS", "SUNBEON_X__Y"])
def test_an_environment_variable_nobody_knows_is_told(problems, name):
    assert problems(LEAST, {name: "1"})[0].startswith(f"{name}: unknown variable")


def test_an_environment_variable_for_an_unknown_setting_is_told(problems):
    assert "gateway.wokers: unknown setting" in problems(LEAST, {"SUNBEON_GATEWAY__WOKERS": "1"})[0]


def test_variables_of_other_programs_and_secrets_are_let_be(read):
    read(LEAST, {"SUNBEON_OPERATOR_TOKEN": "x", "SUNBEON_BOOKING__LISTEN": "x:1", "SUNBEON_CONFIG": "x", "PATH": "x"})


def test_rooms_cannot_be_set_by_the_environment(problems):
    assert "set it in the file" in problems(LEAST, {"SUNBEON_ROOM__NAME": "x"})[0]


@pytest.mark.parametrize("text", ["gateway = 5\n", '[[gateway]]\nlisten = "127.0.0.1:1"\n'])
def test_a_section_of_another_kind_is_told_whoever_else_sets_it(problems, text):
    assert problems(text + LEAST, None, {"gateway": {"workers": 2}})[0].startswith("gateway")
    assert problems(text + LEAST, {"SUNBEON_GATEWAY__WORKERS": "2"})[0]


# Rooms


def test_two_rooms_cannot_have_one_name(problems):
    found = problems(LEAST + '[[room]]\nname = "vaccine"\npaths = ["/other"]\n')
    assert "two rooms have the same name: vaccine" in found[0]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('paths = ["/book"]', 'paths = ["/BOOK/"]'),
        ('paths = ["/a", "/book"]', 'paths = ["//book"]'),
        ('hosts = ["a.test"]', 'hosts = ["b.test", "A.test."]'),
    ],
)
def test_two_rooms_cannot_cover_one_address(problems, first, second):
    found = problems(room(first) + f'[[room]]\nname = "other"\n{second}\n')
    assert "two rooms cover the same address" in found[0]


def test_two_rooms_may_lie_inside_one_another_or_on_other_hosts(read):
    read(room('paths = ["/"]') + '[[room]]\nname = "other"\npaths = ["/book"]\n')
    read(room('hosts = ["a.test"]') + '[[room]]\nname = "other"\nhosts = ["b.test"]\n')


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "-a", "a" * 33, "vaccine;", "예약"])
def test_a_name_is_one_that_fits_a_cookie_and_an_address(problems, name):
    assert problems(LEAST.replace('"vaccine"', f'"{name}"'))[0].startswith("room[0].name")


@pytest.mark.parametrize("path", ["book", "", "/book?x", "/book#x", "/%62ook", "/book;v", "/a\\\\b"])
def test_a_path_is_written_plainly(problems, path):
    assert problems(room(f'paths = ["{path}"]'))[0].startswith("room[0].paths")


@pytest.mark.parametrize("host", ["", "http://a.test", "*.a.test", "a.test/x", " "])
def test_a_host_is_a_plain_name(problems, host):
    assert problems(room(f'hosts = ["{host}"]'))[0].startswith("room[0].hosts")


def test_a_user_agent_alone_is_no_bypass(problems):
    found = problems(room("[[room.bypass]]", 'name = "bot"', 'reason = "x"', 'user_agents = ["Probe"]'))
    assert "a user agent alone" in found[0]
    assert found[0].startswith("room[0].bypass[0]")


def test_a_bypass_without_any_condition_is_none(problems):
    assert "needs paths or networks" in problems(room("[[room.bypass]]", 'name = "all"', 'reason = "x"'))[0]


def test_a_bypass_keeps_its_paths_as_they_were_written(read):
    rule = ["[[room.bypass]]", 'name = "assets"', 'reason = "x"', 'paths = ["/Assets/"]']
    assert read(room(*rule)).room[0].bypass[0].rule().paths == ("/Assets/",)


def test_a_bypass_says_why(problems):
    found = problems(room("[[room.bypass]]", 'name = "health"', 'paths = ["/healthz"]'))
    assert found[0].startswith("room[0].bypass[0].reason: is missing")


def test_two_bypass_rules_cannot_have_one_name(problems):
    rule = ["[[room.bypass]]", 'name = "health"', 'reason = "x"', 'paths = ["/healthz"]']
    assert "two bypass rules have the same name" in problems(room(*rule, *rule))[0]


@pytest.mark.parametrize("network", ["10.0.0.0/33", "10.0.0.1/8", "site.test", ""])
def test_a_network_that_is_none_is_told(problems, network):
    assert problems(LEAST + f'[gateway]\ntrusted_proxies = ["{network}"]\n')[0].startswith("gateway.trusted_proxies")


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_trusting_everybody_is_an_error_that_says_why(problems, network):
    found = problems(LEAST + f'[gateway]\ntrusted_proxies = ["10.0.0.0/8", "{network}"]\n')
    why = (
        f"gateway.trusted_proxies: {network!r} believes everybody about who they are: name the front servers' networks"
    )
    assert len(found) == 1
    assert found[0].startswith(why)


@pytest.mark.parametrize("server", ["127.0.0.1:1", "ftp://a", "http://a/path", "http://u:p@a", "http://a?x", "http://"])
def test_a_server_is_an_origin_without_secrets(problems, server):
    found = problems(LEAST.replace("http://127.0.0.1:8090", server))
    assert found[0].startswith("upstream.servers")


@pytest.mark.parametrize("address", ["8080", ":8080", "a:", "a:b", "a:70000", "a:-1"])
def test_a_listening_address_is_host_and_port(problems, address):
    assert problems(LEAST + f'[gateway]\nlisten = "{address}"\n')[0].startswith("gateway.listen")


# The file itself


def test_a_file_that_is_not_there_is_told_by_name(tmp_path):
    with pytest.raises(SettingsError, match=r"nothing\.toml: cannot be read"):
        load(tmp_path / "nothing.toml", environ={})


def test_a_file_that_is_not_toml_is_told_with_the_line(problems):
    assert "is not TOML" in problems("[gateway\nlisten=")[0]
    assert "line 1" in problems("[gateway\nlisten=")[0]


def test_a_file_that_is_not_text_is_told(tmp_path):
    path = tmp_path / "sunbeon.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load(path, environ={})


# Live settings


def test_live_settings_go_out_and_come_back_the_same():
    limits = Limits(mode=Mode.PAUSED, opens_at_ms=1_626_692_400_000, message={"ko": "곧"}, claim_window_ms=60_000)
    shown = live_settings(limits)
    assert shown["opens_at"] == "2021-07-19T11:00:00+00:00"
    assert Limits(**read_live_patch(shown)) == limits


def test_a_change_holds_only_what_was_named():
    assert read_live_patch({"claim_window_s": 30, "state": "closed"}) == {"claim_window_ms": 30_000, "mode": "closed"}
    assert read_live_patch({}) == {}


def test_an_opening_time_is_kept_to_the_millisecond():
    at = datetime(2021, 7, 19, 20, 0, 0, 123_000, tzinfo=UTC)
    assert limits_patch({"opens_at": at}) == {"opens_at_ms": 1_626_724_800_123}


@pytest.mark.parametrize(
    "at",
    [
        "9999-12-31T23:59:59-14:00",
        "0001-01-01T00:00:00+14:00",
        "2200-01-01T00:00:00Z",
        "2199-12-31T23:00:00-02:00",
        "1999-12-31T23:59:59Z",
    ],
)
def test_an_opening_time_that_would_overflow_later_is_refused_at_once(problems, at):
    found = problems(room(f"opens_at = {at}"))
    assert found[0].startswith("room[0].opens_at")
    assert "years 2000 to 2199" in found[0]
    with pytest.raises(ValidationError, match="years 2000 to 2199"):
        read_live_patch({"opens_at": at})


@pytest.mark.parametrize("at", ["2000-01-01T00:00:00+00:00", "2199-12-31T23:59:59+00:00"])
def test_the_first_and_the_last_opening_time_go_out_as_they_came_in(at):
    assert live_settings(Limits(**read_live_patch({"opens_at": at})))["opens_at"] == at


def test_what_the_file_says_of_a_room_are_its_first_limits(read):
    settings = read(room("total_active_users = 7", 'opens_at = "2021-07-19T20:00:00+09:00"', "idle_limit_s = 5"))
    limits = settings.room[0].limits()
    assert (limits.total_active_users, limits.idle_limit_ms, limits.opens_at_ms) == (7, 5_000, 1_626_692_400_000)


@pytest.mark.parametrize("text", ["two\nlines", "a\x00b", "\u202eturned"])
def test_a_message_is_one_line_of_plain_text(text):
    with pytest.raises(ValidationError, match="control character"):
        read_live_patch({"message": {"en": text}})


@pytest.mark.parametrize("value", [True, "5", 5.0])
def test_a_limit_is_a_whole_number_and_nothing_like_one(value):
    with pytest.raises(ValidationError):
        read_live_patch({"total_active_users": value})


def test_a_certificate_and_its_key_are_given_together(problems, read):
    for name in ("tls_certificate", "tls_key"):
        (problem,) = problems(f'[gateway]\n{name} = "x.pem"\n{LEAST}')
        assert "tls_certificate and tls_key" in problem
    read(f'[gateway]\ntls_certificate = "x.pem"\ntls_key = "y.pem"\n{LEAST}')


@pytest.mark.parametrize(
    ("lines", "https"),
    [("", False), ("tls = true", True), ('tls_certificate = "x.pem"\ntls_key = "y.pem"', True)],
)
def test_visitors_come_by_https_wherever_it_ends(read, lines, https):
    assert read(f"[gateway]\n{lines}\n{LEAST}").gateway.https is https


# Secrets


def test_the_stores_address_which_may_hold_a_password_is_not_shown_with_the_settings(read):
    settings = read(LEAST, {"SUNBEON_GATEWAY__STORE": "redis://user:s3cret@127.0.0.1/0", "SUNBEON_STORE_PASSWORD": "x"})
    assert settings.gateway.store.startswith("redis://")
    assert "s3cret" not in f"{settings!r} {settings}"


def test_moments_without_an_offset_are_of_the_rooms_zone(read):
    settings = read(
        room(
            'timezone = "Asia/Seoul"',
            "opens_at = 2021-07-19T20:00:00",
            "closes_at = 2021-07-20T18:00:00+09:00",
            "prequeue_s = 3600",
            "[[room.more_windows]]",
            "opens_at = 2021-07-21T20:00:00",
            "[[room.timetable]]",
            "at = 2021-07-19T20:30:00",
            "new_users_per_minute = 9",
        )
    )
    limits = settings.room[0].limits()
    assert limits.windows == (
        Window(1_626_692_400_000, 1_626_771_600_000),
        Window(1_626_865_200_000),
    )
    assert (limits.prequeue_ms, limits.timetable) == (3_600_000, (Change(1_626_694_200_000, 9),))
    assert Limits(**limits_patch({n: getattr(settings.room[0], n) for n in Live.model_fields})) == limits


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (['timezone = "Mars/Olympus"'], "no time zone"),
        (['timezone = "Europe/Berlin"', "opens_at = 2026-03-29T02:30:00"], "twice, or never|skipped or comes twice"),
        (['timezone = "Europe/Berlin"', "opens_at = 2026-10-25T02:30:00"], "skipped or comes twice"),
        (["opens_at = 2021-07-19T20:00:00"], "timezone"),
        (["opens_at = 2021-07-19T20:00:00Z", "closes_at = 2021-07-19T19:00:00Z"], "before it opens"),
        (["closes_at = 2021-07-19T20:00:00Z", "[[room.more_windows]]", "opens_at = 2021-07-19T19:00:00Z"], "in front"),
        (["[[room.timetable]]", "at = 2021-07-19T19:00:00Z"], "changes nothing"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(problems, lines, word):
    (problem,) = problems(room(*lines))
    assert re.search(word, problem)
