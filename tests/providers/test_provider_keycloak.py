"""Against a product: Keycloak, for token exchange (RFC 8693). Run with `make providers`; needs Java and Maven."""

import base64
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import jwt as pyjwt
import pytest

if not os.environ.get("TOOLGATE_PROVIDERS"):
    pytest.skip("needs Keycloak: `make providers`", allow_module_level=True)
if not (shutil.which("java") and shutil.which("mvn")):
    pytest.skip("needs Java and Maven", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).parents[1] / "gateway"))
from fake_provider import Configured, serve_guarded
from gateway_support import free_port, records

from conformance.toolbox import TOOLS

VERSION = "26.4.7"
_BUILT = 10
"""With this status Keycloak ends when it has built itself anew."""
FETCH = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy"
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
CONFIG = """
listen: 127.0.0.1:{port}
admin: null
servers:
  bank:
    url: "<bank>"
    auth:
      type: token_exchange
      token_url: <issuer>/protocol/openid-connect/token
      client: {id: toolgate, secret: toolgate-secret}
      audience: bank
      actor: none                     # Keycloak impersonates; it names no actors.
identity:
  issuers:
    - {issuer: <issuer>, audience: toolgate, claims: {user: preferred_username, roles: realm_access.roles}}
policies: [policy.yaml]
"""
POLICY = "version: 1\nrules:\n  - {id: r, subjects: {roles: [teller]}, tools: ['*/*'], effect: allow}\n"


def audience(name: str) -> dict[str, Any]:
    """A mapper that puts a client into `aud`."""
    config = {
        "included.client.audience": name,
        "access.token.claim": "true",
        "introspection.token.claim": "true",
    }
    return {
        "name": f"to-{name}",
        "protocol": "openid-connect",
        "protocolMapper": "oidc-audience-mapper",
        "config": config,
    }


def client(name: str, **more: Any) -> dict[str, Any]:
    return {"clientId": name, "secret": f"{name}-secret", "publicClient": False, **more}


REALM = {
    "realm": "tools",
    "enabled": True,
    "sslRequired": "none",
    "roles": {"realm": [{"name": "teller"}]},
    "users": [
        {
            "username": name,
            "enabled": True,
            "email": f"{name}@example.com",
            "emailVerified": True,
            "firstName": name,
            "lastName": name,
            "credentials": [{"type": "password", "value": name}],
            "realmRoles": ["teller"],
        }
        for name in ("alice", "bob")
    ],
    "clients": [
        client("agent", directAccessGrantsEnabled=True, protocolMappers=[audience("toolgate")]),
        client(
            "toolgate",
            attributes={"standard.token.exchange.enabled": "true"},
            protocolMappers=[audience("bank")],
        ),
        client("bank"),
    ],
}


def keycloak() -> Path:
    """The unpacked distribution in `.tools`."""
    folder = TOOLS / f"keycloak-{VERSION}"
    if not folder.exists():
        line = ["mvn", "-q", "-B", FETCH, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={TOOLS}"]
        subprocess.run(line, check=True, timeout=600)
        with zipfile.ZipFile(TOOLS / f"keycloak-quarkus-dist-{VERSION}.zip") as packed:
            packed.extractall(TOOLS / "keycloak.part")
        (TOOLS / "keycloak.part" / folder.name).rename(folder)
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("keycloak")
    home, port = keycloak(), free_port()
    shutil.rmtree(home / "data", ignore_errors=True)
    (home / "data/import").mkdir(parents=True)
    (home / "data/import/tools-realm.json").write_text(json.dumps(REALM))
    line = ["java", "-Xmx512m", f"-Dkc.home.dir={home}", "-jar", str(home / "lib/quarkus-run.jar")]
    line += ["start-dev", f"--http-port={port}", "--http-host=127.0.0.1", "--import-realm", "--cache=local"]
    issuer = f"http://127.0.0.1:{port}/realms/tools"
    gateway = server = None
    process = start(line, folder / "keycloak.log", issuer)
    try:
        jwks = pyjwt.PyJWKClient(issuer + "/protocol/openid-connect/certs")

        def accepts(headers: dict[str, str]) -> bool:
            token = headers.get("authorization", "").removeprefix("Bearer ")
            try:
                key = jwks.get_signing_key_from_jwt(token)
                pyjwt.decode(token, key, ["RS256"], audience="bank", issuer=issuer)
            except pyjwt.PyJWTError:
                return False
            return True

        server, shown = serve_guarded(accepts)
        text = CONFIG.replace("<issuer>", issuer)
        text = text.replace("<bank>", f"http://127.0.0.1:{server.server_address[1]}/mcp")
        gateway = Configured(folder, text, {"policy.yaml": POLICY})
        yield SimpleNamespace(gateway=gateway, issuer=issuer, shown=shown)
    finally:
        if gateway is not None:
            gateway.stop()
        if server is not None:
            server.shutdown()
            server.server_close()
        process.terminate()
        process.wait(60)
        shutil.rmtree(home / "data", ignore_errors=True)


def start(line: list[str], log: Path, issuer: str) -> "subprocess.Popen[bytes]":
    """Keycloak, once it answers. The first start builds it for its options and ends, to be started again."""
    deadline = time.monotonic() + 400
    with log.open("wb") as output:
        process = subprocess.Popen(line, stdout=output, stderr=subprocess.STDOUT)
        while time.monotonic() < deadline and process.poll() in (None, _BUILT):
            if process.returncode == _BUILT:
                again = [line[0], "-Dkc.config.built=true", *line[1:]]
                process = subprocess.Popen(again, stdout=output, stderr=subprocess.STDOUT)
            try:
                with urlopen(issuer, timeout=5):
                    return process
            except (HTTPError, URLError, OSError):
                threading.Event().wait(0.5)
    process.kill()
    process.wait()
    raise AssertionError(log.read_text())


def token(world: Any, user: str) -> str:
    basic = base64.b64encode(b"agent:agent-secret").decode()
    form = {"grant_type": "password", "username": user, "password": user, "scope": "openid"}
    url = world.issuer + "/protocol/openid-connect/token"
    with urlopen(
        Request(url, urlencode(form).encode(), {"Authorization": f"Basic {basic}"}), timeout=60
    ) as answer:
        return str(json.load(answer)["access_token"])


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_its_token_exchange_gives_the_server_a_token_of_the_user_for_that_server(
    world: Any, user: str
) -> None:
    """ID-17."""
    theirs = token(world, user)
    status, answer = world.gateway.call("bank", theirs)
    record = records(world.gateway.folder)[-1]
    assert status == 200, (answer, record)
    shown = world.shown[-1]["authorization"].removeprefix("Bearer ")
    before, after = (pyjwt.decode(text, options={"verify_signature": False}) for text in (theirs, shown))
    assert shown != theirs
    assert after["sub"] == before["sub"]
    assert after["preferred_username"] == user
    assert (before["azp"], after["azp"]) == ("agent", "toolgate")
    assert "bank" in after["aud"]
    assert "toolgate" not in after["aud"]
    assert (record["user"], record["agent"]) == (user, "agent")


def test_a_token_for_somebody_else_is_not_exchanged(world: Any) -> None:
    """Its audience is not the gateway, so it is refused before anything is asked."""
    basic = base64.b64encode(b"toolgate:toolgate-secret").decode()
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "subject_token": token(world, "alice"),
    }
    form |= {"subject_token_type": "urn:ietf:params:oauth:token-type:access_token", "audience": "bank"}
    url = world.issuer + "/protocol/openid-connect/token"
    with urlopen(
        Request(url, urlencode(form).encode(), {"Authorization": f"Basic {basic}"}), timeout=60
    ) as answer:
        for_bank = json.load(answer)["access_token"]
    assert world.gateway.call("bank", for_bank)[0] == 401
