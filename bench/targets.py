"""What is measured besides other gateways: nginx and Toolgate. How each is started, and where it answers."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import policies
from bench.messages import Endpoint
from bench.processes import Tree, free_port, running

GATEWAY_CORE, LOAD_CORE = 0, 1

# The access log is off: what is compared is a plain reverse proxy at its cheapest.
_NGINX = """
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
    """A gateway, or the upstream itself, that answers."""

    endpoint: Endpoint
    tree: Tree


@dataclass(frozen=True)
class Target:
    """One row of the comparison. `start` takes an empty folder of its own and the upstream's port."""

    name: str
    start: Callable[[Path, int], AbstractContextManager[Started]]
    warm_up: float = 2.0
    """Seconds of load before anything counts."""


@contextmanager
def upstream(folder: Path, tools: int = 10) -> Iterator[Started]:
    """The MCP server behind everything, beside the load generator on its core."""
    port = free_port()
    argv = [sys.executable, "-m", "bench.upstream", str(port), str(tools)]
    with running(argv, LOAD_CORE, folder / f"upstream-{port}.log") as tree:
        tree.wait_for_port(port, 10)
        yield Started(Endpoint(port), tree)


@contextmanager
def nginx(folder: Path, port_behind: int) -> Iterator[Started]:
    """nginx as a plain reverse proxy: one worker, connections to the upstream kept."""
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_NGINX.format(folder=folder, upstream=port_behind, port=port))
    with running(["nginx", "-c", str(config), "-p", str(folder)], GATEWAY_CORE, folder / "log") as tree:
        tree.wait_for_port(port, 10)
        yield Started(Endpoint(port), tree)


@contextmanager
def ungoverned(folder: Path, port_behind: int) -> Iterator[Started]:
    """Toolgate with an anonymous caller and no rules. The ledger is on: it cannot be switched off."""
    (folder / "policy.yaml").write_text("version: 1\ndefault: allow\n")
    with _toolgate(folder, port_behind, "identity: {anonymous: loopback}\n") as started:
        yield started


@contextmanager
def governed(
    folder: Path,
    port_behind: int,
    *,
    rules: int = 100,
    path: str = "/servers/bank/mcp",
    durability: str = "os",
) -> Iterator[Started]:
    """Toolgate with a JWT (ES256), `rules` rules, a condition on the call's amount, ledger and metrics."""
    token = policies.write_credentials(folder)
    (folder / "policy.yaml").write_text(policies.rules(rules))
    with _toolgate(
        folder, port_behind, policies.IDENTITY + f"ledger: {{durability: {durability}}}\n"
    ) as started:
        tool = "bank__transfer_funds" if path == "/mcp" else "transfer_funds"
        endpoint = Endpoint(started.endpoint.port, path, tool)
        yield Started(endpoint.with_header("Authorization", f"Bearer {token}"), started.tree)


@contextmanager
def _toolgate(folder: Path, port_behind: int, more: str) -> Iterator[Started]:
    port = free_port()
    config = folder / "gateway.yaml"
    config.write_text(
        f"listen: 127.0.0.1:{port}\nadmin: 127.0.0.1:{free_port()}\n"
        f"servers: {{bank: {{url: 'http://127.0.0.1:{port_behind}/mcp'}}}}\npolicies: [policy.yaml]\n{more}"
    )
    command = [sys.executable, "-m", "toolgate", "run", "-c", str(config)]
    with running(command, GATEWAY_CORE, folder / "log") as tree:
        tree.wait_for_port(port, 60)
        yield Started(Endpoint(port, "/servers/bank/mcp"), tree)
