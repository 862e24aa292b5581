"""The check that the other tests rest on can fail: it finds what it is there to find."""

from dataclasses import replace

import pytest

from gateway.tests.browser.scene import check_evidence
from gateway.tests.stand import Admission, Seen, without_turn

FIRST = Admission("pass-1", "direct", 1, 1)
SECOND = Admission("pass-2", "line", 2, 2)
THROUGH = Seen("GET", "/booking", "ok", "pass-1", "direct", 1, 1, 200)


@pytest.mark.parametrize(
    "line",
    [
        replace(THROUGH, pass_id=None, how=None, number=None, place=None),
        replace(THROUGH, pass_id="pass-9"),
        replace(THROUGH, pass_id="pass-2"),
        replace(THROUGH, number=2),
        replace(THROUGH, place=9),
        replace(THROUGH, how="exempt", number=None, place=None),
        replace(THROUGH, how="late_lane"),
    ],
    ids=["no pass", "foreign pass", "somebody else's", "other number", "other place", "exempt", "other way in"],
)
def test_a_request_without_a_turn_of_its_own_is_found(line):
    assert without_turn([THROUGH, line], [FIRST, SECOND]) == [line]
    with pytest.raises(AssertionError, match="without a turn"):
        check_evidence([THROUGH, line], [FIRST, SECOND], {1})


def test_a_refused_request_is_no_intruder():
    refused = replace(THROUGH, verdict="missing", pass_id=None, how=None, number=None, place=None, status=403)
    check_evidence([THROUGH, refused], [FIRST], {1})


def test_somebody_who_was_admitted_but_should_not_have_been_is_found():
    with pytest.raises(AssertionError, match="somebody else got through"):
        check_evidence([THROUGH, Seen("GET", "/", "ok", "pass-2", "line", 2, 2, 200)], [FIRST, SECOND], {1})
    with pytest.raises(AssertionError, match="admitted twice"):
        check_evidence([THROUGH], [FIRST, SECOND], {1})
    with pytest.raises(AssertionError, match="admitted twice"):
        check_evidence([THROUGH], [FIRST, replace(FIRST, pass_id="pass-7")], {1})


def test_a_real_request_past_the_gate_is_found(scene, stand):
    """Another gateway's admission counts for nothing here: its lines are found in the real log."""
    stand.visitor().enter()
    scene.take_seat()
    found = without_turn(stand.requests(), scene.admissions())
    assert {each.path for each in found} == {"/"}
