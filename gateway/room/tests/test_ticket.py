import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.room.ticket import (
    BadSignature,
    BadToken,
    KeyRing,
    Knock,
    Malformed,
    Pass,
    Ticket,
    UnknownKey,
    sign,
    verify,
)

KEYS = KeyRing("k2", {"k1": b"1" * 32, "k2": b"2" * 32})

times = st.integers(0, 2**45)
knocks = st.builds(Knock, st.integers(0, 2**63 - 1), times)
tickets = st.builds(Ticket, st.integers(1, 10**6), st.integers(1, 10**9), times)
passes = st.builds(
    Pass,
    st.integers(1, 10**6),
    st.integers(1, 10**9),
    st.integers(1, 10**9),
    st.text("abcXYZ019-_", min_size=1, max_size=24),
    st.sampled_from(["line", "direct", "late_lane"]),
    times,
)
tokens = st.one_of(knocks, tickets, passes)


@given(tokens)
def test_a_token_verifies_as_what_was_signed(token):
    assert verify(sign(token, "r", KEYS), "r", KEYS) == token


@given(tokens, st.data())
def test_any_character_changed_is_refused(token, data):
    text = sign(token, "r", KEYS)
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(codec="ascii", exclude_characters=text[at]))
    with pytest.raises(BadToken):
        verify(text[:at] + other + text[at + 1 :], "r", KEYS)


@pytest.mark.parametrize("token", [Knock(2**62, 1), Ticket(1, 6_000_000, 1), Pass(1, 2, 2, "abc", "line", 1)])
def test_every_single_byte_changed_to_every_other_is_refused(token):
    """Exhaustive: base64 has several spellings of one value, and none but ours may pass."""
    text = sign(token, "r", KEYS)
    for at in range(len(text)):
        for code in range(256):
            if chr(code) != text[at]:
                with pytest.raises(BadToken):
                    verify(text[:at] + chr(code) + text[at + 1 :], "r", KEYS)


@given(tokens, st.integers(0, 200))
def test_a_token_cut_short_or_made_longer_is_refused(token, length):
    text = sign(token, "r", KEYS)
    assume(length < len(text))
    for altered in (text[:length], text + text[:length] + "A", text + "="):
        with pytest.raises(BadToken):
            verify(altered, "r", KEYS)


@given(st.text(max_size=600))
def test_any_text_is_refused_with_a_clean_error(text):
    with pytest.raises(BadToken):
        verify(text, "r", KEYS)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_a_clean_error(data):
    with pytest.raises(BadToken):
        verify(data.decode("utf-8", "surrogateescape"), "r", KEYS)


@given(tokens)
def test_a_token_of_one_room_is_nothing_in_another(token):
    with pytest.raises(BadSignature):
        verify(sign(token, "r", KEYS), "r2", KEYS)


def test_a_ticket_cannot_be_renamed_into_a_pass():
    text = sign(Ticket(1, 2, 3), "r", KEYS)
    for kind in ("knock", "pass"):
        with pytest.raises(BadSignature):
            verify(kind + text.removeprefix("ticket"), "r", KEYS)


def test_earlier_keys_still_verify_and_the_current_one_signs():
    old = sign(Ticket(1, 2, 3), "r", KeyRing("k1", KEYS.secrets))
    assert verify(old, "r", KEYS) == Ticket(1, 2, 3)
    assert sign(Ticket(1, 2, 3), "r", KEYS).split(".")[1] == "k2"


def test_a_retired_key_is_told_apart_from_a_forgery():
    text = sign(Ticket(1, 2, 3), "r", KEYS)
    with pytest.raises(UnknownKey):
        verify(text, "r", KeyRing("k1", {"k1": b"1" * 32}))


def test_a_token_that_is_too_long_is_not_looked_into():
    with pytest.raises(Malformed):
        verify("ticket.k2." + "A" * 10_000 + ".x", "r", KEYS)


def test_a_key_ring_does_not_show_its_secrets():
    assert "1111" not in repr(KEYS)
