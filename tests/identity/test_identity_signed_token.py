"""Attacks on signed tokens, one line each: whatever is wrong, the answer is 401 and says nothing secret."""

import base64
import hashlib
import hmac
import json

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from identity_support import AUDIENCE, ISSUER, NOW, FixedKeys, Signer, b64, good_claims

from toolgate.errors import Refusal
from toolgate.identity.signed_token import Issuer, check, read


async def verify(token: str, *signers: Signer, **rules) -> float:
    issuer = Issuer(issuer=ISSUER, audiences=(AUDIENCE,), keys=FixedKeys(*signers), **rules)
    return await check(read(token), issuer, NOW)


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_a_good_token_holds_until_exp_and_leeway(alg):
    signer = Signer(alg)
    assert await verify(signer.token(), signer) == NOW + 630


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_an_independent_verifier_agrees(alg):
    signer = Signer(alg)
    claims = pyjwt.decode(
        signer.token(),
        signer.key.public_key(),
        [alg],
        audience=AUDIENCE,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert read(signer.token()).claims == claims


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "JWT", "jwt", "AT+JWT", None])
async def test_access_tokens_are_known_by_their_typ_or_by_none(rsa_signer, typ):
    """RFC 9068 section 2.1."""
    assert await verify(rsa_signer.token(typ=typ), rsa_signer)


async def test_one_of_several_audiences_is_enough(rsa_signer):
    """RFC 8707."""
    assert await verify(rsa_signer.token({"aud": ["https://other.example", AUDIENCE]}), rsa_signer)


async def test_clocks_may_differ_by_the_leeway(rsa_signer):
    token = rsa_signer.token({"exp": NOW - 29, "nbf": NOW + 30, "iat": NOW + 30})
    assert await verify(token, rsa_signer) == NOW + 1
    with pytest.raises(Refusal):
        await verify(token, rsa_signer, leeway=0)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example/mcp"},
        {"aud": []},
        {"aud": None},
        {"aud": AUDIENCE + "/"},
        {"aud": [AUDIENCE, 5]},
        {"aud": {AUDIENCE: True}},
        {"iss": ISSUER + "/"},
        {"iss": [ISSUER]},
        {"exp": NOW - 30},
        {"exp": str(NOW + 600)},
        {"exp": None},
        {"exp": True},
        {"exp": [NOW + 600]},
        {"exp": 10**40},
        {"nbf": NOW + 31},
        {"nbf": "0"},
        {"iat": NOW + 31},
        {"iat": "0"},
        {"sub": 5},
        {"jti": 5},
    ],
    ids=str,
)
async def test_wrong_claims_are_refused(rsa_signer, claims):
    with pytest.raises(Refusal) as refused:
        await verify(rsa_signer.token(claims), rsa_signer)
    assert refused.value.status == 401


@pytest.mark.parametrize("missing", ["aud", "exp", "iss"])
async def test_claims_that_must_be_there_are_missed(rsa_signer, missing):
    claims = {name: value for name, value in good_claims().items() if name != missing}
    with pytest.raises(Refusal):
        await verify(rsa_signer.token(json.dumps(claims).encode()), rsa_signer)


@pytest.mark.parametrize(
    "payload",
    [
        b'{"iss":"' + ISSUER.encode() + b'","exp":9999999999,"aud":"x","aud":"' + AUDIENCE.encode() + b'"}',
        b'{"iss":"' + ISSUER.encode() + b'","a":{"b":1,"b":2}}',
        b'{"exp":NaN}',
        b'{"exp":1e999}',
        rb'{"sub":"\ud800"}',
        b'{"sub":"\xff"}',
        b"[1]",
        b'"text"',
        b"",
        b"[" * 9000,
        b'{"a":' * 1500 + b"1" + b"}" * 1500,
    ],
    ids=lambda payload: payload[:30].decode(errors="replace"),
)
def test_a_payload_that_two_readers_could_read_differently_is_refused(rsa_signer, payload):
    """RFC 7519 section 4: duplicate names; the rest is no JSON (RFC 8259) or no claims set."""
    with pytest.raises(Refusal, match="malformed token"):
        read(rsa_signer.token(payload))


PAYLOAD = json.dumps(good_claims()).encode()


@pytest.mark.parametrize(
    "header",
    [
        {"crit": ["exp"]},
        {"crit": ["urn:example:new"], "urn:example:new": 1},
        {"crit": []},
        {"crit": 5},
        {"crit": [["a"]]},
        {"crit": ["b64"], "b64": True},
        {"b64": True},
        {"typ": "oauth-id-jag+jwt"},
        {"typ": "dpop+jwt"},
        {"typ": "logout+jwt"},
        {"typ": "txntoken+jwt"},
        {"typ": 5},
        {"typ": ""},
        {"kid": "unknown"},
        {"kid": 5},
        {"kid": ["rsa-1"]},
        {"alg": "none"},
        {"alg": "RS512"},
        {"alg": "PS256"},
        {"alg": "ES256"},
        {"alg": "EdDSA"},
        {"alg": "Ed25519"},
        {"alg": ["RS256"]},
        {"alg": {}},
        {"alg": None},
        {"jku": 5},
    ],
    ids=str,
)
async def test_a_header_that_asks_for_anything_else_is_refused(rsa_signer, header):
    """The signature is good in every one of them."""
    token = rsa_signer.forge({"alg": "RS256", "typ": "at+jwt", "kid": "rsa-1", **header}, PAYLOAD)
    with pytest.raises(Refusal) as refused:
        await verify(token, rsa_signer)
    assert refused.value.status == 401


async def test_a_key_name_that_is_no_string_names_no_key(rsa_signer):
    with pytest.raises(Refusal, match="kid is not a string"):
        await verify(rsa_signer.forge({"alg": "RS256", "kid": 5}, PAYLOAD), rsa_signer)


async def test_the_forge_makes_good_tokens_where_the_header_is_good(rsa_signer):
    """Otherwise the table above would prove nothing."""
    assert await verify(rsa_signer.forge({"alg": "RS256", "kid": "rsa-1", "x-new": 1}, PAYLOAD), rsa_signer)


@pytest.mark.parametrize("header", [["alg"], "alg", 5, None, ["alg", "b64"], {}, {"kid": "rsa-1"}], ids=str)
async def test_a_header_that_is_no_header_is_refused(rsa_signer, header):
    with pytest.raises(Refusal):
        await verify(rsa_signer.forge(header, PAYLOAD), rsa_signer)


async def test_an_unencoded_payload_is_refused(rsa_signer):
    """RFC 7797: `b64: false` would have the signature cover other bytes than we read."""
    token = rsa_signer.forge({"alg": "RS256", "kid": "rsa-1", "b64": False, "crit": ["b64"]}, PAYLOAD)
    with pytest.raises(Refusal):
        await verify(token, rsa_signer)


async def test_no_signature_is_no_signature(rsa_signer):
    for alg in ("none", "None", "RS256"):
        header = b64(json.dumps({"alg": alg, "kid": "rsa-1"}).encode())
        with pytest.raises(Refusal):
            await verify(f"{header}.{b64(PAYLOAD)}.", rsa_signer)


@pytest.mark.parametrize("alg", ["HS256", "HS512"])
async def test_the_published_key_does_not_sign_as_a_shared_secret(rsa_signer, alg):
    """Key confusion: the public key is known to everybody."""
    pem = rsa_signer.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{b64(json.dumps({'alg': alg, 'kid': 'rsa-1'}).encode())}.{b64(PAYLOAD)}"
    digest = hashlib.sha256 if alg == "HS256" else hashlib.sha512
    with pytest.raises(Refusal):
        await verify(f"{signed}.{b64(hmac.digest(pem, signed.encode(), digest))}", rsa_signer)


async def test_the_key_of_another_issuer_does_not_sign(rsa_signer, other_rsa_signer):
    with pytest.raises(Refusal, match="no RS256 key of that name"):
        await verify(other_rsa_signer.token(), rsa_signer)
    with pytest.raises(Refusal, match="signature is wrong"):
        await verify(other_rsa_signer.token(kid="rsa-1"), rsa_signer)


async def test_a_key_in_the_token_itself_is_not_used(rsa_signer, other_rsa_signer):
    token = other_rsa_signer.token(kid="rsa-1", jwk=other_rsa_signer.jwk())
    with pytest.raises(Refusal):
        await verify(token, rsa_signer)


async def test_algorithms_can_be_narrowed(rsa_signer):
    with pytest.raises(Refusal, match="algorithm"):
        await verify(rsa_signer.token(), rsa_signer, algorithms=("ES256",))


async def test_without_a_kid_the_only_key_is_used_and_of_two_neither(rsa_signer, other_rsa_signer):
    token = rsa_signer.token(kid=None)
    assert await verify(token, rsa_signer)
    assert await verify(token, rsa_signer, Signer("ES256", "ec-1"))
    with pytest.raises(Refusal):
        await verify(token, rsa_signer, other_rsa_signer)


async def test_a_refusal_never_quotes_the_token(rsa_signer, other_rsa_signer):
    for token in (other_rsa_signer.token(kid="rsa-1"), "a.b.c", rsa_signer.token({"aud": "x"})):
        with pytest.raises(Refusal) as refused:
            await verify(token, rsa_signer)
        parts = [part for part in token.split(".") if len(part) > 8]
        assert not any(part in refused.value.reason + refused.value.text for part in parts)


ALPHABET = base64.urlsafe_b64encode(bytes(range(256))).decode() + ".=+/ é\x00"
EDDSA = Signer("EdDSA", "k")
GOOD = EDDSA.token()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.sampled_from(ALPHABET))
async def test_a_token_changed_by_one_character_is_refused(place, character):
    """Also in the last character, where base64 leaves bits over."""
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    if changed != GOOD:
        with pytest.raises(Refusal):
            await verify(changed, EDDSA)


HEADERS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["alg", "kid", "typ", "crit", "b64", "jwk", "x5c"]) | st.text(max_size=4), inner
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(HEADERS, HEADERS)
async def test_any_json_as_header_and_payload_is_a_refusal(header, payload):
    token = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(payload).encode())}.{'A' * 86}"
    with pytest.raises(Refusal):
        await verify(token, EDDSA)
