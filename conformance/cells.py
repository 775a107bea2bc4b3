"""Every pair of wire and server, as data: what is run direct, what through the gateway.

A server that does not speak a wire itself is compared with the one that speaks both.
"""

from pathlib import Path

from msgspec import Struct

from conformance import toolbox
from conformance.toolbox import sdist, venv

LEGACY, MODERN = "2025-11-25", "2026-07-28"
WIRES = (LEGACY, MODERN)

SDK_OF = {MODERN: "mcp==2.3.0", LEGACY: "mcp==1.30.0"}
_EVERYTHING = Path("examples") / "servers" / "everything-server"
_CLIENT = Path(".github") / "actions" / "conformance" / "client.py"


class Server(Struct, frozen=True):
    """One reference server."""

    name: str
    sdk: str
    """The revision whose SDK it is built with."""
    wires: tuple[str, ...]
    """What it speaks by itself, over HTTP."""
    like: str = ""
    """The server that is the same over HTTP, for one that is not reached so."""

    def command(self, *arguments: str) -> list[str]:
        """How it is started."""
        return [str(python(self.sdk)), str(Path(__file__).parent / "serve.py"), self.name, *arguments]

    def env(self) -> dict[str, str]:
        """Where it finds the everything-server."""
        return {"PYTHONPATH": str(sdist(SDK_OF[self.sdk]) / _EVERYTHING)}


SERVERS = (
    Server("dual", MODERN, WIRES),
    Server("legacy", LEGACY, (LEGACY,)),
    Server("modern", MODERN, (MODERN,)),
    Server("stdio", LEGACY, (), like="legacy"),
)
REFERENCE = SERVERS[0]
_BY_NAME = {server.name: server for server in SERVERS}


class Cell(Struct, frozen=True):
    """One wire in front of one server."""

    wire: str
    server: Server

    @property
    def name(self) -> str:
        """As the tables and `differences.yaml` write it."""
        return f"{self.server.name}@{self.wire}"

    @property
    def direct(self) -> Server:
        """What is compared with."""
        same = _BY_NAME.get(self.server.like, self.server)
        return same if self.wire in same.wires else REFERENCE


CELLS = tuple(Cell(wire, server) for server in SERVERS for wire in WIRES)


def python(sdk: str) -> Path:
    """The environment of an SDK."""
    name = "modern" if sdk == MODERN else "legacy"
    return venv(name, SDK_OF[sdk], "click==8.5.1", "uvicorn==0.54.0")


def client(sdk: str) -> str:
    """The command of an SDK's conformance client."""
    return f"{python(sdk)} {sdist(SDK_OF[sdk]) / _CLIENT}"


def install() -> None:
    """Everything a run needs."""
    toolbox.node()
    for sdk in SDK_OF:
        client(sdk)
