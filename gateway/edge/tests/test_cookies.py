"""Cookies: read whatever comes, write what no script can read, hide ours from the backend."""

import pytest

from gateway.edge.cookies import MAX_VALUES, CookieNames, drop_cookie, set_cookie, values, without_ours


def test_names_carry_the_room_and_under_tls_the_hosts_prefix():
    assert CookieNames.of("a", secure=False) == CookieNames("sunbeon_ticket_a", "sunbeon_pass_a", secure=False)
    assert CookieNames.of("a", secure=True).ticket == "__Host-sunbeon_ticket_a"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([], []),
        (["a=1"], ["1"]),
        (["b=0; a=1;c=2"], ["1"]),
        (["a=1; a=2", "a=3"], ["1", "2", "3"]),
        (["a="], []),
        (["a"], []),
        (["aa=1; xa=2; A=3"], []),
        (['a="1"'], ["1"]),
        (["a=x=y=="], ["x=y=="]),
        ([";;; ;a=1;"], ["1"]),
        (["a=1" * 5_000], ["1" + "a=1" * 4_999]),
    ],
)
def test_every_value_of_a_name_is_found_in_the_order_it_came(headers, found):
    assert values(headers, "a") == found


def test_a_heap_of_values_of_one_name_is_not_all_looked_at():
    assert len(values(["; ".join(["a=1"] * 1_000)], "a")) == MAX_VALUES


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        ("", ""),
        ("a=1", "a=1"),
        ("a=1; sunbeon_ticket_x=2", "a=1"),
        ("sunbeon_ticket_x=2; a=1", "a=1"),
        ("sunbeon_pass_x=2;__Host-sunbeon_ticket_y=3", ""),
        ("a=1;sunbeon_pass_x=2; b=3 ;c", "a=1; b=3 ;c"),
        ("sunbeon_other=1; sunbeon_pass=2", "sunbeon_other=1; sunbeon_pass=2"),
        ('  a = "q; w" ;', '  a = "q; w" ;'),
    ],
)
def test_what_is_not_ours_keeps_its_spelling(header, kept):
    assert without_ours(header) == kept


def test_a_cookie_is_for_this_host_only_and_for_no_script():
    assert set_cookie("a", "1", max_age_s=5, secure=False) == "a=1; Path=/; Max-Age=5; HttpOnly; SameSite=Lax"
    assert set_cookie("a", "1", max_age_s=5, secure=True).endswith("; Secure")


def test_a_cookie_is_dropped_by_one_that_has_already_expired():
    assert drop_cookie("a", secure=True) == "a=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure"
