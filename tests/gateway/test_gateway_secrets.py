"""Secrets by reference: rotated while the gateway runs, and found in nothing that it says or writes.

ID-15, ID-16.
"""

import base64
import hashlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_provider import Configured, FakeProvider, serve_guarded
from gateway_support import KEYS

sys.path.insert(0, str(Path(__file__).parents[1] / "config"))
from fake_vault import ROOT, FakeVault

CONFIG = """
listen: 127.0.0.1:{port}
admin: null
log: {level: debug}
secrets: {vault: {address: "<vault>", token: "${env:PLANTED_VAULT}"}, refresh: 1s}
sessions: {keys: ["${file:seal.key}"]}
servers:
  mounted: {url: "<server>", auth: {type: bearer, token: "${file:mounted/token}"}}
  vault: {url: "<server>", auth: {type: header, name: X-Key, value: "${vault:bank/api#token}"}}
  systemd: {url: "<server>", headers: {X-Key: "${systemd:crm}"}}
  down: {url: "http://127.0.0.1:1/mcp", auth: {type: basic, username: u, password: "${env:PLANTED_ENV}"}}
  own:
    url: "<server>"
    auth:
      type: client_credentials
      token_url: <issuer>/token
      client: {id: a, private_key: "${file:client.pem}"}
  child: {command: "false", args: [], env: {SECRET: "${env:PLANTED_ENV}"}}
identity:
  issuers: [{issuer: <issuer>, audience: us, jwks: jwks.json}]
  api_keys: [{id: teller, hash: "<hash>", agent: teller}]
policies: [policy.yaml]
"""
POLICY = "version: 1\nrules:\n  - {id: all, tools: ['*/*'], effect: allow}\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("secrets")
    vault, provider = FakeVault(), FakeProvider()
    server, shown = serve_guarded(lambda headers: True)
    mount(folder / "mounted", "planted-mounted-1")
    (folder / "credentials").mkdir()
    (folder / "credentials/crm").write_text("planted-systemd")
    text = CONFIG.replace("<vault>", vault.address).replace("<issuer>", provider.issuer)
    text = text.replace("<server>", f"http://127.0.0.1:{server.server_address[1]}/mcp")
    text = text.replace("<hash>", "sha256:" + hashlib.sha256(KEYS["teller"].encode()).hexdigest())
    seal = hashlib.sha256(b"planted-seal").hexdigest()
    files = {"policy.yaml": POLICY, "client.pem": provider.client_pem(), "seal.key": seal}
    files["jwks.json"] = provider.jwks_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PLANTED_VAULT", ROOT)
        patch.setenv("PLANTED_ENV", "planted-env")
        patch.setenv("CREDENTIALS_DIRECTORY", str(folder / "credentials"))
        gateway = Configured(folder, text, files)
        yield SimpleNamespace(gateway=gateway, vault=vault, provider=provider, shown=shown, seal=seal)
    gateway.stop()
    server.shutdown()
    server.server_close()
    provider.close()
    vault.close()


def mount(folder: Path, secret: str) -> None:
    """As Kubernetes mounts secrets: a new folder of files, then one symbolic link changes over to it."""
    folder.mkdir(exist_ok=True)
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    (version / "token").write_text(secret)
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").rename(folder / "..data")
    if not (folder / "token").is_symlink():
        (folder / "token").symlink_to("..data/token")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def test_each_place_gives_its_secret(world: Any) -> None:
    for server, header, secret in (
        ("mounted", "authorization", "Bearer planted-mounted-1"),
        ("vault", "x-key", "planted-bank-token"),
        ("systemd", "x-key", "planted-systemd"),
    ):
        assert world.gateway.call(server, "teller")[0] == 200
        assert world.shown[-1][header] == secret


def test_a_mounted_secret_is_rotated_without_a_restart_or_a_lost_call(world: Any) -> None:
    def shows(secret: str) -> bool:
        assert world.gateway.call("mounted", "teller")[0] == 200
        return bool(world.shown[-1]["authorization"] == f"Bearer {secret}")

    mount(world.gateway.folder / "mounted", "planted-mounted-2")
    until(lambda: shows("planted-mounted-2"))


def test_a_vaults_secret_is_rotated_and_outlives_an_outage_of_the_vault(world: Any) -> None:
    def shows(secret: str) -> bool:
        assert world.gateway.call("vault", "teller")[0] == 200
        return bool(world.shown[-1]["x-key"] == secret)

    world.vault.data["bank/api"]["token"] = "planted-bank-token-2"
    until(lambda: shows("planted-bank-token-2"))
    world.vault.sealed = True
    asked = len(world.vault.asked)
    until(lambda: len(world.vault.asked) > asked + 1)
    assert shows("planted-bank-token-2")
    world.vault.sealed = False


def test_nothing_says_a_secret(world: Any) -> None:
    """Log at its most talkative, ledger, answers, error pages, `check`, `explain` and the process list."""
    gateway, config = world.gateway, world.gateway.config
    token = world.provider.token(sub="u", aud="us", azp="agent")
    expired = world.provider.token(sub="u", aud="us", exp=1)
    said = []
    for server in ("down", "child", "own", "vault", "nowhere"):
        said += [gateway.call(server, credential) for credential in ("teller", token, expired, token + "x")]
    world.provider.broken = True
    said.append(gateway.call("own", world.provider.token(sub="v", aud="us", azp="agent")))
    session = gateway.initialize(path="/servers/mounted/mcp")
    said.append(gateway.legacy("tools/list", path="/servers/mounted/mcp", session=session + "x"))
    good = config.read_text()
    config.write_text(good.replace("type: bearer", "type: barer").replace("audience: us", "audiences: us"))
    until(lambda: b'"refused"' in gateway.send("GET", "/readyz")[2])
    said.append(gateway.send("GET", "/readyz")[2].decode())
    outputs = [run(config, "check")]
    config.write_text(good)
    until(lambda: b'"in force"' in gateway.send("GET", "/readyz")[2])
    (gateway.folder / "who.json").write_text('{"agent": "a"}')
    (gateway.folder / "call.json").write_text('{"tool": "vault/read_account"}')
    explained = (
        "explain",
        "--as",
        str(gateway.folder / "who.json"),
        "--call",
        str(gateway.folder / "call.json"),
    )
    outputs += [run(config, "check"), run(config, *explained)]
    ledger = "".join(file.read_text() for file in (gateway.folder / "ledger").glob("*.jsonl"))
    log = (gateway.folder / "stderr").read_text()
    arguments = Path(f"/proc/{gateway.process.pid}/cmdline").read_bytes().decode()
    everything = json.dumps(said) + "".join(outputs) + ledger + log + arguments
    assert "barer" not in log
    assert "vault/read_account" in outputs[-1]
    basic = base64.b64encode(b"u:planted-env").decode()
    pem = world.provider.client_pem().splitlines()[1]
    signatures = [text.rpartition(".")[2] for text in (token, expired)]
    for secret in ("planted", basic, pem, world.seal, session, KEYS["teller"], *signatures):
        assert secret not in everything, f"{secret[:8]}…"


def test_a_crash_leaves_no_core_dump(world: Any) -> None:
    limits = Path(f"/proc/{world.gateway.process.pid}/limits").read_text()
    assert next(line for line in limits.splitlines() if line.startswith("Max core")).split()[4] == "0"


def run(config: Path, command: str, *arguments: str) -> str:
    line = [sys.executable, "-m", "toolgate", command, "-c", str(config), *arguments]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr
