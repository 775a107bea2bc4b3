"""What servers are shown: one gateway in front of a server for each kind of `auth`, each checking its own.

ID-10, ID-11, ID-15, ID-17; the specification forbids passing a token on (authorization, 2026-07-28).
"""

import base64
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import jwt as pyjwt
import pytest
from fake_provider import BEARER_JWT, EXCHANGE, SECRET, Configured, FakeProvider, serve_guarded
from gateway_support import KEYS, Bank, records

OURS = "https://tools.example.com/mcp"
PLANTED = "planted-static-secret"

CONFIG = """
listen: 127.0.0.1:{port}
admin: null
servers:
  open: {url: "<open>"}
  bearer: {url: "<bearer>", auth: {type: bearer, token: "${env:UPSTREAM_TOKEN}"}}
  header: {url: "<header>", auth: {type: header, name: X-Bank-Key, value: "${file:bank.key}"}}
  basic: {url: "<basic>", auth: {type: basic, username: gate, password: "${file:bank.key}"}}
  forward: {url: "<forward>", auth: {type: forward, audience: "urn:bank"}}
  own:
    url: "<own>"
    auth:
      type: client_credentials
      token_url: <issuer>/token
      client: {id: toolgate, private_key: "${file:client.pem}", key_id: c1}
      resource: http://own.example/mcp
      scopes: [mcp, read]
  exchange:
    url: "<exchange>"
    auth:
      type: token_exchange
      token_url: <issuer>/token
      client: {id: "tool:gate", secret: "${file:client.secret}"}
      resource: http://exchange.example/mcp
  entra:
    url: "<entra>"
    auth:
      type: on_behalf_of
      token_url: <issuer>/token
      client: {id: toolgate, secret: "${file:client.secret}", auth_method: client_secret_post}
      audience: urn:entra
identity:
  issuers:
    - issuer: <issuer>
      audience: ["https://tools.example.com/mcp", "urn:bank"]
      jwks: jwks.json
  api_keys:
    - {id: teller, hash: "<hash>", agent: teller}
policies: [policy.yaml]
"""
POLICY = "version: 1\nrules:\n  - {id: all, tools: ['*/read_account'], effect: allow}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    provider = FakeProvider()

    revoked: set[str] = set()

    def for_us(audience: str) -> Any:
        def accepts(headers: dict[str, str]) -> bool:
            if headers.get("authorization") in revoked:
                return False
            try:
                claims = provider.read(headers.get("authorization", "").removeprefix("Bearer "))
            except pyjwt.PyJWTError:
                return False
            return audience in (claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]])

        return accepts

    basic = "Basic " + base64.b64encode(f"gate:{PLANTED}".encode()).decode()
    checks = {
        "open": lambda headers: True,
        "bearer": lambda headers: headers.get("authorization") == f"Bearer {PLANTED}",
        "header": lambda headers: headers.get("x-bank-key") == PLANTED,
        "basic": lambda headers: headers.get("authorization") == basic,
        "forward": for_us("urn:bank"),
        "own": for_us("http://own.example/mcp"),
        "exchange": for_us("http://exchange.example/mcp"),
        "entra": for_us("urn:entra"),
    }
    served = {name: serve_guarded(check) for name, check in checks.items()}
    text = CONFIG.replace("<issuer>", provider.issuer)
    text = text.replace("<hash>", "sha256:" + hashlib.sha256(KEYS["teller"].encode()).hexdigest())
    for name, (server, _) in served.items():
        text = text.replace(f"<{name}>", f"http://127.0.0.1:{server.server_address[1]}/mcp")
    files = {
        "bank.key": PLANTED + "\n",
        "client.secret": SECRET,
        "client.pem": provider.client_pem(),
        "policy.yaml": POLICY,
        "jwks.json": provider.jwks_text(),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPSTREAM_TOKEN", PLANTED)
        gateway = Configured(tmp_path_factory.mktemp("out"), text, files)
    shown = {name: seen for name, (_, seen) in served.items()}
    yield SimpleNamespace(gateway=gateway, provider=provider, shown=shown, revoked=revoked)
    gateway.stop()
    for server, _ in served.values():
        server.shutdown()
        server.server_close()
    provider.close()


def token(world: Any, user: str = "alice", **claims: Any) -> str:
    return world.provider.token(**{"sub": user, "azp": "bot", "aud": [OURS, "urn:bank"], **claims})


@pytest.mark.parametrize("server", ["open", "bearer", "header", "basic", "own", "exchange", "entra"])
def test_the_server_gets_the_credential_it_wants_and_never_the_callers(world: Any, server: str) -> None:
    theirs = token(world)
    status, answer = world.gateway.call(server, theirs)
    assert (status, answer["result"]["content"][0]["text"]) == (200, "read_account")
    assert theirs not in json.dumps(world.shown[server])


def test_the_callers_api_key_stays_here_too(world: Any) -> None:
    assert world.gateway.call("bearer", "teller")[0] == 200
    assert KEYS["teller"] not in json.dumps(world.shown["bearer"])


def test_a_token_issued_for_both_is_forwarded_and_no_other(world: Any) -> None:
    theirs = token(world)
    assert world.gateway.call("forward", theirs)[0] == 200
    assert world.shown["forward"][-1]["authorization"] == f"Bearer {theirs}"
    seen = len(world.shown["forward"])
    for credential in (token(world, aud=OURS), "teller"):
        _, answer = world.gateway.call("forward", credential)
        assert answer["result"]["isError"] is True
        assert "urn:bank" not in json.dumps(answer)
    assert len(world.shown["forward"]) == seen
    assert "urn:bank" in records(world.gateway.folder)[-1]["detail"]


def test_an_exchanged_token_names_the_user_and_the_gateway_as_actor(world: Any) -> None:
    """ID-17, RFC 8693 section 4.1."""
    world.gateway.call("exchange", token(world, "bob"))
    claims = world.provider.read(world.shown["exchange"][-1]["authorization"].removeprefix("Bearer "))
    assert (claims["sub"], claims["act"], claims["aud"]) == (
        "bob",
        {"sub": "tool:gate"},
        "http://exchange.example/mcp",
    )


def test_a_token_is_got_once_for_many_calls_that_wait(world: Any) -> None:
    theirs = token(world, "crowd")
    before = len(world.provider.forms)
    with ThreadPoolExecutor(16) as crowd:
        results = list(crowd.map(lambda _: world.gateway.call("exchange", theirs)[0], range(64)))
    assert set(results) == {200}
    exchanges = [f for f in world.provider.forms[before:] if f["grant_type"] == EXCHANGE]
    assert len(exchanges) == 1


def test_no_user_acts_with_anothers_token(world: Any) -> None:
    """Many users at once, and the same connection for one after the other."""
    users = [f"user-{number}" for number in range(12)]
    tokens = {user: token(world, user) for user in users}
    work = users * 5
    with ThreadPoolExecutor(12) as crowd:
        results = list(
            crowd.map(lambda user: world.gateway.call("exchange", tokens[user], user=user)[0], work)
        )
    assert set(results) == {200}
    seen = [one for one in Bank.seen if one["message"].get("params", {}).get("arguments", {}).get("user")]
    assert len(seen) == len(work)
    for one in seen:
        shown = one["headers"]["authorization"].removeprefix("Bearer ")
        assert world.provider.read(shown)["sub"] == one["message"]["params"]["arguments"]["user"]


def test_entras_dialect_shows_the_token_as_assertion(world: Any) -> None:
    theirs = token(world, "carol")
    world.gateway.call("entra", theirs)
    form = [form for form in world.provider.forms if form["grant_type"] == BEARER_JWT][-1]
    assert (form["assertion"], form["requested_token_use"]) == (theirs, "on_behalf_of")


def test_a_caller_without_a_token_has_none_to_exchange(world: Any) -> None:
    _, answer = world.gateway.call("exchange", "teller")
    assert answer["result"]["isError"] is True


def test_a_user_the_authorization_server_refuses_gets_nothing_and_the_record_the_reason(world: Any) -> None:
    status, answer = world.gateway.call("exchange", token(world, "mallory"))
    assert (status, answer["error"]["data"]) == (502, {"reason": "upstream_auth"})
    assert records(world.gateway.folder)[-1]["detail"].endswith("answered 400 invalid_target")


def test_a_token_the_server_does_not_take_any_more_is_got_anew_once(world: Any) -> None:
    theirs = token(world, "dave")
    world.gateway.call("exchange", theirs)
    first = world.shown["exchange"][-1]["authorization"]
    world.revoked.add(first)
    assert world.gateway.call("exchange", theirs)[0] == 200
    second = world.shown["exchange"][-1]["authorization"]
    assert [shown["authorization"] for shown in world.shown["exchange"][-2:]] == [first, second]
    assert first != second


def test_no_secret_is_in_ledger_log_or_answer(world: Any) -> None:
    """ID-15."""
    theirs = token(world, "eve")
    world.provider.broken = True
    answers = [world.gateway.call(server, theirs) for server in ("own", "exchange", "entra")]
    world.provider.broken = False
    said = json.dumps(answers) + (world.gateway.folder / "stderr").read_text()
    ledger = "".join(file.read_text() for file in (world.gateway.folder / "ledger").glob("*.jsonl"))
    assert '"user":"eve"' in ledger
    for secret in (theirs, theirs.rpartition(".")[2], PLANTED, SECRET, KEYS["teller"]):
        assert secret not in said + ledger
