"""The token endpoint's answers, and what the gateway shows it. PyJWT reads the assertions, not our own code."""

import base64
import json
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from toolgate.ports import HttpError
from toolgate.protocol.client_authentication import SecretInBody, SecretInHeader, SignedAssertion
from toolgate.upstreams.auth.token_endpoint import ASSUMED_LIFETIME, MAX_TOKEN, TokenEndpoint, TokenError

URL = "https://login.example.com/token"
GOOD = {"access_token": "abc.def", "token_type": "Bearer", "expires_in": 60}


class MockHttp:
    """Meets `ports.Http` with one prepared answer."""

    def __init__(self, status: int, body: bytes | HttpError) -> None:
        self.status, self.body = status, body
        self.sent: list[bytes] = []

    async def request(self, method: str, url: str, headers: Any, body: bytes, **rest: Any) -> "MockHttp":
        self.sent.append(body)
        return self

    async def read(self, limit: int) -> bytes:
        if isinstance(self.body, HttpError):
            raise self.body
        return self.body

    def close(self) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Nothing is open."""


def endpoint(status: int, body: Any) -> TokenEndpoint:
    text = body if isinstance(body, bytes | HttpError) else json.dumps(body).encode()
    http: Any = MockHttp(status, text)
    return TokenEndpoint(http, URL, SecretInBody("us", "secret"), lambda: 1000.0)


@pytest.mark.parametrize(
    ("changes", "expires"),
    [
        ({}, 1060.0),
        ({"expires_in": "3600"}, 4600.0),
        ({"expires_in": None}, 1000 + ASSUMED_LIFETIME),
        ({"token_type": "bearer", "issued_token_type": "urn:x", "scope": "a"}, 1060.0),
    ],
)
async def test_a_token_with_its_end(changes: dict[str, Any], expires: float) -> None:
    token = await endpoint(200, {**GOOD, **changes}).ask({})
    assert (token.text, token.expires) == ("abc.def", expires)
    assert "abc" not in repr(token)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        {},
        {**GOOD, "access_token": ""},
        {**GOOD, "access_token": "a b"},
        {**GOOD, "access_token": "a\r\nx-evil: 1"},
        {**GOOD, "access_token": "a" * (MAX_TOKEN + 1)},
        {**GOOD, "access_token": 5},
        {**GOOD, "token_type": "DPoP"},
        {**GOOD, "token_type": "N_A"},
        {**GOOD, "expires_in": 0},
        {**GOOD, "expires_in": -5},
        {**GOOD, "expires_in": "soon"},
        {**GOOD, "expires_in": "nan"},
        {**GOOD, "expires_in": 1e300},
        HttpError("closed", "broke off", sent=True),
    ],
)
async def test_an_answer_that_cannot_be_used_is_no_token(answer: Any) -> None:
    with pytest.raises(TokenError):
        await endpoint(200, answer).ask({})


@pytest.mark.parametrize(
    ("status", "body", "text", "final"),
    [
        (400, {"error": "invalid_grant", "error_description": "secret things"}, "answered 400 invalid_grant", True),
        (401, {"error": "Bad\nthing"}, "answered 401", True),
        (403, b"<html>", "answered 403", True),
        (429, {}, "answered 429", False),
        (503, b"", "answered 503", False),
        (302, b"", "answered 302", False),
    ],
)  # fmt: skip
async def test_a_refusal_is_told_by_its_code_alone(status: int, body: Any, text: str, final: bool) -> None:
    with pytest.raises(TokenError) as caught:
        await endpoint(status, body).ask({})
    assert str(caught.value) == f"the token endpoint {text}"
    assert caught.value.final is final


def test_a_secret_in_the_header_survives_every_sign() -> None:
    """RFC 6749, 2.3.1: form-encoded first."""
    form: dict[str, str] = {}
    ((name, value),) = SecretInHeader("to:ol", "p%/ü+").prove(form, URL)
    assert base64.b64decode(value.removeprefix(b"Basic ")) == b"to%3Aol:p%25%2F%C3%BC%2B"
    assert (name, form) == (b"authorization", {})


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), "RS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
)
def test_an_assertion_is_signed_fresh_for_this_endpoint(key: Any, algorithm: str) -> None:
    """RFC 7523, section 3."""
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    client = SignedAssertion("us", pem, "k7", lambda: 1000.0)
    forms: list[dict[str, str]] = [{}, {}]
    assert [client.prove(form, URL) for form in forms] == [(), ()]
    text = forms[0]["client_assertion"]
    assert pyjwt.get_unverified_header(text)["kid"] == "k7"
    signed, _, signature = text.rpartition(".")
    header = {"EdDSA": "Ed25519"}.get(algorithm, algorithm)
    assert pyjwt.get_unverified_header(text)["alg"] == header
    verifier = pyjwt.get_algorithm_by_name(algorithm)
    raw = base64.urlsafe_b64decode(signature + "==")
    assert verifier.verify(signed.encode(), verifier.prepare_key(key.public_key()), raw)
    claims = json.loads(base64.urlsafe_b64decode(text.split(".")[1] + "=="))
    assert (claims["iss"], claims["sub"], claims["aud"]) == ("us", "us", URL)
    assert claims["exp"] - claims["iat"] == 60
    assert forms[0]["client_assertion"] != forms[1]["client_assertion"]
