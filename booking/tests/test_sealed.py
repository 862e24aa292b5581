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


def test_no_altered_byte_is_taken(sealer):
    sealed = sealer.seal(Purpose.SESSION, PHONE, now_ms=NOW_MS)
    for at in range(len(sealed) - 2):  # the last characters of base64 may hold bits that mean nothing
        altered = sealed[:at] + (b"A" if sealed[at : at + 1] != b"A" else b"B") + sealed[at + 1 :]
        with pytest.raises(Unsealable):
            sealer.unseal(Purpose.SESSION, altered, now_ms=NOW_MS)


@pytest.mark.parametrize("junk", [b"", b"=", b"\xff\x00", b"gAAAAA", "순번".encode()])
def test_junk_is_refused_like_anything_else(sealer, junk):
    with pytest.raises(Unsealable):
        sealer.unseal(Purpose.SESSION, junk, now_ms=NOW_MS)


def test_nothing_of_the_keys_shows(sealer):
    assert SECRET.decode() not in repr(sealer) + repr(vars(sealer))
