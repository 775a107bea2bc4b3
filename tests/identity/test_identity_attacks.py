"""Token attacks of `attacks.yaml`, each against a request that is accepted as it is. None may be accepted."""

import base64
import hashlib
import hmac
import json
import uuid
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import jwt as pyjwt
import pytest
import trustme
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from identity_support import AUDIENCE, ISSUER, NOW, FixedKeys, Hand, Signer, b64, call

from toolgate.errors import Refusal
from toolgate.identity.agents import Agents
from toolgate.identity.api_key import ApiKeys
from toolgate.identity.chain import Chain
from toolgate.identity.dpop import Dpop, Replays
from toolgate.identity.jwks import unavailable
from toolgate.identity.jwt import Jwt
from toolgate.identity.live import Live
from toolgate.identity.possession import Possession
from toolgate.identity.proxies import Proxies
from toolgate.identity.signed_token import Issuer
from toolgate.model import Call, Shown

CASES = yaml.safe_load((Path(__file__).parent / "attacks.yaml").read_text())
ISSUED, STRANGER = Signer("RS256", "k1"), Signer("RS256", "k1")
HOLDER, THIEF = Signer("ES256", None), Signer("ES256", None)
AUTHORITY = trustme.CA()


def der(name: str) -> bytes:
    pem = AUTHORITY.issue_cert(name).cert_chain_pems[0].bytes()
    return load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


OWN, OTHER = der("agent.example"), der("other.example")
THUMBPRINT = b64(hashlib.sha256(OWN).digest())


class DownKeys:
    """A key set that cannot be had."""

    async def find(self, kid: str | None, alg: str) -> Any:
        raise unavailable("the keys cannot be had")

    async def aclose(self) -> None:
        """Nothing is open."""


def gateway(keys: str) -> Agents:
    clock = Hand()
    published = {"own": FixedKeys(ISSUED), "anothers": FixedKeys(Signer("RS256", "k2")), "none": FixedKeys()}
    possession = Possession(
        Dpop(Replays(clock), clock, "https://tools.example.com"), Proxies([ip_network("10.0.0.0/8")])
    )
    issuer = Issuer(issuer=ISSUER, audiences=(AUDIENCE,), keys=published.get(keys) or DownKeys())
    chain = Chain([ApiKeys([], clock), Jwt([issuer], clock, possession=possession)])
    return Agents(chain.identify, {"report-bot": True, "old-bot": False}, Live(), only_registered=True)


def token(case: dict[str, Any]) -> str:
    if "raw" in case:
        return str(case["raw"])
    claims: dict[str, Any] = {
        "iss": ISSUER, "sub": "alice", "aud": AUDIENCE, "azp": "report-bot", "exp": 600, "iat": 0,
    }  # fmt: skip
    bound: dict[str, str] = {}
    if case.get("bound") in ("key", "both"):
        bound["jkt"] = jwk_thumbprint(HOLDER.jwk())
    if case.get("bound") in ("certificate", "both"):
        bound["x5t#S256"] = THUMBPRINT
    claims |= {"cnf": bound} if bound else {}
    claims = {
        name: value for name, value in {**claims, **case.get("claims", {})}.items() if value is not None
    }
    for name in ("exp", "iat", "nbf"):
        if isinstance(claims.get(name), int) and not isinstance(claims[name], bool):
            claims[name] += NOW
    claims["padding"] = {"oversized": "x" * 20_000}.get(claims.pop("padding", ""), "")
    if claims.get("act") == "endless":
        for _ in range(50):
            claims["act"] = {
                "sub": "a",
                "act": claims["act"] if isinstance(claims["act"], dict) else {"sub": "a"},
            }
    payload = {"nested": "[" * 10_000}.get(case.get("payload", ""), case.get("payload"))
    body = json.dumps(claims).encode() if payload is None else payload.encode()
    header = {"alg": "RS256", "typ": "at+jwt", "kid": "k1", **case.get("header", {})}
    header = {name: value for name, value in header.items() if value is not None}
    if header.get("jwk") == "stranger":
        header["jwk"] = STRANGER.jwk()
    if header.get("padding") == "large":
        header["padding"] = "x" * 4000
    return tampered(signed(header, body, case.get("signed", "issuer")), case.get("tamper"), header)


def signed(header: dict[str, Any], body: bytes, by: str) -> str:
    start = f"{b64(json.dumps(header).encode())}.{b64(body)}"
    if by == "nobody":
        return start + "."
    if by in ("issuer", "stranger"):
        return (ISSUED if by == "issuer" else STRANGER).forge(header, body)
    public = ISSUED.key.public_key()
    secret = {
        "public-der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "public-pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "public-jwk": json.dumps(ISSUED.jwk()).encode(),
        "kid": b"k1",
    }[by]
    digest = {"HS256": "sha256", "HS512": "sha512"}[header["alg"]]
    return f"{start}.{b64(hmac.new(secret, start.encode(), digest).digest())}"


def tampered(text: str, how: str | None, header: dict[str, Any]) -> str:
    head, body, signature = text.split(".")
    if how == "header":  # Signed under the true algorithm, and the header changed then.
        true = {**header, "alg": "RS256"}
        *_, signature = ISSUED.forge(true, b"{}").split(".")
        return f"{b64(json.dumps(header).encode())}.{body}.{signature}"
    other = ISSUED.forge({"alg": "RS256", "typ": "at+jwt", "kid": "k1"}, b'{"sub":"x"}')
    return {
        None: text,
        "unsign": f"{head}.{body}.",
        "cut": text[:-40],
        "flip": text[:-2] + ("A" if text[-2] != "A" else "B") + text[-1],
        "payload": f"{head}.{b64(json.dumps({**claims_of(body), 'sub': 'admin'}).encode())}.{signature}",
        "transplant": f"{head}.{body}.{other.split('.')[2]}",
        "five-parts": f"{head}.{body}.{signature}.{body}.{signature}",
        "two-parts": f"{head}.{body}",
        "pad": f"{head}.{body}==.{signature}",
    }[how]


def claims_of(body: str) -> dict[str, Any]:
    try:
        claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def jwk_thumbprint(jwk: dict[str, Any]) -> str:
    """RFC 7638."""
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    return b64(hashlib.sha256(json.dumps(members, separators=(",", ":"), sort_keys=True).encode()).digest())


def proof(case: dict[str, Any], text: str) -> str | None:
    spec = case.get("proof", {})
    if spec is None or case.get("bound") not in ("key", "both"):
        return None
    claims: dict[str, Any] = {
        "htm": "POST", "htu": "https://tools.example.com/mcp?x=1", "iat": 0, "jti": str(uuid.uuid4()),
        "ath": b64(hashlib.sha256(text.encode()).digest()),
    }  # fmt: skip
    claims = {
        name: value for name, value in {**claims, **spec.get("claims", {})}.items() if value is not None
    }
    if "iat" in claims:
        claims["iat"] += NOW
    if claims.get("padding") == "large":
        claims["padding"] = "x" * 5000
    signer = THIEF if spec.get("signed") == "stranger" else HOLDER
    public = signer.jwk()
    header: dict[str, Any] = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public, **spec.get("header", {})}
    header["jwk"] = {"own": HOLDER.jwk(), "private": {**public, "d": "AAAA"}, None: None}.get(
        header["jwk"] if not isinstance(header["jwk"], dict) else "", header["jwk"]
    )
    header = {name: value for name, value in header.items() if value is not None}
    made = pyjwt.PyJWS().encode(
        json.dumps(claims).encode(),
        signer.key,
        "ES256",
        headers={k: v for k, v in header.items() if k != "alg"},
    )
    if spec.get("tamper") == "header":
        _, body, signature = made.split(".")
        return f"{b64(json.dumps(header).encode())}.{body}.{signature}"
    return made


def request(case: dict[str, Any]) -> Call:
    text = token(case)
    bound = case.get("bound") in ("key", "both")
    made = call(case.get("sent", "DPoP {token}" if bound else "Bearer {token}").replace("{token}", text))
    certificate = {"own": OWN, "other": OTHER, "none": None}[
        case.get("certificate", "own" if case.get("bound") in ("certificate", "both") else "none")
    ]
    forwarded = f"Hash={hashlib.sha256(OWN).hexdigest()}" if case.get("forwarded") else None
    made.shown = Shown(
        method="POST",
        origin="https://tools.example.com",
        path="/mcp",
        dpop=proof(case, text),
        certificate=certificate,
        forwarded_certificate=forwarded,
    )
    return made


def test_there_are_enough_of_them_and_no_two_are_the_same() -> None:
    assert len({case["name"] for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("bound", [None, "key", "certificate", "both"])
async def test_the_request_that_every_attack_changes_is_accepted(bound: str | None) -> None:
    case = {} if bound is None else {"bound": bound}
    principal = await gateway("own").identify(request(case))
    assert (principal.user, principal.agent, principal.bound) == ("alice", "report-bot", bound is not None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
async def test_an_attack_is_refused_for_its_own_reason(case: dict[str, Any]) -> None:
    attacked, made = gateway(case.get("keys", "own")), request(case)
    if (case.get("proof") or {}).get("twice"):
        await attacked.identify(made)
    refusals = []
    for _ in range(2):  # A refusal leaves nothing behind that a second try could use.
        with pytest.raises(Refusal) as caught:
            await attacked.identify(made)
        refusals.append(caught.value)
    assert case["refused"] in refusals[0].reason
    for refusal in refusals:
        assert refusal.status in (401, 403, 503)
        # The caller learns nothing that tells attacks apart.
        assert refusal.text in (
            "Authentication required.",
            "This agent is not admitted.",
            "Callers cannot be identified at the moment.",
        )
