"""Scopes that servers demand: the challenge names them, and the same caller is served with a better token.

ID-02; MCP authorization 2026-07-28, step-up; RFC 6750 section 3.1, RFC 9728.
"""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fake_provider import Configured, FakeProvider
from gateway_support import records, serve_bank

CONFIG = """
listen: 127.0.0.1:{port}
admin: null
servers:
  bank: {url: "<server>", scopes: {"*": bank, "transfer_*": "bank:write"}}
identity:
  issuers: [{issuer: <issuer>, audience: us, jwks: jwks.json}]
policies: [policy.yaml]
"""
POLICY = "version: 1\nrules:\n  - {id: r, tools: ['bank/read_*', 'bank/transfer_*'], effect: allow}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    provider, bank = FakeProvider(), serve_bank()
    text = CONFIG.replace("<issuer>", provider.issuer)
    text = text.replace("<server>", f"http://127.0.0.1:{bank.server_address[1]}/mcp")
    gateway = Configured(
        tmp_path_factory.mktemp("step"), text, {"policy.yaml": POLICY, "jwks.json": provider.jwks_text()}
    )
    yield SimpleNamespace(gateway=gateway, provider=provider)
    gateway.stop()
    bank.shutdown()
    bank.server_close()
    provider.close()


def token(world: Any, scope: str) -> str:
    return str(world.provider.token(sub="u", aud="us", azp="bot", scope=scope))


def transfer(world: Any, scope: str, *, legacy: bool = False, tool: str = "transfer_funds") -> Any:
    params, key = {"name": tool, "arguments": {}}, token(world, scope)
    if legacy:
        session = world.gateway.initialize(key=key)
        return world.gateway.legacy("tools/call", params, key=key, session=session)
    return world.gateway.modern("tools/call", params, key=key)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("scope", ["", "bank", "bank:write", "BANK bank:writer"])
def test_a_call_without_the_scopes_is_told_which(world: Any, scope: str, legacy: bool) -> None:
    status, headers, answer = transfer(world, scope, legacy=legacy)
    metadata = f"http://127.0.0.1:{world.gateway.port}/.well-known/oauth-protected-resource/servers/bank/mcp"
    assert status == 403
    assert headers["www-authenticate"] == (
        f'Bearer error="insufficient_scope", scope="bank bank:write", resource_metadata="{metadata}"'
    )
    assert answer["error"]["data"] == {"reason": "insufficient_scope", "scopes": ["bank", "bank:write"]}
    record = records(world.gateway.folder)[-1]
    assert (record["decision"], record["rule"]) == ("deny", "servers.bank.scopes")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_call_with_them_is_served(world: Any, legacy: bool) -> None:
    assert transfer(world, "bank:write other bank", legacy=legacy)[0] == 200


def test_a_tool_the_policy_hides_is_not_betrayed_by_a_challenge(world: Any) -> None:
    status, headers, _ = transfer(world, "", tool="close_account")
    assert (status, "www-authenticate" in headers) == (400, False)


def test_a_list_shows_what_may_be_asked_for(world: Any) -> None:
    listed = world.gateway.modern("tools/list", key=token(world, ""))[2]["result"]["tools"]
    assert [tool["name"] for tool in listed] == ["read_account", "transfer_funds"]


def test_the_metadata_names_the_scopes_and_the_challenge_of_a_bad_token_says_so(world: Any) -> None:
    """E76."""
    page = json.loads(world.gateway.send("GET", "/.well-known/oauth-protected-resource/mcp")[2])
    assert page["scopes_supported"] == ["bank", "bank:write"]
    assert page["authorization_servers"] == [world.provider.issuer]
    assert "tls_client_certificate_bound_access_tokens" not in page
    for key, error in ((None, None), (token(world, "") + "x", 'error="invalid_token"')):
        status, headers, _ = world.gateway.modern("tools/list", key=key)
        assert status == 401
        assert ("error" in headers["www-authenticate"]) is (error is not None)
        assert (error or "Bearer") in headers["www-authenticate"]
