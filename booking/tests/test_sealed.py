"""What is sealed can be read by this site alone, for the purpose it was sealed for, and no longer than it should."""

import pytest

from booking.sealed import Purpose, Sealer, Unsealable

SECRET = b"a secret for tests, thirty-two bytes or more"
PHONE = b"01012345678"
NOW_MS = 1_626_692_400_000


@pytest.fixture
def sealer() -> Sealer:
    return Sealer(SECRET)


def test_what_was_sealed_comes_back(sealer):
    sealed = sealer.seal(Purpose.CONTACT, PHONE, now_ms=NOW_MS)

    assert PHONE not in sealed
    assert sealer.unseal(Purpose.CONTACT, sealed, now_ms=NOW_MS + 10**12) == PHONE
    assert Sealer(SECRET).unseal(Purpose.CONTACT, sealed, now_ms=NOW_MS) == PHONE


def test_equal_things_do_not_look_equal(sealer):
    seals = {sealer.seal(Purpose.CONTACT, PHONE, now_ms=NOW_MS) for _ in range(20)}
    assert len(seals) == 20


def test_a_seal_is_good_for_its_age_and_not_a_second_longer(sealer):
    sealed = sealer.seal(Purpose.SESSION, PHONE, now_ms=NOW_MS)

    assert sealer.unseal(Purpose.SESSION, sealed, now_ms=NOW_MS + 600_000, max_age_s=600) == PHONE
    with pytest.raises(Unsealable):
        sealer.unseal(Purpose.SESSION, sealed, now_ms=NOW_MS + 601_000, max_age_s=600)


def test_one_purpose_does_not_open_what_another_sealed(sealer):
    sealed = sealer.seal(Purpose.CONTACT, PHONE, now_ms=NOW_MS)
    with pytest.raises(Unsealable):
        sealer.unseal(Purpose.SESSION, sealed, now_ms=NOW_MS)


def test_another_secret_opens_nothing(sealer):
    sealed = sealer.seal(Purpose.CONTACT, PHONE, now_ms=NOW_MS)
    with pytest.raises(Unsealable):
        Sealer(SECRET[::-1]).unseal(Purpose.CONTACT, sealed, now_ms=NOW_MS)


@pytest.mark.parametrize("length", [11, 16, 32])
def test_no_altered_byte_is_taken(sealer, length):
    """Three lengths: base64 ends in none, one or two signs of padding, before which some bits mean nothing."""
    sealed = sealer.seal(Purpose.SESSION, b"0" * length, now_ms=NOW_MS)
    for at in range(len(sealed)):
        for other in {b"A", b"B", b"=", b"-", b"\n"} - {sealed[at : at + 1]}:
            with pytest.raises(Unsealable):
                sealer.unseal(Purpose.SESSION, sealed[:at] + other + sealed[at + 1 :], now_ms=NOW_MS)


@pytest.mark.parametrize("length", [11, 16, 32])
def test_a_seal_has_one_spelling(sealer, length):
    """What decodes to the same bytes, but is not the text that was made, is refused."""
    sealed = sealer.seal(Purpose.SESSION, b"0" * length, now_ms=NOW_MS)
    spellings = [sealed + b"=", sealed + b"\n", b" " + sealed, sealed[:9] + b"!" + sealed[9:]]
    meant = sealed.rstrip(b"=")
    spellings += [
        meant[:-1] + bytes([last]) + sealed[len(meant) :]
        for last in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        if last != meant[-1]
    ]
    for other in spellings:
        with pytest.raises(Unsealable):
            sealer.unseal(Purpose.SESSION, other, now_ms=NOW_MS)
    assert sealer.unseal(Purpose.SESSION, sealed, now_ms=NOW_MS) == b"0" * length


@pytest.mark.parametrize("junk", [b"", b"=", b"\xff\x00", b"gAAAAA", "순번".encode()])
def test_junk_is_refused_like_anything_else(sealer, junk):
    with pytest.raises(Unsealable):
        sealer.unseal(Purpose.SESSION, junk, now_ms=NOW_MS)


def test_nothing_of_the_keys_shows(sealer):
    assert SECRET.decode() not in repr(sealer) + repr(vars(sealer))
