"""The language a page is written in."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.language import LANGUAGES, pick_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en-US,en;q=0.9,ko;q=0.8", "en"),
        ("en;q=0.5,ko;q=0.8", "ko"),
        ("KO-kr", "ko"),
        ("fr-FR,fr;q=0.9,ko;q=0.3", "ko"),
        ("ja, ko ; q=0.2 , en ; q=0.1", "ko"),
        ("zh-Hant-TW, ko-Kore-KR", "ko"),
    ],
)
def test_the_heaviest_language_we_have_wins(header, language):
    assert pick_language(header) == language


@pytest.mark.parametrize(
    "header", [None, "", "fr", "ko;q=0", "*;q=0, fr", "korean", ";q=1", ",,,", "ko;q=nan", "ko;q=-1"]
)
def test_what_names_none_of_ours_gets_the_default(header):
    assert pick_language(header, default="en") == "en"
    assert pick_language((header or "").replace("ko", "en"), default="ko") == "ko"


def test_a_star_stands_for_the_default():
    assert pick_language("fr, *;q=0.5", default="ko") == "ko"
    assert pick_language("en;q=0.4, *;q=0.5", default="ko") == "ko"


def test_equal_weights_go_to_the_first_named():
    assert pick_language("ko, en") == "ko"
    assert pick_language("en, ko", default="ko") == "en"


def test_a_huge_header_costs_no_more_than_its_start():
    assert pick_language("ko," + "x" * 10_000_000) == "ko"
    assert pick_language("a-" * 5_000_000) == "en"


@settings(deadline=None)  # a loaded machine is not a fault
@given(st.one_of(st.text(), st.text(alphabet="koen-*;q=0.159, \t")))
def test_any_header_gets_one_of_our_languages(header):
    assert pick_language(header) in LANGUAGES
