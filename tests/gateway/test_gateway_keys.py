"""`toolgate key` and `toolgate whoami`, typed as their users type them, beside a running gateway.

ID-04, ID-16.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fake_provider import Configured, FakeProvider
from gateway_support import records, serve_bank

CONFIG = """
listen: 127.0.0.1:{port}
admin: null
servers: {bank: {url: "<server>"}}
identity:
  key_file: keys.yaml
  issuers: [{issuer: <issuer>, audience: us, jwks: jwks.json, algorithms: [ES256]}]
policies: [policy.yaml]
"""
POLICY = (
    "version: 1\nrules:\n  - {id: r, subjects: {roles: [reporting]}, tools: ['bank/read_*'], effect: allow}\n"
)


def toolgate(*arguments: str, code: int = 0, stdin: str = "") -> str:
    line = [sys.executable, "-m", "toolgate", *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False, input=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def key_in(said: str) -> str:
    (key,) = [word for word in said.split() if word.startswith("tg_")]
    return key


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("keys")
    file = str(folder / "keys.yaml")
    toolgate("key", "new", "first", "--file", file, "--role", "reporting")
    provider, bank = FakeProvider(), serve_bank()
    text = CONFIG.replace("<issuer>", provider.issuer)
    text = text.replace("<server>", f"http://127.0.0.1:{bank.server_address[1]}/mcp")
    gateway = Configured(folder, text, {"policy.yaml": POLICY, "jwks.json": provider.jwks_text()})
    yield SimpleNamespace(gateway=gateway, provider=provider, file=file, config=str(gateway.config))
    gateway.stop()
    bank.shutdown()
    bank.server_close()
    provider.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def test_a_key_is_made_replaced_and_revoked_while_the_gateway_runs(world: Any) -> None:
    def answers(key: str) -> int:
        return int(world.gateway.call("bank", key)[0])

    said = toolgate(
        "key", "new", "nightly", "--file", world.file, "--role", "reporting", "--expires", "2160h"
    )
    old = key_in(said)
    assert old not in (world.gateway.folder / "keys.yaml").read_text()
    until(lambda: answers(old) == 200)
    new = key_in(toolgate("key", "rotate", "nightly", "--file", world.file, "--overlap", "1h"))
    until(lambda: answers(new) == 200)
    assert answers(old) == 200
    assert {record["principal"] for record in records(world.gateway.folder) if record.get("principal")} == {
        "api_key:nightly"
    }
    assert "nightly" in (listed := toolgate("key", "list", "--file", world.file))
    assert "1 former still accepted" in listed
    again = key_in(toolgate("key", "rotate", "nightly", "--file", world.file, "--overlap", "0s"))
    until(lambda: answers(again) == 200)
    assert (answers(old), answers(new)) == (200, 401)
    assert toolgate("key", "revoke", "nightly", "--file", world.file) == "nightly is revoked.\n"
    until(lambda: {answers(old), answers(again)} == {401})


def test_what_cannot_be_done_to_a_key_is_said_with_its_file(world: Any) -> None:
    before = (world.gateway.folder / "keys.yaml").read_text()
    for line, text in (
        (("revoke", "nobody"), "there is no key 'nobody'. See 'toolgate key list'."),
        (("rotate", "nobody"), "there is no key 'nobody'."),
        (("new", "first"), "the same id as keys[0]."),
        (("new", "second", "--expires", "soon"), "expected a duration such as"),
    ):
        said = toolgate("key", *line, "--file", world.file, code=2)
        assert text in said
    assert (world.gateway.folder / "keys.yaml").read_text() == before
    assert "keys.yaml" in toolgate("key", "list", "--file", world.file + "x", code=2)
    mode = (world.gateway.folder / "keys.yaml").stat().st_mode & 0o777
    assert mode == 0o600


def test_without_a_file_a_key_is_only_printed() -> None:
    said = toolgate("key", "new", "nightly", "--scope", "read")
    entry = json.loads(said.splitlines()[1].partition(": ")[2])
    assert (entry["id"], entry["scopes"]) == ("nightly", ["read"])


def test_whoami_says_who_a_token_stands_for(world: Any, tmp_path: Any) -> None:
    token = world.provider.token(sub="alice", aud="us", azp="bot", roles=["reporting"], act={"sub": "front"})
    (tmp_path / "token").write_text(token + "\n")
    said = toolgate("whoami", "-c", world.config, "--token", f"@{tmp_path / 'token'}")
    assert said.startswith("accepted\n")
    for line in (
        "known by   jwt",
        "user       alice",
        "agent      bot",
        "roles      reporting",
        "actors     front",
    ):
        assert f"  {line}\n" in said
    seen = json.loads(toolgate("whoami", "-c", world.config, "--token", "-", "--json", stdin=token))
    assert (seen["accepted"], seen["principal"]["user"]) == (True, "alice")
    key = key_in(toolgate("key", "new", "who", "--file", world.file, "--role", "reporting"))
    assert "known by   api_key" in toolgate("whoami", "-c", world.config, "--token", key)


@pytest.mark.parametrize(
    ("claims", "reason", "hint"),
    [
        ({"aud": "them"}, "aud", "accepted audiences: us"),
        (
            {"iss": "https://evil.example"},
            "a token of an issuer that is not accepted",
            "accepted issuers: http",
        ),
        ({"exp": 1000}, "expired", "it ended"),
        ({"cnf": {"jkt": "x"}}, "bound to a key", "it is bound: only a request with the proof"),
    ],
)
def test_whoami_says_why_a_token_would_be_refused(
    world: Any, claims: dict[str, Any], reason: str, hint: str
) -> None:
    token = world.provider.token(**{"sub": "alice", "aud": "us", "azp": "bot", **claims})
    said = toolgate("whoami", "-c", world.config, "--token", token, code=1)
    assert reason in said.splitlines()[0]
    assert hint in said
    assert token.rpartition(".")[2] not in said
    assert token not in said


@pytest.mark.parametrize("token", ["", "abc", "tg_unknown", "a.b.c", "ü"])
def test_whoami_refuses_what_is_no_token(world: Any, token: str) -> None:
    assert toolgate("whoami", "-c", world.config, "--token", token, code=1).startswith("refused: ")
