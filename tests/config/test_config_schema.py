import base64
from hashlib import sha256
from pathlib import Path

import pytest
from pydantic import ValidationError

from toolgate.config.load import load
from toolgate.config.schema import GatewayConfig, json_schema
from toolgate.config.schema_servers import HttpServer, StdioServer
from toolgate.errors import ConfigError

MINIMAL = """
servers: {bank: {url: "http://bank.internal:9000/mcp"}}
identity: {anonymous: loopback}
"""

DIGEST = "sha256:" + sha256(b"key").hexdigest()


def test_every_default_is_a_safe_one(write, tmp_path):
    config = load(write(MINIMAL)).value
    assert str(config.listen) == "127.0.0.1:8080"
    assert str(config.admin) == "127.0.0.1:9080"
    assert (config.public_url, config.tls, config.allowed_hosts, config.allowed_origins) == (
        None,
        None,
        (),
        (),
    )
    assert config.separator == "__"
    assert config.limits.model_dump() == {
        "body": 4_194_304,
        "headers": 32_768,
        "header_count": 100,
        "header_seconds": 10.0,
        "json_depth": 128,
        "listens": 1000,
    }
    assert (config.sessions.lifetime, config.sessions.keys) == (86_400.0, ())
    assert config.ledger.model_dump() == {
        "path": tmp_path / "ledger",
        "durability": "os",
        "values": "digest",
        "reveal": (),
        "subject_keys": None,
        "segment_size": 67_108_864,
        "checkpoint_every": 10.0,
        "signing_key": None,
        "on_failure": "spool",
        "on_damage": "refuse",
        "spool_size": 16_777_216,
    }
    assert config.metrics is True
    assert (config.log.level, config.log.format) == ("info", "text")
    assert config.policies == ()
    assert config.environment == {}


def test_anonymous_calls_are_refused_unless_the_file_says_otherwise(write):
    key = f"{{id: nightly, hash: '{DIGEST}'}}"
    config = load(write(f"servers: {{a: {{command: x}}}}\nidentity: {{api_keys: [{key}]}}")).value
    assert config.identity.anonymous == "deny"
    (found,) = config.identity.api_keys
    assert (found.id, found.hash, found.agent, found.user, found.tenant) == (
        "nightly",
        DIGEST,
        None,
        None,
        None,
    )
    assert (found.roles, found.scopes, found.tags, found.task, found.expires) == ((), (), (), None, None)


def test_a_server_is_reached_over_http_or_started(write, tmp_path):
    config = load(
        write("""
servers:
  bank: {url: "http://bank.internal:9000/mcp"}
  maps: {url: "https://maps.example.com/mcp", type: streamable-http, headers: {Authorization: Bearer x}}
  crm: {command: python, args: [-m, crm_server], env: {CRM_DB: ./crm.db}, type: stdio}
  local: {command: ./bin/server, cwd: ., idle: 30s, max_children: 2, disabled: true, revision: 2025-11-25}
identity: {anonymous: loopback}
""")
    ).value
    bank, maps, crm, local = (config.servers[name] for name in ("bank", "maps", "crm", "local"))
    assert isinstance(bank, HttpServer)
    assert (bank.url, bank.timeout, bank.revision, bank.disabled) == (
        "http://bank.internal:9000/mcp",
        60.0,
        "auto",
        False,
    )
    assert isinstance(maps, HttpServer)
    assert maps.headers["Authorization"].get_secret_value() == "Bearer x"
    assert isinstance(crm, StdioServer)
    assert (crm.command, crm.args, crm.cwd) == ("python", ("-m", "crm_server"), tmp_path)
    assert crm.env["CRM_DB"].get_secret_value() == "./crm.db"
    assert isinstance(local, StdioServer)
    assert Path(local.command) == tmp_path / "bin/server"
    assert (local.idle, local.max_children, local.disabled, local.revision) == (30.0, 2, True, "2025-11-25")


def test_an_issuer_needs_little_and_maps_claims(write, tmp_path):
    write("{}", "jwks.json")
    config = load(
        write("""
servers: {a: {command: x}}
identity:
  issuers:
    - {issuer: "https://login.example.com", audience: https://tools.example.com/mcp}
    - issuer: http://issuer.internal
      audience: [a, b]
      jwks: ./jwks.json
      algorithms: [PS256]
      leeway: 1m
      claims: {agent: appid, roles: [groups, roles]}
""")
    ).value
    first, second = config.identity.issuers
    assert first.audience == ("https://tools.example.com/mcp",)
    assert first.algorithms == ("RS256", "ES256", "EdDSA")
    assert first.jwks is None
    assert first.leeway == 30.0
    assert first.claims.model_dump() == {
        "agent": ("azp", "client_id"),
        "user": ("sub",),
        "tenant": ("tenant",),
        "roles": ("roles",),
        "scopes": ("scope",),
        "tags": ("tags",),
        "task": ("task",),
    }
    assert (second.audience, second.jwks, second.leeway) == (("a", "b"), str(tmp_path / "jwks.json"), 60.0)
    assert (second.claims.agent, second.claims.roles, second.claims.user) == (
        ("appid",),
        ("groups", "roles"),
        ("sub",),
    )


def test_the_task_of_a_key_is_an_id_or_an_object(write):
    other = "sha256:" + sha256(b"other").hexdigest()
    config = load(
        write(f"""
servers: {{a: {{command: x}}}}
identity:
  api_keys:
    - {{id: one, hash: "{DIGEST}", task: close, expires: 1970-01-02T00:00:00Z}}
    - {{id: two, hash: "{other}", task: {{id: audit, name: The audit, attributes: {{year: 2026}}}}, roles: [r]}}
""")
    ).value
    one, two = config.identity.api_keys
    assert one.task is not None
    assert two.task is not None
    assert (one.task.id, one.task.name, one.expires) == ("close", "", 86_400.0)
    assert (two.task.id, two.task.name, two.task.attributes, two.roles) == (
        "audit",
        "The audit",
        {"year": 2026},
        ("r",),
    )


@pytest.mark.parametrize(
    "written",
    [
        bytes(range(32)).hex(),
        bytes(range(32)).hex().upper(),
        base64.b64encode(b"\xff" * 32).decode(),
        base64.urlsafe_b64encode(b"\xff" * 32).decode().rstrip("="),
    ],
)
def test_a_session_key_is_32_bytes_in_hex_or_base64(write, written):
    key = load(write(f"{MINIMAL}\nsessions: {{keys: ['{written}']}}")).value.sessions.keys[0]
    assert key.get_secret_value() in (bytes(range(32)), b"\xff" * 32)


def test_admin_can_be_switched_off(write):
    assert load(write(f"{MINIMAL}\nadmin: null")).value.admin is None


def test_any_two_free_ports_are_two_addresses(write):
    assert load(write(f"{MINIMAL}\nlisten: 127.0.0.1:0\nadmin: 127.0.0.1:0")).value.admin == ("127.0.0.1", 0)


def test_a_loaded_config_does_not_change(write):
    config = load(write(MINIMAL)).value
    with pytest.raises(ValidationError, match="frozen"):
        config.listen = config.admin
    with pytest.raises(ValidationError, match="frozen"):
        config.servers["bank"].url = "http://evil"


def nodes(part):
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    if isinstance(part, list):
        for item in part:
            yield from nodes(item)


def test_the_json_schema_names_and_explains_every_key():
    schema = json_schema()
    assert set(schema["properties"]) == set(GatewayConfig.model_fields)
    objects = [node for node in nodes(schema) if isinstance(node.get("properties"), dict)]
    assert len(objects) >= 12
    for part in objects:
        for key, value in part["properties"].items():
            explained = {**schema["$defs"].get(value.get("$ref", "").rpartition("/")[2], {}), **value}
            assert explained["description"].endswith("."), key
        assert part["additionalProperties"] is False


def test_the_json_schema_shows_defaults_as_people_write_them():
    schema = json_schema()
    assert schema["properties"]["listen"]["default"] == "127.0.0.1:8080"
    assert schema["$defs"]["Limits"]["properties"]["body"]["default"] == "4MiB"
    assert schema["$defs"]["HttpServer"]["required"] == ["url"]


def auth_faults(write, auth: str, server: str = "") -> list[str]:
    text = f"""
servers: {{bank: {{url: "http://localhost:9000/mcp", {server} auth: {auth}}}}}
identity: {{anonymous: loopback}}
"""
    with pytest.raises(ConfigError) as caught:
        load(write(text))
    return [str(problem).partition("servers.bank.")[2] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("auth", "server", "said"),
    [
        ("bearer", "", "auth.token: required key is missing."),
        ("planted-secret", "", "auth: 'type' says which kind this is."),
        ("{type: [planted-secret]}", "", "auth: 'type' says which kind this is."),
        ("{token: x}", "", "auth: 'type' says which kind this is."),
        ("{type: bearer, token: 'Bearer x'}", "", "auth.token: a bearer token has only letters"),
        ("{type: basic, username: 'a:b', password: x}", "", "auth.username: a user name of basic"),
        ("{type: header, name: Host, value: x}", "", "auth.name: the gateway sets this header itself."),
        (
            "{type: bearer, token: x}",
            "headers: {Authorization: y},",
            "auth: 'headers' sets authorization, too.",
        ),
        ("{type: header, name: x-k, value: a}", "headers: {X-K: y},", "auth: 'headers' sets x-k, too."),
        ("{type: forward, audience: urn:x}", "", "auth.audience: no issuer's tokens are accepted for this"),
        (
            "{type: client_credentials, token_url: 'http://idp.example/t', client: {id: a, secret: b}}",
            "",
            "auth.token_url: credentials would travel readable",
        ),
        (
            "{type: client_credentials, token_url: 'https://idp.example/t', client: {id: a}}",
            "",
            "auth.client.private_key: a client has either 'secret' or 'private_key'.",
        ),
        (
            "{type: client_credentials, token_url: 'https://idp.example/t', client: {id: a, private_key: b}}",
            "",
            "auth.client.private_key: this is no unencrypted private key in PEM.",
        ),
    ],
)
def test_a_servers_auth_that_cannot_work_is_refused_with_a_remedy(write, auth, server, said):
    (fault,) = auth_faults(write, auth, server)
    assert fault.startswith(said)
    assert "planted" not in fault
