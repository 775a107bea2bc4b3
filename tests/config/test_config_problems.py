"""Wrong files and what is said about them, to the letter: what people read when they are stuck."""

from textwrap import dedent, indent

import pytest

from toolgate.config.load import load
from toolgate.errors import ConfigError

SERVERS = 'servers: {bank: {url: "http://b/mcp"}}\n'
TRIAL = "identity: {anonymous: loopback}\n"
HASH = "sha256:" + "0" * 64
ALGORITHMS = (
    "'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA' or 'Ed25519'"
)
NOBODY = (
    "nobody can be identified, so every call would be refused. "
    "Add 'issuers:' or 'api_keys:', 'local: {}' for 'toolgate run --stdio', "
    "or for a trial on this machine 'anonymous: loopback'."
)
NO_SERVER = (
    "servers: there is no server to stand in front of. "
    'Add one, for example: servers: {bank: {url: "http://localhost:9000/mcp"}}.'
)
EITHER = "a server has either 'url' or 'command'. For example: {url: \"http://localhost:9000/mcp\"}."
NAME = "a server's name starts with a letter and has at most 32 lower-case letters, digits and dashes."
NO_FILE = "there is no such file. Relative paths are seen from the config's folder."


def said(write, text):
    with pytest.raises(ConfigError) as caught:
        load(write(dedent(text)))
    return [str(problem) for problem in caught.value.problems]


def below(start, text):
    """The text as a section of one space's depth, so that its columns are one more than in the table's text."""
    return start + indent(text, " ")


def told(text, *messages):
    return pytest.param(text, [f"gateway.yaml:{message}" for message in messages], id=messages[0])


WHOLE_FILES = [
    told("", f"1:1: {NO_SERVER}", f"1:1: identity: {NOBODY}"),
    told("- a\n- b\n", "1:1: expected a mapping of keys, got a list."),
    told("just text", "1:1: expected a mapping of keys, got text."),
    told(
        TRIAL + "mcpServers: {bank: {command: python}}",
        "2:1: mcpServers: unknown key. Rename it to 'servers:'.",
    ),
    told(TRIAL + "severs: {}", "2:1: severs: unknown key. Did you mean 'servers'?"),
    told(TRIAL + "servers: {}", f"2:1: {NO_SERVER}"),
    told(
        TRIAL + "servers:",
        "2:1: servers: expected a mapping of keys, got nothing. Give it a value or leave the key out.",
    ),
    told(TRIAL + "servers: [{url: x}]", "2:1: servers: expected a mapping of keys, got a list."),
    told(SERVERS + "identity: {}", f"2:1: identity: {NOBODY}"),
    told(SERVERS + "identity: {anonymous: deny}", f"2:1: identity: {NOBODY}"),
    told(
        SERVERS + TRIAL + "listen: 0.0.0.0:8080",
        "2:12: identity.anonymous: 'loopback' needs a 'listen' that only this machine reaches. "
        "Listen on 127.0.0.1, or identify callers with 'issuers:' or 'api_keys:'.",
    ),
    told(
        SERVERS + TRIAL + "admin: 127.0.0.1:8080",
        "3:1: admin: the same address as 'listen'. Give it a port of its own, or switch it off with null.",
    ),
    told(
        """
        listen: 127.0.0.1
        servers:
          bank: {url: "http://b/mcp"}
        identity: {anonymous: allow}
        ledger: {durabilty: os}
        """,
        "2:1: listen: expected host:port, such as 127.0.0.1:8080.",
        "5:12: identity.anonymous: expected 'deny' or 'loopback'.",
        "6:10: ledger.durabilty: unknown key. Did you mean 'durability'?",
    ),
]

SERVER = [
    told("bank:\n  comand: python", "4:4: servers.bank.comand: unknown key. Did you mean 'command'?"),
    told("bank:\n  ulr: http://b", "4:4: servers.bank.ulr: unknown key. Did you mean 'url'?"),
    told("bank: {}", f"3:2: servers.bank: {EITHER}"),
    told("bank: http://b", f"3:2: servers.bank: {EITHER}"),
    told("bank: {url: 'http://b', command: b}", f"3:2: servers.bank: {EITHER}"),
    told("Bank: {command: b}", f"3:2: servers.Bank: {NAME}"),
    told("a__b: {command: b}", f"3:2: servers.a__b: {NAME}"),
    told("9a: {command: b}", f"3:2: servers.9a: {NAME}"),
    told(
        "b: {url: 'http://b/sse', type: sse, revision: 2026-07-28}",
        "3:27: servers.b.type: HTTP+SSE carries only revisions with sessions. Leave out 'revision' or 'type'.",
    ),
    told(
        "b: {url: 'http://b', type: htpp}",
        "3:23: servers.b.type: expected 'http', 'streamable-http' or 'sse'. Did you mean 'http'?",
    ),
    told(
        "b: {url: 'http://b', type: stdio}",
        "3:23: servers.b.type: expected 'http', 'streamable-http' or 'sse'.",
    ),
    told(
        "b: {command: x, type: http}",
        "3:2: servers.b.url: required key is missing.",
        "3:6: servers.b.command: unknown key. It does not go with the other keys here.",
    ),
    told("b: {type: stdio}", "3:2: servers.b.command: required key is missing."),
    told("b: {url: b.internal}", "3:6: servers.b.url: expected an http:// or https:// URL."),
    told(
        "b: {url: 'http://u:p@b/'}",
        "3:6: servers.b.url: a URL may hold no user name or password. Send credentials as a header.",
    ),
    told(
        "b: {command: x, headers: {a: b}}",
        "3:18: servers.b.headers: unknown key. It does not go with the other keys here.",
    ),
    told(
        "b: {command: x, maxChildren: 3}",
        "3:18: servers.b.maxChildren: unknown key. Did you mean 'max_children'?",
    ),
    told(
        "b: {command: x, max-children: 3}",
        "3:18: servers.b.max-children: unknown key. Did you mean 'max_children'?",
    ),
    told("b: {command: ''}", "3:6: servers.b.command: must not be empty."),
    told(
        "b: {command: x, timeout: 60}",
        "3:18: servers.b.timeout: expected a duration such as 250ms, 30s, 5m or 2h.",
    ),
    told("b: {command: x, timeout: 0s}", "3:18: servers.b.timeout: must be from 1ms to 24h."),
    told("b: {command: x, disabled: yes}", "3:18: servers.b.disabled: expected true or false, got text."),
    told("b: {command: x, disabled: 1}", "3:18: servers.b.disabled: expected true or false, got a number."),
    told("b: {command: x, max_children: 0}", "3:18: servers.b.max_children: must be at least 1."),
    told(
        "b: {command: x, max_children: true}",
        "3:18: servers.b.max_children: expected a whole number, got true or false.",
    ),
    told("b: {command: x, args: -v}", "3:18: servers.b.args: expected a list, got text. Put it in [ ]."),
    told(
        "b: {command: x, args: [-p, 80]}",
        "3:29: servers.b.args[1]: expected text, got a number. Put it in quotes.",
    ),
    told('b: {command: x, args: ["a\\0"]}', "3:25: servers.b.args[0]: the value contains a NUL character."),
    told(
        "b: {command: x, env: {PORT: 80}}",
        "3:24: servers.b.env.PORT: expected text, got a number. Put it in quotes.",
    ),
    told(
        "b: {command: x, env: {'A=B': c}}",
        "3:24: servers.b.env.'A=B': a variable's name has letters, digits and underscores.",
    ),
    told("b: {command: x, env: [A=B]}", "3:18: servers.b.env: expected a mapping of keys, got a list."),
    told(
        "b: {command: x, cwd: ./no}",
        "3:18: servers.b.cwd: there is no such folder. Relative paths are seen from the config's folder.",
    ),
    told(
        "b: {command: x, revision: 2025-11-26}",
        "3:18: servers.b.revision: expected 'auto', '2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25' or "
        "'2026-07-28'. Did you mean '2025-11-25'?",
    ),
    told(
        "b: {url: 'http://b', headers: {Host: x}}",
        "3:33: servers.b.headers.Host: the gateway sets this header itself. Leave it out.",
    ),
    told(
        "b: {url: 'http://b', headers: {'a b': x}}",
        "3:33: servers.b.headers.'a b': this is no HTTP header name.",
    ),
    told(
        'b: {url: "http://b", headers: {a: "x\\ny"}}',
        "3:33: servers.b.headers.a: a header's value is visible ASCII, without spaces at its ends or line breaks.",
    ),
    told(
        "b: {url: 'http://b', headers: {X-Key: a, x-key: b}}",
        "3:23: servers.b.headers: the header x-key stands twice; case makes no difference.",
    ),
]

IDENTITY = [
    told("issuers: [{issuer: 'https://i'}]", "3:12: identity.issuers[0].audience: required key is missing."),
    told(
        "issuers: [{issuer: 'https://i', audience: []}]",
        "3:34: identity.issuers[0].audience: must not be empty.",
    ),
    told(
        "issuers: [{issuer: 'https://i', audience: 5}]",
        "3:34: identity.issuers[0].audience: expected a list, got a number.",
    ),
    told(
        "issuers: [{issuer: 'https://i', audience: ['']}]",
        "3:45: identity.issuers[0].audience[0]: must not be empty.",
    ),
    told("issuers: {issuer: 'https://i'}", "3:2: identity.issuers: expected a list, got a mapping."),
    told(
        "issuers: [{issuer: 'https://i', audience: a, algorithms: [none]}]",
        f"3:60: identity.issuers[0].algorithms[0]: expected {ALGORITHMS}.",
    ),
    told(
        "issuers: [{issuer: 'https://i', audience: a, algorithms: [HS256]}]",
        f"3:60: identity.issuers[0].algorithms[0]: expected {ALGORITHMS}. Did you mean 'RS256'?",
    ),
    told(
        "issuers: [{issuer: 'https://i', audience: a, jwks: no.json}]",
        f"3:47: identity.issuers[0].jwks: {NO_FILE}",
    ),
    told(
        "issuers: [{issuer: 'http://i', audience: a}]",
        "3:13: identity.issuers[0].issuer: keys fetched over plain http can be replaced on the way. "
        "Use https, or name a file with 'jwks:'.",
    ),
    told(
        "issuers: [{issuer: 'https://i', audience: a, jwks: 'http://i/k'}]",
        "3:47: identity.issuers[0].jwks: keys fetched over plain http can be replaced on the way. "
        "Use https, or name a file with 'jwks:'.",
    ),
    told(
        "issuers: [{issuer: 'https://i', audience: a, claims: {role: groups}}]",
        "3:56: identity.issuers[0].claims.role: unknown key. Did you mean 'roles'?",
    ),
    told(
        "issuers: [{issuer: 'https://i', audience: a, leeway: 6m}]",
        "3:47: identity.issuers[0].leeway: must be from 0s to 5m.",
    ),
    told(
        "issuers: [{issuer: 'https://i', audience: a}, {issuer: 'https://i', audience: b}]",
        "3:49: identity.issuers[1].issuer: the same issuer as issuers[0].",
    ),
    told(
        f"api_keys: [{{id: a, hash: '{HASH}'}}, {{id: a, hash: '{HASH}'}}]",
        "3:104: identity.api_keys[1].id: the same id as api_keys[0].",
        "3:111: identity.api_keys[1].hash: the same hash as api_keys[0].",
    ),
    told(
        "api_keys: [{id: a, hash: 'sha256:12'}]",
        "3:21: identity.api_keys[0].hash: expected 'sha256:' and 64 hex digits in lower case. "
        "Make a key and its hash with 'toolgate key new'.",
    ),
    told(
        f"api_keys: [{{id: a, hash: '{HASH}', roles: admin}}]",
        "3:102: identity.api_keys[0].roles: expected a list, got text. Put it in [ ].",
    ),
    told(
        f"api_keys: [{{id: a, hash: '{HASH}', expires: 2027-01-31}}]",
        "3:102: identity.api_keys[0].expires: expected a date and time such as 2027-01-31T18:00:00Z.",
    ),
    told(
        f"api_keys: [{{id: a, hash: '{HASH}', task: {{name: x}}}}]",
        "3:102: identity.api_keys[0].task.id: required key is missing.",
    ),
    told(
        f"api_keys: [{{id: a, hash: '{HASH}', task: 5}}]",
        "3:102: identity.api_keys[0].task: expected a mapping of keys, got a number.",
    ),
]

TOP_LEVEL = [
    told("listen: 8080", "3:1: listen: expected host:port, such as 127.0.0.1:8080."),
    told("listen: ':8080'", "3:1: listen: the host is missing. Write 0.0.0.0 to listen on every address."),
    told("admin: off", "3:1: admin: expected host:port, such as 127.0.0.1:8080."),
    told(
        "public_url: https://a/",
        "3:1: public_url: a URL here does not end with a slash. Leave the last '/' out.",
    ),
    told("allowed_hosts: a.example", "3:1: allowed_hosts: expected a list, got text. Put it in [ ]."),
    told(
        "allowed_origins: ['*']",
        "3:19: allowed_origins[0]: expected an http:// or https:// URL.",
    ),
    told(
        "separator: '-'",
        "3:1: separator: expected one to four of '_', '.' and '-', of which '-' is not the first.",
    ),
    told("tls: {cert: a.pem}", "3:1: tls.key: required key is missing.", f"3:7: tls.cert: {NO_FILE}"),
    told("limits: {body: 4MB}", "3:10: limits.body: expected a size such as 64KiB or 4MiB."),
    told("limits: {body: 4}", "3:10: limits.body: expected a size such as 64KiB or 4MiB."),
    told("limits: {json_depth: 100000}", "3:10: limits.json_depth: must be at most 512."),
    told(
        "limits:",
        "3:1: limits: expected a mapping of keys, got nothing. Give it a value or leave the key out.",
    ),
    told(
        "sessions: {keys: [short]}",
        "3:19: sessions.keys[0]: a key is 32 bytes, as base64 or hex. Make one with 'openssl rand -base64 32'.",
    ),
    told("sessions: {key: x}", "3:12: sessions.key: unknown key. Did you mean 'keys'?"),
    told(
        "environment: {regions: [eu]}", "3:15: environment.regions: expected text, a number, true or false."
    ),
    told("environment: {region: }", "3:15: environment.region: expected text, a number, true or false."),
    told("policies: ./p.yaml", "3:1: policies: expected a list, got text. Put it in [ ]."),
    told("policies: [./p/*.yaml]", "3:12: policies[0]: no file matches."),
    told("ledger: {on_failure: ignore}", "3:10: ledger.on_failure: expected 'deny', 'spool' or 'allow'."),
    told("ledger: ./ledger", "3:1: ledger: expected a mapping of keys, got text."),
    told("metrics: on", "3:1: metrics: expected true or false, got text."),
    told(
        "log: {level: warn}",
        "3:7: log.level: expected 'debug', 'info', 'warning' or 'error'. Did you mean 'warning'?",
    ),
    told("completely_else: 1", "3:1: completely_else: unknown key."),
]


@pytest.mark.parametrize(("text", "messages"), WHOLE_FILES)
def test_a_wrong_file(write, text, messages):
    assert said(write, text) == messages


@pytest.mark.parametrize(("text", "messages"), SERVER)
def test_a_wrong_server(write, text, messages):
    assert said(write, below(f"{TRIAL}servers:\n", text)) == messages


@pytest.mark.parametrize(("text", "messages"), IDENTITY)
def test_a_wrong_identity(write, text, messages):
    assert said(write, below(f"{SERVERS}identity:\n", text)) == messages


@pytest.mark.parametrize(("text", "messages"), TOP_LEVEL)
def test_a_wrong_setting(write, text, messages):
    assert said(write, f"{SERVERS}{TRIAL}{text}") == messages
