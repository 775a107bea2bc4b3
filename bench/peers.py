"""Other gateways, each in an environment of its own, configured as their documents say. Favours them where in doubt.

What is left out of each is what a call does not need: no database where one is optional, no user interface, no rate
limits, logs at their quietest. Each runs as one process, on the web server its documents name.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from bench.messages import SESSIONS, Endpoint
from bench.processes import StartError, free_port, running
from bench.targets import GATEWAY_CORE, Started, Target

_HOME = Path(__file__).parent / ".peers"
_LISTEN = ["--host", "127.0.0.1", "--port"]
_KEY = "sk-bench-0123456789abcdef"

REQUIREMENTS: Mapping[str, str] = {
    "fastmcp": "fastmcp==4.2.3",
    "litellm": "litellm[proxy]==1.108.7",
    # The newest that runs on Python 3.11.
    "contextforge": "mcp-contextforge-gateway==1.0.7.post20260921",
}

_FASTMCP = """
from fastmcp.server import create_proxy

app = create_proxy("http://127.0.0.1:{upstream}/mcp", name="bank").http_app(stateless_http=True, json_response=True)
"""

_LITELLM = """
general_settings: {{master_key: {key}}}
litellm_settings: {{set_verbose: false}}
mcp_servers:
  bank: {{url: "http://127.0.0.1:{upstream}/mcp", transport: http}}
"""

_CONTEXTFORGE = {
    "AUTH_ENCRYPTION_SECRET": "bench-encryption-0123456789abcdef0123456789",
    "BASIC_AUTH_PASSWORD": "Bench-Basic-2026!",
    "CACHE_TYPE": "memory",
    "DATABASE_URL": "sqlite:///./mcp.db",
    "DEFAULT_USER_PASSWORD": "Bench-User-2026!",
    "JWT_SECRET_KEY": "bench-signing-0123456789abcdef0123456789",
    "PLATFORM_ADMIN_EMAIL": "admin@example.com",
    "PLATFORM_ADMIN_PASSWORD": "Bench-Admin-2026!",
    # 100 calls a minute otherwise.
    "RATE_LIMITING_ENABLED": "false",
    "SSRF_ALLOW_LOCALHOST": "true",
}


def install(name: str) -> None:
    """Make the environment of a peer, if it is not there. Raises `StartError` with pip's last words."""
    home = _HOME / name
    stamp = home / "installed"
    if stamp.exists() and stamp.read_text() == REQUIREMENTS[name]:
        return
    pip = [str(home / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for argv in ([sys.executable, "-m", "venv", "--clear", str(home)], [*pip, REQUIREMENTS[name]]):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=1800)
        if done.returncode:
            raise StartError(f"{REQUIREMENTS[name]} cannot be installed: {done.stderr.strip()[-600:]}")
    stamp.write_text(REQUIREMENTS[name])


@contextmanager
def fastmcp(folder: Path, port_behind: int) -> Iterator[Started]:
    """FastMCP's proxy on uvicorn, without sessions and with JSON answers, speaking 2026-07-28: its cheapest form."""
    install("fastmcp")
    port = free_port()
    (folder / "proxy.py").write_text(_FASTMCP.format(upstream=port_behind))
    argv = [_program("fastmcp", "uvicorn"), "proxy:app", *_LISTEN, str(port), "--log-level", "warning"]
    with running(argv, GATEWAY_CORE, folder / "log", cwd=folder) as tree:
        tree.wait_for_port(port, 120)
        yield Started(Endpoint(port), tree)


@contextmanager
def litellm(folder: Path, port_behind: int) -> Iterator[Started]:
    """LiteLLM's MCP gateway: one uvicorn worker, a master key, no database, one client session."""
    install("litellm")
    port = free_port()
    (folder / "config.yaml").write_text(_LITELLM.format(upstream=port_behind, key=_KEY))
    argv = [
        _program("litellm", "litellm"),
        "--config",
        "config.yaml",
        "--num_workers",
        "1",
        *_LISTEN,
        str(port),
    ]
    # Without the local map it would fetch prices of models from the network at start.
    env = {"LITELLM_MODE": "PRODUCTION", "LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with running(argv, GATEWAY_CORE, folder / "log", env, folder) as tree:
        tree.wait_for_port(port, 180)
        endpoint = Endpoint(port, "/bank/mcp", "bank-transfer_funds", SESSIONS)
        yield Started(endpoint.with_header("Authorization", f"Bearer {_KEY}"), tree)


@contextmanager
def contextforge(folder: Path, port_behind: int, *, stateful: bool = False) -> Iterator[Started]:
    """ContextForge: one uvicorn process, SQLite, cache in memory, plugins off; one virtual server of ten tools.
    `stateful` keeps a session to the upstream per client session; by default it opens one for each call.
    """
    install("contextforge")
    port = free_port()
    env = {**_CONTEXTFORGE, "USE_STATEFUL_SESSIONS": str(stateful).lower()}
    argv = [_program("contextforge", "mcpgateway"), *_LISTEN, str(port), "--no-access-log"]
    with running(argv, GATEWAY_CORE, folder / "log", env, folder) as tree:
        tree.wait_for_port(port, 240)
        admin = _Admin(port, _contextforge_token(folder, env))
        server, tool = _register(admin, port_behind)
        endpoint = Endpoint(port, f"/servers/{server}/mcp", tool, SESSIONS)
        yield Started(endpoint.with_header("Authorization", f"Bearer {admin.token}"), tree)


TARGETS = (
    Target("FastMCP proxy", fastmcp, warm_up=5.0),
    Target("LiteLLM MCP gateway", litellm, warm_up=10.0),
    Target("ContextForge, defaults", contextforge, warm_up=10.0),
    Target("ContextForge, stateful sessions", partial(contextforge, stateful=True), warm_up=10.0),
)


@dataclass(frozen=True)
class _Admin:
    """ContextForge's admin API."""

    port: int
    token: str

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer's JSON. Raises `StartError` for any status but success."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body else None, headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        if response.status >= 300:
            raise StartError(f"{method} {path}: HTTP {response.status}: {content[:400]!r}")
        return json.loads(content)


def _contextforge_token(folder: Path, env: Mapping[str, str]) -> str:
    module = ["-m", "mcpgateway.utils.create_jwt_token"]
    options = [
        "--username",
        env["PLATFORM_ADMIN_EMAIL"],
        "--exp",
        "10080",
        "--secret",
        env["JWT_SECRET_KEY"],
        "--admin",
    ]
    argv = [_program("contextforge", "python"), *module, *options]
    full = {**os.environ, **env}
    done = subprocess.run(
        argv, env=full, cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode:
        raise StartError(f"no token: {done.stderr.strip()[-600:]}")
    return done.stdout.split()[-1]


def _register(admin: _Admin, port_behind: int) -> tuple[str, str]:
    """Make the upstream known, and a virtual server of its tools: that server's id, and the called tool's name."""
    upstream = {"name": "bank", "url": f"http://127.0.0.1:{port_behind}/mcp", "transport": "STREAMABLEHTTP"}
    admin.ask("POST", "/gateways", upstream)
    tools = admin.ask("GET", "/tools")
    name = next((tool["name"] for tool in tools if "transfer" in tool["name"]), None)
    if name is None:
        raise StartError(f"the upstream's tools were not found: {[tool['name'] for tool in tools]}")
    server = {"name": "bench", "description": "bench", "associated_tools": [tool["id"] for tool in tools]}
    return admin.ask("POST", "/servers", {"server": server})["id"], name


def _program(peer: str, name: str) -> str:
    return str(_HOME / peer / "bin" / name)


def versions() -> dict[str, str]:
    """What stands in each environment: the peer and, where it says something, the MCP SDK it is built on."""
    return {name: _versions_in(name) for name in REQUIREMENTS if (_HOME / name / "installed").exists()}


def _versions_in(peer: str) -> str:
    package = REQUIREMENTS[peer].partition("==")[0].partition("[")[0]
    code = f"import importlib.metadata as m; print('{package}', m.version('{package}') + ', mcp', m.version('mcp'))"
    done = subprocess.run([_program(peer, "python"), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()
