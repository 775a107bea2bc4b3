"""Each thing that is measured: how it is started, and where it answers. One upstream serves them all."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from bench.messages import Endpoint
from bench.processes import Tree, free_port, running

GATEWAY_CORE, LOAD_CORE = 0, 1
ISSUER, AUDIENCE = "https://login.bench.example", "https://tools.bench.example"

NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream back {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 100000000; }}
  server {{ listen 127.0.0.1:{port};
    location / {{ proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""


@dataclass(frozen=True)
class Started:
    """A target that answers."""

    endpoint: Endpoint
    tree: Tree


Target = Callable[[Path, int], "Iterator[Started]"]


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[Started]:
    """nginx as a plain reverse proxy: one worker, connections to the upstream kept."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, upstream=upstream, port=port))
    with running(["nginx", "-c", str(config), "-p", str(folder)], GATEWAY_CORE, folder / "log") as tree:
        tree.wait_for_port(port, 10)
        yield Started(Endpoint(port), tree)


@contextmanager
def ungoverned(folder: Path, upstream: int) -> Iterator[Started]:
    """Toolgate with an anonymous caller and no rules. The ledger is on: it cannot be switched off."""
    (folder / "policy.yaml").write_text("version: 1\ndefault: allow\n")
    with _toolgate(folder, upstream, "identity: {anonymous: loopback}\n") as started:
        yield started


@contextmanager
def governed(
    folder: Path, upstream: int, *, rules: int = 100, path: str = "/servers/bank/mcp", durability: str = "os"
) -> Iterator[Started]:
    """Toolgate with JWT, `rules` rules, a condition on the called tool's arguments, ledger and metrics."""
    key = ECKey.generate_key("P-256", {"kid": "bench", "use": "sig", "alg": "ES256"})
    (folder / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    identity = f"identity:\n  issuers:\n    - {{issuer: {ISSUER}, audience: {AUDIENCE}, jwks: jwks.json}}\n"
    (folder / "policy.yaml").write_text(_policy(rules))
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "dana",
        "azp": "bot",
        "roles": ["payer"],
        "task": "close",
    }
    token = jwt.encode({"alg": "ES256", "kid": "bench"}, {**claims, "exp": int(time.time()) + 86400}, key)
    extra = f"ledger: {{durability: {durability}}}\n"
    with _toolgate(folder, upstream, identity + extra) as started:
        tool = "bank__transfer_funds" if path == "/mcp" else "transfer_funds"
        endpoint = Endpoint(started.endpoint.port, path, tool)
        yield Started(endpoint.with_header("Authorization", f"Bearer {token}"), started.tree)


def _policy(rules: int) -> str:
    others = [
        f"  - {{id: rule-{number}, subjects: {{roles: [role-{number % 50}]}}, "
        f'tools: ["bank/tool_{number}_*"], when: args.amount < {number}, effect: allow}}'
        for number in range(rules - 2)
    ]
    own = [
        '  - {id: pay, subjects: {roles: [payer]}, tasks: [close], tools: ["bank/transfer_funds"], effect: allow}',
        '  - {id: large, tools: ["bank/transfer_*"], when: args.amount > 10000, effect: deny}',
    ]
    return "version: 1\nrules:\n" + "\n".join(own + others) + "\n"


@contextmanager
def _toolgate(folder: Path, upstream: int, more: str) -> Iterator[Started]:
    port = free_port()
    config = folder / "gateway.yaml"
    config.write_text(
        f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:{free_port()}\n"
        f"servers: {{bank: {{url: 'http://127.0.0.1:{upstream}/mcp'}}}}\npolicies: [policy.yaml]\n{more}"
    )
    command = [sys.executable, "-m", "toolgate", "run", "-c", str(config)]
    with running(command, GATEWAY_CORE, folder / "log") as tree:
        tree.wait_for_port(port, 60)
        yield Started(Endpoint(port, "/servers/bank/mcp"), tree)
