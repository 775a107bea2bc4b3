"""The clients and servers, as data: how each is installed and started, and what a client of it cannot do."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from conformance import cells, toolbox

HERE = Path(__file__).parent

NPM_SERVERS = (
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
)
PYTHON_SERVERS = ("mcp-server-git==2026.10.19", "mcp-server-time==2026.10.19", "mcp-server-fetch==2026.10.24")
TYPESCRIPT = ("@modelcontextprotocol/sdk@1.32.2", "@modelcontextprotocol/client@2.4.0")


class Client(Struct, frozen=True):
    """One client."""

    name: str
    command: Callable[[], list[str]]
    """Installs it if need be; the errands are appended as JSON."""
    modern: bool = False
    """Whether it prefers the stateless revision."""
    cannot: frozenset[str] = frozenset()
    """Errands that the client itself has no way to do."""


def _python(environment: Callable[[], Path], script: str) -> Callable[[], list[str]]:
    return lambda: [str(environment()), str(HERE / f"{script}.py")]


def _typescript(script: str) -> Callable[[], list[str]]:
    return lambda: ["node", str(HERE / f"{script}.mjs")]


def typescript() -> Path:
    """The packages of both TypeScript SDKs."""
    return toolbox.npm("typescript", *TYPESCRIPT)


def inspector() -> Path:
    """The Inspector's command line."""
    return toolbox.npm("inspector", "@modelcontextprotocol/inspector@2.12.0") / ".bin" / "mcp-inspector"


def mcp_remote() -> Path:
    """The stdio host in front of a URL."""
    return toolbox.npm("mcp-remote", "mcp-remote@0.15.1") / ".bin" / "mcp-remote"


CLIENTS = (
    Client("python-sdk 1.30", _python(lambda: cells.python(cells.LEGACY), "python_v1")),
    Client("python-sdk 2.3", _python(lambda: cells.python(cells.MODERN), "python_v2"), modern=True),
    Client("typescript-sdk v1", _typescript("typescript_v1")),
    Client("typescript-sdk v2", _typescript("typescript_v2"), modern=True),
    Client(
        "openai-agents",
        _python(lambda: toolbox.venv("openai-agents", "openai-agents==0.24.0"), "openai_agents"),
        modern=True,
        # It hands no callbacks to its session: neither progress nor questions reach its user.
        cannot=frozenset({"progress", "elicitation", "sampling"}),
    ),
    Client(
        "pydantic-ai",
        _python(lambda: toolbox.venv("pydantic-ai", "pydantic-ai-slim[mcp]==2.68.0"), "pydantic_ai_client"),
        modern=True,
    ),
    Client(
        "langchain-mcp-adapters",
        _python(lambda: toolbox.venv("langchain", "langchain-mcp-adapters==0.3.2"), "langchain_client"),
        cannot=frozenset({"sampling"}),
    ),
    Client(
        "inspector",
        lambda: [str(toolbox.venv("plain")), str(HERE / "inspector.py"), str(inspector())],
        # One process for each call: nobody is left to be asked, or to change his mind.
        cannot=frozenset({"progress", "cancel", "elicitation", "sampling"}),
    ),
    Client(
        "mcp-remote",
        lambda: [str(toolbox.venv("plain")), str(HERE / "mcp_remote.py"), str(mcp_remote())],
        # With sessions towards its host, stateless towards a server that is.
        modern=True,
    ),
)


def servers(files: Path) -> dict[str, str]:
    """The `servers:` of the gateway's config. `files` is a folder that one of them may read."""
    node = str(toolbox.node() / "node")
    modules = toolbox.npm("npm-servers", *NPM_SERVERS) / "@modelcontextprotocol"
    python = str(toolbox.venv("python-servers", *PYTHON_SERVERS))

    def npm(name: str, *arguments: str) -> str:
        return _child(node, str(modules / f"server-{name}" / "dist" / "index.js"), *arguments)

    return {
        "everything": npm("everything", "stdio"),
        "filesystem": npm("filesystem", str(files)),
        "memory": npm("memory"),
        "git": _child(python, "-m", "mcp_server_git"),
        "time": _child(python, "-m", "mcp_server_time"),
        "fetch": _child(python, "-m", "mcp_server_fetch", "--ignore-robots-txt", "--allow-private-ips"),
    }


def _child(command: str, *arguments: str) -> str:
    return f"{{command: {command!r}, args: {list(arguments)!r}}}"
