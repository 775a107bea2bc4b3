import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from identity_support import Signer, key_set

from toolgate.identity.jwks import KeySet, unavailable

ES256 = Signer("ES256", "ec")
EDDSA = Signer("EdDSA", "ed")


def test_a_key_is_picked_by_name_and_algorithm(rsa_signer):
    keys = KeySet.read(key_set(rsa_signer.jwk(), ES256.jwk(), EDDSA.jwk()))
    assert keys.pick("rsa-1", "RS256") is not None
    assert keys.pick("ec", "ES256") is not None
    assert keys.pick("ed", "EdDSA") is not None
    assert keys.pick("ec", "RS256") is None
    assert keys.pick("other", "ES256") is None


def test_without_a_name_the_only_key_of_the_kind_is_picked():
    assert KeySet.read(key_set(ES256.jwk(), EDDSA.jwk())).pick(None, "ES256") is not None
    assert KeySet.read(key_set(ES256.jwk(), Signer("ES256", "b").jwk())).pick(None, "ES256") is None


def test_of_two_keys_with_one_name_neither_is_picked():
    unnamed = [Signer("ES256", None).jwk() for _ in range(2)]
    assert KeySet.read(key_set(*unnamed)).pick(None, "ES256") is None
    assert KeySet.read(key_set(ES256.jwk(), Signer("ES256", "ec").jwk())).pick("ec", "ES256") is None


def test_a_key_named_for_the_newer_algorithm_name_is_the_same_key():
    """RFC 9864."""
    assert KeySet.read(key_set(EDDSA.jwk(alg="Ed25519"))).pick("ed", "EdDSA") is not None


@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": ["sig"]},
        {"key_ops": ["encrypt"]},
        {"key_ops": 5},
        {"alg": "ES512"},
        {"alg": 5},
        {"crv": "P-521"},
        {"kty": "oct", "k": "AAAA"},
        {"kty": ["EC"]},
        {"kty": None},
        {"x": "not base64!"},
        {"x": "AAAA"},
        {"x": 5},
        {"y": None},
    ],
    ids=str,
)
def test_a_key_for_something_else_is_passed_over_and_spoils_no_other(members):
    keys = KeySet.read(key_set(ES256.jwk(**members), EDDSA.jwk()))
    assert keys.pick("ec", "ES256") is None
    assert keys.pick("ed", "EdDSA") is not None


@pytest.mark.parametrize("modulus", ["AQAB", "A" * 342 + "AQAB", "", 5, None, "é"], ids=str)
def test_a_short_or_broken_rsa_key_is_passed_over(rsa_signer, modulus):
    assert KeySet.read(key_set(rsa_signer.jwk(n=modulus))).pick("rsa-1", "RS256") is None


def test_an_rsa_key_of_1024_bits_is_passed_over(rsa_signer):
    """NIST SP 800-131A."""
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    jwk = rsa_signer.exporter.to_jwk(short.public_key(), as_dict=True) | {
        "key_ops": ["verify"],
        "kid": "short",
    }
    assert KeySet.read(key_set(jwk)).pick("short", "RS256") is None


def test_a_private_key_published_by_mistake_is_held_as_a_public_one():
    private = json.loads(ES256.exporter.to_jwk(ES256.key))
    key = KeySet.read(key_set({**private, "kid": "ec", "key_ops": ["verify"]})).pick("ec", "ES256")
    assert key is not None
    assert not key.is_private


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[1]}', b"<html>", b"[" * 99999]
)
def test_what_is_no_key_set_is_an_error(text):
    with pytest.raises(ValueError):  # noqa: PT011
        KeySet.read(text)


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "use", "alg", "kid"]), st.text() | st.integers()
    )
)
def test_any_members_are_a_key_or_none(members):
    KeySet.read(key_set({**ES256.jwk(), **members}))
    KeySet.read(key_set({**EDDSA.jwk(), **members}))


def test_unavailable_keys_are_a_503():
    refusal = unavailable("why")
    assert (refusal.status, refusal.stage, refusal.kind) == (503, "identity", "identity_unavailable")
    assert refusal.code == -31505, "it is not the server behind the tool that is away"
    assert "why" not in refusal.text
