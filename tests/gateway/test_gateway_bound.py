"""Who sends, beyond the token: client certificates, tokens bound to them or to a key, SVIDs, a proxy in front.

ID-05, ID-18; RFC 8705, RFC 9449, SPIFFE.
"""

import base64
import hashlib
import http.client
import json
import ssl
import time
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import jwt as pyjwt
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate
from fake_provider import Configured, FakeProvider
from gateway_support import JSON, META, MODERN, free_port, records, serve_bank
from jwt.algorithms import ECAlgorithm

CONFIG = """
listen: 127.0.0.1:{port}
admin: null
servers: {bank: {url: "<server>"}}
<tls>
identity:
  issuers: [{issuer: <issuer>, audience: us, jwks: jwks.json}]
  trust_domains: [{name: example.org, audience: us, bundle: jwks.json}]
  certificates:
    - {subject: "spiffe://example.org/agents/*", tenant: acme, roles: [agent]}
    - {subject: ops.example.org, agent: ops}
  proxies: {addresses: [<proxy>], forwarded_user: true}
policies: [policy.yaml]
"""
POLICY = """
version: 1
rules:
  - {id: agents, subjects: {roles: [agent]}, tools: ["bank/read_account"], effect: allow}
  - {id: ops, subjects: {agents: [ops, bot, "spiffe://example.org/batch"]}, tools: ["bank/*"], effect: allow}
  - {id: users, subjects: {users: [alice]}, tools: ["bank/*"], effect: allow}
"""
AUTHORITY, STRANGERS = trustme.CA(), trustme.CA()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One gateway behind TLS whose peers are strangers, one in the clear whose peers are proxies."""
    provider, bank = FakeProvider(), serve_bank()
    gateways = []
    for tls, proxy in (
        ("tls: {cert: cert.pem, key: key.pem, client_ca: ca.pem}", "10.0.0.0/8"),
        ("", "127.0.0.1"),
    ):
        folder = tmp_path_factory.mktemp("bound")
        own = AUTHORITY.issue_cert("127.0.0.1")
        own.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        own.private_key_pem.write_to_path(str(folder / "key.pem"))
        AUTHORITY.cert_pem.write_to_path(str(folder / "ca.pem"))
        text = CONFIG.replace("<issuer>", provider.issuer).replace("<tls>", tls).replace("<proxy>", proxy)
        text = text.replace("<server>", f"http://127.0.0.1:{bank.server_address[1]}/mcp")
        gateways.append(
            Tls(folder, text, {"policy.yaml": POLICY, "jwks.json": provider.jwks_text()})
            if tls
            else Configured(folder, text, {"policy.yaml": POLICY, "jwks.json": provider.jwks_text()})
        )
    yield SimpleNamespace(tls=gateways[0], plain=gateways[1], provider=provider)
    for gateway in gateways:
        gateway.stop()
    bank.shutdown()
    bank.server_close()
    provider.close()


class Tls(Configured):
    """A gateway that is spoken to over TLS, with a client certificate where `certificate` is set."""

    certificate: trustme.LeafCert | None = None

    def send(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        context = ssl.create_default_context()
        AUTHORITY.configure_trust(context)
        if self.certificate is not None:
            self.certificate.configure_cert(context)
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=context)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {key.lower(): value for key, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()


def call(gateway: Configured, headers: dict[str, str], certificate: trustme.LeafCert | None = None) -> int:
    params = {"name": "read_account", "arguments": {}, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    sent = {**JSON, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "read_account"}
    if isinstance(gateway, Tls):
        gateway.certificate = certificate
    try:
        return gateway.send("POST", "/servers/bank/mcp", body, {**sent, **headers})[0]
    finally:
        if isinstance(gateway, Tls):
            gateway.certificate = None


def last(gateway: Configured) -> dict[str, Any]:
    return records(gateway.folder)[-1]


def thumbprint(leaf: trustme.LeafCert) -> bytes:
    der = load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).public_bytes(Encoding.DER)
    return hashlib.sha256(der).digest()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def svid(name: str, authority: trustme.CA = AUTHORITY) -> trustme.LeafCert:
    return authority.issue_cert(name)


def test_a_certificate_says_who_calls(world: Any) -> None:
    assert call(world.tls, {}, svid("ops.example.org")) == 200
    record = last(world.tls)
    assert (record["auth"], record["agent"]) == ("certificate", "ops")


def test_a_certificate_that_stands_for_nobody_is_refused_and_a_strangers_gets_no_connection(
    world: Any,
) -> None:
    assert call(world.tls, {}, svid("nobody.example.org")) == 401
    assert last(world.tls)["detail"] == "the client's certificate stands for nobody here"
    with pytest.raises((ssl.SSLError, ConnectionError)):
        call(world.tls, {}, svid("ops.example.org", STRANGERS))
    assert call(world.tls, {}) == 401


def test_a_token_bound_to_a_certificate_is_worth_nothing_without_it(world: Any) -> None:
    leaf, other = svid("holder.example"), svid("other.example")
    token = world.provider.token(sub="u", aud="us", azp="bot", cnf={"x5t#S256": b64(thumbprint(leaf))})
    headers = {"Authorization": f"Bearer {token}"}
    assert call(world.tls, headers, leaf) == 200
    for certificate in (other, None):
        assert call(world.tls, headers, certificate) == 401
    assert call(world.tls, {**headers, "X-Forwarded-Client-Cert": f"Hash={thumbprint(leaf).hex()}"}) == 401


def test_a_proxy_that_is_believed_forwards_certificate_and_user_and_a_stranger_cannot(world: Any) -> None:
    leaf = svid("holder.example")
    token = world.provider.token(sub="u", aud="us", azp="bot", cnf={"x5t#S256": b64(thumbprint(leaf))})
    forwarded = f'Hash={"0" * 64};URI=spiffe://evil.example/x,By="a,b";Hash={thumbprint(leaf).hex()};Subject="CN=\\"x\\""'
    bound = {"Authorization": f"Bearer {token}", "X-Forwarded-Client-Cert": forwarded}
    agent = {"X-Forwarded-Client-Cert": f"Hash={'a' * 64};URI=spiffe://example.org/agents/reader"}
    user = {"X-Forwarded-User": "alice"}
    for headers, auth in ((bound, "jwt"), (agent, "certificate"), (user, "proxy")):
        assert call(world.plain, headers) == 200
        assert last(world.plain)["auth"] == auth
        assert call(world.tls, headers) == 401


@pytest.mark.parametrize(
    "value", ["", "Hash=xyz", 'Hash="abc', "URI=spiffe://example.org/agents/a", "Hash=00;Hash=11"]
)
def test_a_forwarded_certificate_that_cannot_be_read_is_none(world: Any, value: str) -> None:
    assert call(world.plain, {"X-Forwarded-Client-Cert": value}) == 401


def test_a_jwt_svid_is_the_agent_of_its_trust_domain(world: Any) -> None:
    untrusted = world.provider.token(sub="spiffe://example.org/batch", aud="us", iss="https://evil.example")
    headers = {"typ": "JWT", "kid": "p1"}
    claims = {"sub": "spiffe://example.org/batch", "aud": "us", "exp": int(time.time()) + 60}
    token = pyjwt.encode(claims, world.provider.key, "ES256", headers=headers)
    assert call(world.plain, {"Authorization": f"Bearer {token}"}) == 200
    assert last(world.plain)["agent"] == "spiffe://example.org/batch"
    elsewhere = pyjwt.encode(
        {**claims, "sub": "spiffe://example.org.evil/batch"}, world.provider.key, "ES256", headers=headers
    )
    for refused in (elsewhere, untrusted):
        assert call(world.plain, {"Authorization": f"Bearer {refused}"}) == 401


@pytest.mark.parametrize("name", ["access_token", "token", "api_key", "authorization"])
def test_a_token_in_the_query_is_no_credential(world: Any, name: str) -> None:
    """E77: not passed on (see test_gateway_auth_out.py), and never read from the address."""
    token = world.provider.token(sub="alice", aud="us", azp="bot")
    params = {"name": "read_account", "arguments": {}, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers = {**JSON, "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "read_account"}
    path = f"/servers/bank/mcp?{name}={token}"
    assert world.plain.send("POST", path, body, headers)[0] == 401
    assert world.plain.send("POST", path, body, {**headers, "Authorization": f"Bearer {token}"})[0] == 200
    assert token not in (world.plain.folder / "stderr").read_text()


def test_a_proof_opens_one_call(world: Any) -> None:
    """The same proof again, or for another path, opens none."""
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = {
        name: ECAlgorithm.to_jwk(key.public_key(), as_dict=True)[name] for name in ("crv", "kty", "x", "y")
    }
    jkt = b64(hashlib.sha256(json.dumps(jwk, separators=(",", ":"), sort_keys=True).encode()).digest())
    token = world.provider.token(sub="u", aud="us", azp="bot", cnf={"jkt": jkt})

    def headers(**claims: Any) -> dict[str, str]:
        made = {
            "htm": "POST",
            "htu": f"http://127.0.0.1:{world.plain.port}/servers/bank/mcp",
            "iat": int(time.time()),
            "jti": str(uuid.uuid4()),
            "ath": b64(hashlib.sha256(token.encode()).digest()),
            **claims,
        }
        proof = pyjwt.encode(made, key, "ES256", headers={"typ": "dpop+jwt", "jwk": jwk})
        return {"Authorization": f"DPoP {token}", "DPoP": proof}

    first = headers()
    assert [call(world.plain, first), call(world.plain, first), call(world.plain, headers())] == [
        200,
        401,
        200,
    ]
    assert "used before" in next(
        r["detail"] for r in reversed(records(world.plain.folder)) if r.get("detail")
    )
    assert call(world.plain, headers(htu=f"http://127.0.0.1:{free_port()}/servers/bank/mcp")) == 401
    assert call(world.plain, {"Authorization": f"Bearer {token}"}) == 401
