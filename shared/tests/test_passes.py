"""`Sunbeon-Pass`: what counts, and every way in which it does not, each told apart."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.passes import (
    LEEWAY_S,
    KeyFileError,
    PassClaims,
    PassError,
    PassExpired,
    PassForged,
    PassKey,
    PassMalformed,
    PassMissing,
    PassVerifier,
    read_keys,
    sign,
    verify,
)
from shared.wire import How

NOW_S = 1_000
CLAIMS = PassClaims("vaccine", "id", How.LATE_LANE, 3, 7, 5, None, 4, NOW_S, NOW_S + 60)


def secret_jwk(kid="h1", fill="a") -> dict[str, str]:
    return {"kty": "oct", "k": fill * 43, "kid": kid, "alg": "HS256"}


def pair(kid="e1") -> tuple[dict[str, str], dict[str, str]]:
    """A private key and the public one a backend gets."""
    private = {**jwt.algorithms.OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True)}
    private |= {"kid": kid, "alg": "EdDSA"}
    return private, {name: value for name, value in private.items() if name != "d"}


HMAC = PassKey.from_jwk(secret_jwk())
KEYS = {"h1": HMAC}


@pytest.mark.parametrize("key", [HMAC, PassKey.from_jwk(pair()[0])], ids=["HS256", "EdDSA"])
@pytest.mark.parametrize("claims", [CLAIMS, replace(CLAIMS, number=None, place=None, rule="health", epoch=2**60)])
def test_what_is_signed_is_what_the_library_makes_of_it_byte_for_byte(key, claims):
    text = sign(claims, key)
    payload = jwt.decode(text, options={"verify_signature": False})
    assert list(payload) == ["iss", "room", "jti", "how", "epoch", "num", "place", "rule", "sv", "iat", "exp"]
    assert text == jwt.encode(payload, key.key, algorithm=key.algorithm, headers={"kid": key.kid})


def parts(text: str) -> tuple[dict[str, object], dict[str, object], str]:
    head, body, tag = text.split(".")
    return *(json.loads(urlsafe_b64decode(part + "==")) for part in (head, body)), tag


def pack(*pieces: dict[str, object], tag: str = "") -> str:
    return ".".join([*(urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in pieces), tag])


def forge(payload: dict[str, object], *, drop: str | None = None) -> str:
    """Signed with the genuine key, whatever it says."""
    _, body, _ = parts(sign(CLAIMS, HMAC))
    body |= payload
    body.pop(drop or "", None)
    return jwt.encode(body, HMAC.key, algorithm="HS256", headers={"kid": "h1"})


@pytest.mark.parametrize(
    "claims",
    [
        CLAIMS,
        replace(CLAIMS, how=How.EXEMPT, rule="health", number=None, place=None),
        replace(CLAIMS, how=How.DIRECT, number=6_000_000, place=6_000_000),
    ],
)
def test_what_was_signed_is_what_is_read(claims):
    assert verify(sign(claims, HMAC), KEYS, now_s=NOW_S) == claims


def test_a_public_key_verifies_and_cannot_sign():
    private, public = pair()
    text = sign(CLAIMS, PassKey.from_jwk(private))
    known = PassKey.from_jwk(public)
    assert verify(text, {"e1": known}, now_s=NOW_S) == CLAIMS
    with pytest.raises((TypeError, AttributeError, jwt.PyJWTError)):
        sign(CLAIMS, known)


@pytest.mark.parametrize("text", [None, ""])
def test_none_is_missing(text):
    with pytest.raises(PassMissing) as caught:
        verify(text, KEYS, now_s=NOW_S)
    assert caught.value.kind == "missing"


@pytest.mark.parametrize("text", ["x", "a.b.c", "....", "ticket.k1.abc.def", "é", "a" * 10_000, "e30.e30"])
def test_what_is_no_jwt_is_malformed(text):
    with pytest.raises(PassMalformed) as caught:
        verify(text, KEYS, now_s=NOW_S)
    assert caught.value.kind == "malformed"


def test_any_byte_changed_is_refused():
    text = sign(CLAIMS, HMAC)
    for position in range(len(text)):
        for other in "Ax.":
            if other == text[position]:
                continue
            changed = text[:position] + other + text[position + 1 :]
            # The last character of a part holds bits that no byte needs; whatever is read must be what was signed.
            try:
                assert verify(changed, KEYS, now_s=NOW_S) == CLAIMS
            except PassError:
                continue


def test_a_key_nobody_knows_is_forged():
    text = sign(CLAIMS, PassKey.from_jwk(secret_jwk("h2")))
    with pytest.raises(PassForged, match="does not know"):
        verify(text, KEYS, now_s=NOW_S)


def test_a_known_name_on_another_key_is_forged():
    text = sign(CLAIMS, PassKey.from_jwk(secret_jwk("h1", "b")))
    with pytest.raises(PassForged) as caught:
        verify(text, KEYS, now_s=NOW_S)
    assert caught.value.kind == "forged"


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "RS256", ""])
def test_a_tokens_own_word_for_the_algorithm_counts_for_nothing(algorithm):
    head, body, tag = parts(sign(CLAIMS, HMAC))
    for end in (tag, ""):
        with pytest.raises((PassForged, PassMalformed)):
            verify(pack({**head, "alg": algorithm}, body, tag=end), KEYS, now_s=NOW_S)


def test_a_public_key_is_no_shared_secret():
    private, public = pair()
    text = jwt.encode({"iss": "sunbeon"}, public["x"].ljust(43, "A"), algorithm="HS256", headers={"kid": "e1"})
    with pytest.raises(PassForged):
        verify(text, {"e1": PassKey.from_jwk(public)}, now_s=NOW_S)
    assert private["kid"] == "e1"


def test_another_issuers_token_is_forged():
    with pytest.raises(PassForged):
        verify(forge({"iss": "other"}), KEYS, now_s=NOW_S)


@pytest.mark.parametrize("name", ["room", "jti", "how", "epoch", "num", "place", "rule", "sv"])
def test_a_claim_that_lacks_is_malformed(name):
    with pytest.raises(PassMalformed):
        verify(forge({}, drop=name), KEYS, now_s=NOW_S)


@pytest.mark.parametrize("name", ["iat", "exp", "iss"])
def test_a_token_without_issuer_or_times_is_refused(name):
    with pytest.raises(PassError):
        verify(forge({}, drop=name), KEYS, now_s=NOW_S)


@pytest.mark.parametrize("change", [{"how": "bribed"}, {"epoch": "x"}, {"num": []}, {"place": {}}, {"exp": "soon"}])
def test_a_claim_of_the_wrong_kind_is_refused(change):
    with pytest.raises(PassError):
        verify(forge(change), KEYS, now_s=NOW_S)


def test_an_expired_one_says_whose_it_was():
    text = sign(CLAIMS, HMAC)
    assert verify(text, KEYS, now_s=CLAIMS.expires_s + LEEWAY_S) == CLAIMS
    with pytest.raises(PassExpired) as caught:
        verify(text, KEYS, now_s=CLAIMS.expires_s + LEEWAY_S + 1)
    assert (caught.value.kind, caught.value.claims) == ("expired", CLAIMS)


def test_one_from_the_future_is_refused():
    text = sign(CLAIMS, HMAC)
    assert verify(text, KEYS, now_s=NOW_S - LEEWAY_S) == CLAIMS
    with pytest.raises(PassForged, match="clocks"):
        verify(text, KEYS, now_s=NOW_S - LEEWAY_S - 1)


def test_no_secret_is_shown():
    assert "aaaa" not in repr(HMAC)
    assert "aaaa" not in repr(KEYS)


# Key files


def test_keys_are_read_by_their_names(tmp_path):
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [secret_jwk("h1"), pair("e1")[1]]}))
    assert {kid: key.algorithm for kid, key in read_keys(tmp_path / "keys.json").items()} == {
        "h1": "HS256",
        "e1": "EdDSA",
    }


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "5",
        '{"keys": 5}',
        '{"keys": [5]}',
        '{"keys": [{}]}',
        '{"keys": [{"kid": "a", "alg": "none", "kty": "oct", "k": "AAAA"}]}',
        '{"keys": [{"kid": "a", "alg": "EdDSA", "kty": "OKP"}]}',
        '{"keys": [{"kid": "a", "alg": "EdDSA", "kty": "OKP", "crv": "Ed25519", "x": "AA"}]}',
    ],
)
def test_a_file_that_is_no_key_file_is_told(tmp_path, content):
    (tmp_path / "keys.json").write_text(content)
    with pytest.raises(KeyFileError):
        read_keys(tmp_path / "keys.json")


def test_a_file_that_is_not_there_is_told_by_name(tmp_path):
    with pytest.raises(KeyFileError, match=r"keys\.json: cannot be read"):
        PassVerifier(tmp_path / "keys.json")


def test_a_running_backend_follows_a_rotation(tmp_path):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [secret_jwk("h1")]}))
    verifier = PassVerifier(path)
    new = PassKey.from_jwk(secret_jwk("h2", "b"))
    with pytest.raises(PassForged):
        verifier.verify(sign(CLAIMS, new), now_s=NOW_S)
    other = tmp_path / "new.json"
    other.write_text(json.dumps({"keys": [secret_jwk("h1"), secret_jwk("h2", "b")]}))
    other.replace(path)
    assert verifier.verify(sign(CLAIMS, new), now_s=NOW_S) == CLAIMS
    assert verifier.verify(sign(CLAIMS, HMAC), now_s=NOW_S) == CLAIMS


@pytest.mark.parametrize("damage", ["", "{", None])
def test_a_running_backend_keeps_its_keys_while_the_file_is_not_in_order(tmp_path, damage):
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [secret_jwk("h1")]}))
    verifier = PassVerifier(path)
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage)
    assert verifier.verify(sign(CLAIMS, HMAC), now_s=NOW_S) == CLAIMS
