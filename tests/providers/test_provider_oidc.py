"""Against a product: a certified OpenID provider (npm `oidc-provider`). Run with `make providers`.

Discovery, JWT and opaque access tokens, introspection and revocation, DPoP, and the gateway as its client.
"""

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jwt.algorithms import ECAlgorithm

if not os.environ.get("TOOLGATE_PROVIDERS"):
    pytest.skip("needs Node and npm: `make providers`", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parents[1] / "gateway"))
from fake_provider import Configured, serve_guarded
from gateway_support import JSON, META, MODERN, records

from conformance import toolbox

PIN = "oidc-provider@9.13.3"
AUDIENCES = ("https://tools.example.com/jwt", "https://tools.example.com/opaque")
UPSTREAM = "https://bank.example.com/jwt"
CONFIG = """
listen: 127.0.0.1:{port}
admin: null
servers:
  open: {url: "<open>"}
  secret:
    url: "<guarded>"
    auth:
      type: client_credentials
      token_url: <issuer>/token
      client: {id: gateway, secret: gateway-secret}
      resource: https://bank.example.com/jwt
      scopes: mcp
  signed:
    url: "<guarded>"
    auth:
      type: client_credentials
      token_url: <issuer>/token
      client: {id: signer, private_key: "${file:signer.pem}", key_id: s1}
      resource: https://bank.example.com/jwt
      scopes: mcp
identity:
  issuers:
    - issuer: <issuer>
      audience: ["https://tools.example.com/jwt", "https://tools.example.com/opaque"]
      introspection:
        url: <issuer>/token/introspection
        client: {id: gateway, secret: gateway-secret}
policies: [policy.yaml]
"""
POLICY = "version: 1\nrules:\n  - {id: agents, subjects: {scopes: [mcp]}, tools: ['*/*'], effect: allow}\n"
SIGNER, HOLDER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("oidc")
    modules = toolbox.npm("oidc-provider", PIN)
    script = folder / "provider.mjs"
    script.write_text((Path(__file__).parent / "provider.mjs").read_text())
    (folder / "node_modules").symlink_to(modules)
    keys = {"keys": [{**public(SIGNER), "kid": "s1", "use": "sig", "alg": "ES256"}]}
    command = [str(toolbox.node() / "node"), str(script), json.dumps(keys)]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, env=toolbox.with_node()
    )
    assert process.stdout is not None
    issuer = process.stdout.readline().strip()
    gateway = servers = None
    try:
        assert issuer.startswith("http://127.0.0.1:"), issuer
        jwks = pyjwt.PyJWKClient(issuer + "/jwks")

        def accepts(headers: dict[str, str]) -> bool:
            token = headers.get("authorization", "").removeprefix("Bearer ")
            try:
                key = jwks.get_signing_key_from_jwt(token)
                pyjwt.decode(token, key, ["ES256"], audience=UPSTREAM, issuer=issuer)
            except pyjwt.PyJWTError:
                return False
            return True

        servers = {"open": serve_guarded(lambda headers: True), "guarded": serve_guarded(accepts)}
        text = CONFIG.replace("<issuer>", issuer)
        for name, (server, _) in servers.items():
            text = text.replace(f"<{name}>", f"http://127.0.0.1:{server.server_address[1]}/mcp")
        pem = SIGNER.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        gateway = Configured(folder, text, {"policy.yaml": POLICY, "signer.pem": pem})
        yield SimpleNamespace(gateway=gateway, issuer=issuer, shown=servers["guarded"][1])
    finally:
        if gateway is not None:
            gateway.stop()
        for server, _ in (servers or {}).values():
            server.shutdown()
            server.server_close()
        process.terminate()
        process.wait(20)
        process.stdout.close()


def public(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: jwk[name] for name in ("crv", "kty", "x", "y")}


def post(url: str, form: dict[str, str], client: str, **headers: str) -> dict[str, Any]:
    basic = base64.b64encode(f"{client}:{client}-secret".encode()).decode()
    request = Request(url, urlencode(form).encode(), {"Authorization": f"Basic {basic}", **headers})
    try:
        with urlopen(request, timeout=20) as answer:
            text = answer.read()
    except HTTPError as error:
        with error:
            raise AssertionError(error.read()) from None
    return json.loads(text) if text else {}


def token(world: Any, audience: str, client: str = "agent", **headers: str) -> str:
    form = {"grant_type": "client_credentials", "resource": audience, "scope": "mcp"}
    return str(post(world.issuer + "/token", form, client, **headers)["access_token"])


def proof(url: str, token: str | None = None) -> str:
    claims: dict[str, Any] = {"htm": "POST", "htu": url, "iat": int(time.time()), "jti": str(uuid.uuid4())}
    if token is not None:
        digest = hashlib.sha256(token.encode()).digest()
        claims["ath"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return pyjwt.encode(claims, HOLDER, "ES256", headers={"typ": "dpop+jwt", "jwk": public(HOLDER)})


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.1)


def test_its_access_tokens_are_verified_with_keys_found_by_discovery(world: Any) -> None:
    assert world.gateway.call("open", token(world, AUDIENCES[0]))[0] == 200
    record = records(world.gateway.folder)[-1]
    assert (record["auth"], record["agent"]) == ("jwt", "agent")
    assert world.gateway.call("open", token(world, UPSTREAM))[0] == 401


def test_its_opaque_tokens_are_asked_about_and_a_revoked_one_ends(world: Any) -> None:
    opaque = token(world, AUDIENCES[1])
    assert "." not in opaque
    assert world.gateway.call("open", opaque)[0] == 200
    assert records(world.gateway.folder)[-1]["agent"] == "agent"
    post(world.issuer + "/token/revocation", {"token": opaque}, "agent")
    until(lambda: world.gateway.call("open", opaque)[0] == 401)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_its_bound_tokens_open_with_a_proof_only(world: Any, audience: str) -> None:
    endpoint = f"http://127.0.0.1:{world.gateway.port}/servers/open/mcp"
    bound = token(world, audience, "holder", DPoP=proof(world.issuer + "/token"))

    def call(scheme: str, shown: str | None) -> int:
        params = {"name": "read_account", "arguments": {}, "_meta": META}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        headers = {
            **JSON,
            "MCP-Protocol-Version": MODERN,
            "Mcp-Method": "tools/call",
            "Mcp-Name": "read_account",
        }
        headers |= {"Authorization": f"{scheme} {bound}", **({} if shown is None else {"DPoP": shown})}
        return int(world.gateway.send("POST", "/servers/open/mcp", body, headers)[0])

    once = proof(endpoint, bound)
    assert [call("DPoP", once), call("DPoP", once), call("DPoP", None), call("Bearer", None)] == [
        200,
        401,
        401,
        401,
    ]


@pytest.mark.parametrize("server", ["secret", "signed"])
def test_the_gateway_is_its_client_by_secret_and_by_assertion(world: Any, server: str) -> None:
    assert world.gateway.call(server, token(world, AUDIENCES[0]))[0] == 200
    shown = world.shown[-1]["authorization"].removeprefix("Bearer ")
    claims = pyjwt.decode(shown, options={"verify_signature": False})
    assert claims["client_id"] == {"secret": "gateway", "signed": "signer"}[server]
